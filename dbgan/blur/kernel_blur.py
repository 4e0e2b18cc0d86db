"""Eq. 3 as a blur model: kernels drawn from documented ranges, convolved in linear light, and noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.kernels import (
    PATH_POINTS,
    Kernel,
    Light,
    Path2D,
    disk_kernel,
    gaussian_kernel,
    linear_path,
    path_kernel,
    shake_path,
)
from dbgan.blur.levels import light_of, stored_levels
from dbgan.blur.model import Expose, Record
from dbgan.blur.response import Response, check_response
from dbgan.blur.sensor import BAND
from dbgan.blur.varying import convolve_varying, node_positions
from dbgan.seeds import generator

KINDS = ("shake", "linear", "disk", "gaussian")
Range = tuple[float, float]


@dataclass(frozen=True)
class KernelBlur:
    """Random kernels. Ranges are inclusive, drawn uniformly; lengths in px of the image that is blurred.

    Attributes:
        weights: kind -> relative frequency.
        length: of shake paths and of straight motion, px.
        radius: of the defocus disk, px.
        sigma: of the Gaussian, px.
        wander, impulses, pull, pace: of shake paths, see `dbgan.blur.kernels.shake_path`.
        noise: standard deviation of N of Eq. 3, of [0, 1] stored values; a camera after the blur replaces it.
        grid: nodes per side of the grid of kernels; 1 blurs the whole picture by one kernel.
        roll: how far turning about the picture's centre moves its corners, as a share of `length`; shake and linear.
        tilt: relative change of radius or sigma from the picture's centre to its corners; disk and gaussian.
        response: light is convolved as this curve says; `stored` is Eq. 3 as printed.
    """

    weights: dict[str, float] = field(
        default_factory=lambda: {"shake": 0.6, "linear": 0.15, "disk": 0.15, "gaussian": 0.1}
    )
    length: Range = (4.0, 32.0)
    radius: Range = (1.0, 5.0)
    sigma: Range = (0.8, 3.0)
    wander: Range = (0.2, 3.0)
    impulses: Range = (0.0, 1.0)
    pull: Range = (0.0, 3.0)
    pace: Range = (0.0, 0.8)
    noise: Range = (0.0, 0.01)
    grid: int = 1
    roll: Range = (0.0, 0.5)
    tilt: Range = (0.0, 0.5)
    response: Response = "srgb"

    name: ClassVar[str] = "kernel"
    revision: ClassVar[int] = 4

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights) - set(KINDS))
        if unknown or not self.weights or min(self.weights.values()) < 0 or sum(self.weights.values()) <= 0:
            raise ValueError(f"weights name kinds of {KINDS}, at least 0 and not all 0; found {self.weights}")
        for ranged in ("length", "radius", "sigma", "wander", "impulses", "pull", "pace", "noise", "roll", "tilt"):
            low, high = getattr(self, ranged)
            if not 0 <= low <= high:
                raise ValueError(f"{ranged} is a range (low, high) with 0 <= low <= high, found ({low}, {high})")
        if min(self.length[0], self.radius[0], self.sigma[0]) <= 0 or self.pace[1] >= 1:
            raise ValueError("length, radius and sigma start above 0, and pace ends below 1")
        if self.grid < 1 or self.tilt[1] >= 1:
            raise ValueError(f"grid is at least 1 and tilt ends below 1, found {self.grid} and {self.tilt}")
        check_response(self.response)

    def describe(self) -> dict[str, Any]:
        """Every setting, JSON-able; part of the recipe."""
        settings = asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}

    def draw(self, *, seed: int, key: str, variant: int) -> dict[str, Any]:
        """The parameters of one image: kind, its measures, noise and the seeds of what is random in them."""
        rng = generator(seed, "kernel", key, variant)
        kinds = [k for k in KINDS if self.weights.get(k, 0) > 0]
        shares = np.array([self.weights[k] for k in kinds])
        kind = kinds[int(rng.choice(len(kinds), p=shares / shares.sum()))]
        drawn: dict[str, Any] = {"kind": kind}
        if kind == "shake":
            drawn |= {n: _uniform(rng, getattr(self, n)) for n in ("length", "wander", "impulses", "pull", "pace")}
            drawn["path_seed"] = int(rng.integers(2**53))
        elif kind == "linear":
            drawn |= {"length": _uniform(rng, self.length), "angle": float(rng.uniform(0, math.pi))}
        elif kind == "disk":
            drawn["radius"] = _uniform(rng, self.radius)
        else:
            drawn["sigma"] = _uniform(rng, self.sigma)
        drawn["noise_sigma"] = _uniform(rng, self.noise)
        drawn["noise_seed"] = int(rng.integers(2**53))
        drawn["response"] = self.response
        drawn["grid"] = self.grid
        if self.grid > 1 and kind in ("shake", "linear"):
            drawn |= {"roll": _uniform(rng, self.roll), "roll_seed": int(rng.integers(2**53))}
        elif self.grid > 1:
            drawn |= {"tilt": _uniform(rng, self.tilt), "tilt_angle": float(rng.uniform(0, 2 * math.pi))}
        return drawn

    def __call__(
        self, sharp: NDArray[np.uint8], *, seed: int, key: str, variant: int
    ) -> tuple[NDArray[np.uint8], Record]:
        """Blur one image; see `dbgan.blur.model.Blur`. `blur_again(sharp, record.parameters)` gives the same bytes."""
        drawn = self.draw(seed=seed, key=key, variant=variant)
        return blur_again(sharp, drawn), Record(method=self.name, noise=(), parameters=drawn)

    def light(
        self, frames: Sequence[NDArray[np.uint8]], parameters: dict[str, Any], expose: Expose
    ) -> NDArray[np.float32]:
        """The convolved light of one picture, without N; see `dbgan.blur.model.LightBlur`."""
        (sharp,) = frames
        light = np.empty(sharp.shape, np.float32)
        for top in range(0, len(sharp), BAND):  # of a large picture, float64 is twice what is kept
            light[top : top + BAND] = expose(sharp[top : top + BAND])
        return blurred_light(light, parameters)


def blurred_light(light: Light, parameters: dict[str, Any]) -> NDArray[np.float32]:
    """K * S of Eq. 3, HWC float32 in the unit of `light`, by the kernels that `parameters` describe for its size."""
    height, width = light.shape[:2]
    nodes = node_positions(int(parameters["grid"]), height, width)
    motion = _motion(parameters)
    kernels = [[_kernel(parameters, motion, (x, y)) for x, y in row] for row in nodes]
    return np.asarray(convolve_varying(light, kernels), np.float32)


def kernel_of(parameters: dict[str, Any], place: tuple[float, float] = (0.0, 0.0)) -> Kernel:
    """The kernel that `KernelBlur.draw` described, at one place of the picture.

    Args:
        parameters: of the record.
        place: x, y from the picture's centre in half-diagonals; matters only where the record has a grid.

    Raises:
        ValueError: an unknown kind.
    """
    return _kernel(parameters, _motion(parameters), place)


def _motion(parameters: dict[str, Any]) -> tuple[Path2D, NDArray[np.float64]] | None:
    """The path of the picture's centre and the turning of its corners, both px; None for kinds that do not move."""
    if parameters["kind"] not in ("shake", "linear"):
        return None
    return _path(parameters), _turning(parameters) if "roll" in parameters else np.zeros(PATH_POINTS)


