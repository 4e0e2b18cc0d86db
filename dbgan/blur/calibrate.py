"""Noise constants and highlights of a camera from its own pictures: `dbgan calibrate`.

Noise is measured on blocks of linearised green light, whose white balance gain is 1: the variance about a curved
surface, less what rounding to 8 bits adds, in a low quantile over blocks of one brightness, because texture only ever
adds to it (as in Liu et al., CVPR 2006). Shot and read noise are the line through these points (Foi et al., TIP 2008).
It is the noise that the camera's own processing left: what its pictures show, not its raw sensor.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.calibration import Constants
from dbgan.blur.response import linear_table
from dbgan.blur.sensor import SATURATED, clipped
from dbgan.corpus import Corpus
from dbgan.errors import CorpusError, DbganError
from dbgan.image.codec import decode
from dbgan.progress import progress
from dbgan.seeds import digest_seed

BLOCK = 16
"""px; a block of 256 pixels tells its variance to within 9 %."""
FREE = BLOCK * BLOCK - 6
"""Degrees of freedom of a block's variance about a surface of second degree: shading is no noise."""
QUANTILE = 0.1
QUANTILE_Z = -1.2816
"""Of the normal distribution, at QUANTILE."""
BINS = np.linspace(0.0, 1.0, 25) ** 2
"""Edges of brightness, of light: narrower where it is dark."""
MIN_BLOCKS = 20
"""In a bin of one picture; with fewer its low quantile says little."""
MIN_BINS = 3
DARK = 2
"""Stored values up to here may have been cut off at black."""


@dataclass(frozen=True, slots=True)
class Points:
    """Noise of one picture: variance of light at each brightness, and how many blocks each rests on."""

    light: NDArray[np.float64]
    variance: NDArray[np.float64]
    blocks: NDArray[np.int64]
    clipped_share: float


def calibrate(corpus: Path, *, device: str | None = None, pictures: int = 64) -> tuple[dict[str, Constants], list[str]]:
    """Constants of each device whose pictures a corpus holds.

    Args:
        corpus: of captures, of pairs (their blurry pictures are measured) or of sharp frames.
        device: only this one, as the manifest names it.
        pictures: of each device at most, chosen by the hash of their keys.

    Returns:
        Device -> constants, and the devices that were left out because they show too few smooth blocks. Pictures
        without a device are of "unknown".

    Raises:
        CorpusError: the corpus cannot be read, or holds no picture of `device`.
        DbganError: no device has enough smooth blocks.
    """
    opened = Corpus.open(corpus)
    field = "blur" if "blur" in opened.fields else "sharp"
    by_device = defaultdict[str, list[str]](list)
    for key, name in opened.table(columns=["key", "device"]).itertuples(index=False, name=None):
        by_device[name or "unknown"].append(key)
    if device is not None and device not in by_device:
        known = ", ".join(sorted(by_device)) or "none"
        raise CorpusError(
            f"{corpus}: expected pictures of {device!r}, found those of: {known}.\nNext: name one of these."
        )
    chosen = {
        name: sorted(keys, key=lambda key: digest_seed(0, "calibrate", key))[:pictures]
        for name, keys in sorted(by_device.items())
        if device in (None, name)
    }
    found: dict[str, Constants] = {}
    with progress("calibrate", sum(len(keys) for keys in chosen.values())) as bar:
        for name, keys in chosen.items():
            measured = []
            for key in keys:
                measured.append(measure(decode(opened.encoded(key, field), max_pixels=opened.header.max_pixels)))
                bar.advance(note=key)
            constants = estimate(measured)
            if constants is not None:
                found[name] = constants
    if not found:
        raise DbganError(
            f"{corpus}: expected {MIN_BLOCKS} unclipped blocks of {BLOCK} px at each of {MIN_BINS} brightnesses, "
            f"found fewer in the pictures of {', '.join(chosen)}.\nNext: give more or larger pictures."
        )
    return found, sorted(set(chosen) - set(found))


