"""Smooth random motion: band-limited paths of a camera and of an object, by frame of a 240 fps clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FRAME_RATE_HZ = 240.0
DRIFT_HZ = (0.5, 2.5)
"""Panning and walking."""
TREMOR_HZ = (5.0, 11.0)
"""The hand's own tremor."""
TREMOR_SHARE = 0.35
"""Speed of the tremor, as a share of the drift's."""
TOP_SPEED = 1.3
"""Speeds approach this multiple of the clip's mean: at 240 fps anything much faster ghosts instead of blurring."""


def band_limited(
    rng: np.random.Generator, frames: int, band_hz: tuple[float, float], waves: int = 5
) -> NDArray[np.float64]:
    """A sum of sines with random frequencies within `band_hz` and random phases, with unit RMS speed per frame.

    Returns:
        (frames,) float64.
    """
    frequency = rng.uniform(*band_hz, waves)
    phase = rng.uniform(0, 2 * np.pi, waves)
    amplitude = rng.uniform(0.5, 1.0, waves) / frequency  # equal speeds, not equal excursions
    t = np.arange(frames) / FRAME_RATE_HZ
    wave = (amplitude * np.sin(2 * np.pi * frequency * t[:, None] + phase)).sum(axis=1)
    omega = 2 * np.pi * frequency / FRAME_RATE_HZ
    return np.asarray(wave / np.sqrt(0.5 * ((amplitude * omega) ** 2).sum()))


@dataclass(frozen=True, slots=True)
class CameraPath:
    """A hand-held camera, by frame.

    Attributes:
        x, y: position in px of the frame, mean 0.
        roll: rad.
        zoom: factor around 1.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    roll: NDArray[np.float64]
    zoom: NDArray[np.float64]


def camera_path(rng: np.random.Generator, frames: int, average: int, strength: float, width: int) -> CameraPath:
    """A path whose mean length over `average` frames is `strength` px: the mean blur of the clip.

    Args:
        rng: all randomness.
        frames: length of the clip.
        average: frames per blurry image.
        strength: px.
        width: of the frame, px; roll and zoom move its edges by about a quarter of what the path moves its centre.
    """
    axes = [band_limited(rng, frames, DRIFT_HZ) + TREMOR_SHARE * band_limited(rng, frames, TREMOR_HZ) for _ in range(2)]
    velocity = np.diff(np.stack(axes, axis=1), axis=0)
    speed = np.hypot(*velocity.T)[:, None]
    velocity /= np.hypot(1.0, speed / (TOP_SPEED * speed.mean()))
    velocity *= strength / (average * float(np.hypot(*velocity.T).mean()))
    path = np.vstack([np.zeros((1, 2)), velocity.cumsum(axis=0)])
    path -= (path.max(axis=0) + path.min(axis=0)) / 2
    edge_speed = 0.25 * strength / average / (width / 2)
    roll = edge_speed * band_limited(rng, frames, DRIFT_HZ)
    zoom = 0.5 * edge_speed * band_limited(rng, frames, DRIFT_HZ)
    return CameraPath(path[:, 0], path[:, 1], roll - roll.mean(), np.exp(zoom - zoom.mean()))


def crossing(
    rng: np.random.Generator,
    frames: int,
    average: int,
    strength: float,
    size: tuple[int, int],
    middle: tuple[float, float],
) -> NDArray[np.float64]:
    """An object's own way through the frame: straight at `strength` px per `average` frames, and wandering.

    Args:
        rng: all randomness.
        frames: length of the clip.
        average: frames per blurry image.
        strength: px.
        size: width, height of the frame, px.
        middle: where it is in mid-clip, as shares of width and height.

    Returns:
        (frames, 3) float64: x, y in px, and angle in rad.
    """
    heading = rng.uniform(0, 2 * np.pi)
    speed = strength / average
    t = np.arange(frames) - (frames - 1) / 2
    straight = np.array(middle) * size + t[:, None] * speed * np.array([np.cos(heading), 0.5 * np.sin(heading)])
    wandering = np.stack([0.4 * speed * band_limited(rng, frames, DRIFT_HZ) for _ in range(2)], axis=1)
    angle = 0.2 * speed / (0.15 * size[0]) * band_limited(rng, frames, DRIFT_HZ)
    return np.column_stack([straight + wandering - wandering.mean(axis=0), angle])