def _kernel(
    parameters: dict[str, Any], motion: tuple[Path2D, NDArray[np.float64]] | None, place: tuple[float, float]
) -> Kernel:
    kind = parameters["kind"]
    if motion is not None:
        path, turning = motion
        # A turn by a small angle moves a place across its radius, further the further out it is.
        return path_kernel(path + turning[:, None] * np.array([[-place[1], place[0]]]))
    slope = float(parameters.get("tilt", 0.0))
    angle = float(parameters.get("tilt_angle", 0.0))
    factor = 1.0 + slope * (place[0] * math.cos(angle) + place[1] * math.sin(angle))
    if kind == "disk":
        return disk_kernel(float(parameters["radius"]) * factor)
    if kind == "gaussian":
        return gaussian_kernel(float(parameters["sigma"]) * factor)
    raise ValueError(f"kernel kind {kind!r} is not one of {', '.join(KINDS)}")


def _path(parameters: dict[str, Any]) -> Path2D:
    """Where the picture's centre goes during the exposure, px."""
    length = float(parameters["length"])
    if parameters["kind"] == "linear":
        return linear_path(length, float(parameters["angle"]))
    wander, impulses, pull, pace = (float(parameters[n]) for n in ("wander", "impulses", "pull", "pace"))
    rng = generator(int(parameters["path_seed"]), "shake")
    return shake_path(rng, length, wander=wander, impulses=impulses, pull=pull, pace=pace)


def _turning(parameters: dict[str, Any]) -> NDArray[np.float64]:
    """How far turning moves the corners at each instant of the path, px: one axis of a shake of its own."""
    reach = float(parameters["roll"]) * float(parameters["length"])
    if reach <= 0:
        return np.zeros(PATH_POINTS)
    return shake_path(generator(int(parameters["roll_seed"]), "roll"), reach)[:, 0]


def blur_again(sharp: NDArray[np.uint8], parameters: dict[str, Any]) -> NDArray[np.uint8]:
    """Make a `KernelBlur` image from its sharp one and `Record.parameters` (also after a trip through JSON).

    Computed in float32: before rounding within 0.02 of 255 of the same in float64, so that after it a level is another
    by one where the exact value lies that close to a half.

    Args:
        sharp: HWC uint8 RGB.
        parameters: of the record.

    Returns:
        HWC uint8 RGB, same size.
    """
    response: Response = parameters["response"]
    light = blurred_light(light_of(sharp, response), parameters)
    rng = generator(int(parameters["noise_seed"]), "noise")
    return stored_levels(light, response, float(parameters["noise_sigma"]), rng)


def _uniform(rng: np.random.Generator, ends: Range) -> float:
    return float(rng.uniform(*ends))