def measure(picture: NDArray[np.uint8]) -> Points:
    """Noise of one picture at each brightness that enough of its blocks have.

    Args:
        picture: HWC uint8 RGB, stored with the sRGB curve.
    """
    green = picture[..., 1]
    height, width = (side // BLOCK * BLOCK for side in green.shape)
    tiles = green[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    stored = tiles.swapaxes(1, 2).reshape(-1, BLOCK * BLOCK)
    light, variance = _block_noise(stored)
    cut = (stored.min(axis=1) <= DARK) | (stored.max(axis=1) >= SATURATED)
    which = np.digitize(light, BINS)
    rows = []
    for index in np.unique(which):
        here = which == index
        used = here & ~cut
        # Where many blocks touch black or white, those that do not are the quiet ones: no measure of the others.
        if used.sum() < MIN_BLOCKS or used.sum() < 0.9 * here.sum():
            continue
        low = max(float(np.quantile(variance[used], QUANTILE)) / _quantile_share(), 0.0)
        quiet = used & (variance <= 2 * max(low, float(variance[used].min())))
        rows.append((float(light[quiet].mean()), low, int(quiet.sum())))
    table = np.array(rows, np.float64).reshape(-1, 3)
    return Points(table[:, 0], table[:, 1], table[:, 2].astype(np.int64), float(clipped(picture).mean()))


def estimate(pictures: Iterable[Points]) -> Constants | None:
    """Constants of one device from its pictures' points; None where these are too few to draw a line through."""
    measured = list(pictures)
    light = np.concatenate([p.light for p in measured]) if measured else np.empty(0)
    if len(np.unique(np.digitize(light, BINS))) < MIN_BINS:
        return None
    shot, read = fit_line(light, np.concatenate([p.variance for p in measured]))
    gains = np.array([_gain(p, shot, read) for p in measured if len(p.light) and shot + read > 0])
    # Texture taken for noise can only raise the line: it is put where the median picture is.
    typical = float(np.median(gains)) if len(gains) else 0.0
    if typical > 0:
        shot, read, gains = shot * typical, read * typical, gains / typical
    low, high = np.quantile(gains, [0.1, 0.9]) if typical > 0 else (1.0, 1.0)
    shares = [p.clipped_share for p in measured if p.clipped_share > 0]
    return Constants(
        shot=shot,
        read=read,
        gain=(float(low), float(high)),
        pictures=len(measured),
        blocks=int(sum(p.blocks.sum() for p in measured)),
        clipped_pictures=len(shares) / len(measured),
        clipped_share=float(np.mean(shares)) if shares else 0.0,
    )


def _gain(picture: Points, shot: float, read: float) -> float:
    """A picture's noise variance against a line, at its median brightness bin."""
    return float(np.median(picture.variance / (shot * picture.light + read)))


def fit_line(light: NDArray[np.float64], variance: NDArray[np.float64]) -> tuple[float, float]:
    """Shot and read noise, both at least 0: variance = shot light + read, by relative errors, outliers discounted.

    Iteratively reweighted least squares with Huber's weights: the variance of a variance is as its square.
    """
    model = np.full_like(variance, max(float(np.median(variance)), 1e-12))
    robust = np.ones_like(variance)
    shot = read = 0.0
    for _ in range(50):
        shot, read = _line(light, variance, robust / model**2)
        model = np.maximum(shot * light + read, 0.01 * float(np.median(variance)) + 1e-12)
        residual = np.abs(variance - shot * light - read) / model
        scale = max(1.4826 * float(np.median(residual)), 1e-6)
        robust = np.minimum(1.0, 1.345 * scale / np.maximum(residual, 1e-12))
    return shot, read


def _line(x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[float, float]:
    """Weighted least squares a x + b with a, b >= 0."""
    total = weight.sum()
    mean_x, mean_y = (weight * x).sum() / total, (weight * y).sum() / total
    spread = (weight * (x - mean_x) ** 2).sum()
    slope = float((weight * (x - mean_x) * (y - mean_y)).sum() / spread) if spread > 0 else 0.0
    offset = float(mean_y - slope * mean_x)
    if slope < 0:
        return 0.0, max(float(mean_y), 0.0)
    if offset < 0:
        return max(float((weight * x * y).sum() / (weight * x * x).sum()), 0.0), 0.0
    return slope, offset


def _block_noise(stored: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean light of each block of pixels (N, BLOCK^2), and its variance about a surface, less that of rounding."""
    table = linear_table("srgb")
    light = table[stored]
    mean = light.mean(axis=1)
    ramp = np.linspace(-1.0, 1.0, BLOCK)
    x, y = (axis.ravel() for axis in np.meshgrid(ramp, ramp))
    surface = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1))[0]
    light -= mean[:, None]
    square = (light**2).sum(axis=1) - ((light @ surface) ** 2).sum(axis=1)
    rounding = np.gradient(table) ** 2 / 12.0
    return mean, square / FREE - rounding[stored].mean(axis=1)


def _quantile_share() -> float:
    """The QUANTILE of a block's measured variance, of its true one: chi-squared by Wilson and Hilferty."""
    part = 2.0 / (9.0 * FREE)
    return (1.0 - part + QUANTILE_Z * math.sqrt(part)) ** 3
