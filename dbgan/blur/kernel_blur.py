"""Eq. 3 as a blur model: a kernel drawn from documented ranges, convolved in linear light, and noise."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.kernels import (
    Kernel,
    convolve,
    disk_kernel,
    gaussian_kernel,
    linear_kernel,
    path_kernel,
    shake_path,
)
from dbgan.blur.model import Record
from dbgan.blur.response import Response, check_image, check_response, from_linear, linear_table, to_uint8
from dbgan.blur.sensor import Sensor, expose, sense
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
        noise: standard deviation of N of Eq. 3, of [0, 1] stored values; not used where `sensor` is given.
        response: light is convolved as this curve says; `stored` is Eq. 3 as printed.
        sensor: if given, the light goes through this camera instead of getting Eq. 3's Gaussian N.
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
    response: Response = "srgb"
    sensor: Sensor | None = None

    name: ClassVar[str] = "kernel"
    revision: ClassVar[int] = 1

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights) - set(KINDS))
        if unknown or not self.weights or min(self.weights.values()) < 0 or sum(self.weights.values()) <= 0:
            raise ValueError(f"weights name kinds of {KINDS}, at least 0 and not all 0; found {self.weights}")
        for ranged in ("length", "radius", "sigma", "wander", "impulses", "pull", "pace", "noise"):
            low, high = getattr(self, ranged)
            if not 0 <= low <= high:
                raise ValueError(f"{ranged} is a range (low, high) with 0 <= low <= high, found ({low}, {high})")
        if min(self.length[0], self.radius[0], self.sigma[0]) <= 0 or self.pace[1] >= 1:
            raise ValueError("length, radius and sigma start above 0, and pace ends below 1")
        check_response(self.response)
        if self.sensor is not None and self.sensor.response != self.response:
            raise ValueError(f"the sensor's response {self.sensor.response!r} is not the blur's {self.response!r}")

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
        drawn["noise_sigma"] = 0.0 if self.sensor else _uniform(rng, self.noise)
        drawn["noise_seed"] = int(rng.integers(2**53))
        drawn["response"] = self.response
        drawn["sensor"] = asdict(self.sensor) if self.sensor else {}
        return drawn

    def __call__(
        self, sharp: NDArray[np.uint8], *, seed: int, key: str, variant: int
    ) -> tuple[NDArray[np.uint8], Record]:
        """Blur one image; see `dbgan.blur.model.Blur`. `blur_again(sharp, record.parameters)` gives the same bytes."""
        drawn = self.draw(seed=seed, key=key, variant=variant)
        return blur_again(sharp, drawn), Record(method=self.name, noise=(), parameters=drawn)


def kernel_of(parameters: dict[str, Any]) -> Kernel:
    """The kernel that `KernelBlur.draw` described. Raises `ValueError` for an unknown kind."""
    kind = parameters["kind"]
    if kind == "shake":
        wander, impulses, pull, pace = (float(parameters[n]) for n in ("wander", "impulses", "pull", "pace"))
        rng = generator(int(parameters["path_seed"]), "shake")
        length = float(parameters["length"])
        return path_kernel(shake_path(rng, length, wander=wander, impulses=impulses, pull=pull, pace=pace))
    if kind == "linear":
        return linear_kernel(float(parameters["length"]), float(parameters["angle"]))
    if kind == "disk":
        return disk_kernel(float(parameters["radius"]))
    if kind == "gaussian":
        return gaussian_kernel(float(parameters["sigma"]))
    raise ValueError(f"kernel kind {kind!r} is not one of {', '.join(KINDS)}")


def blur_again(sharp: NDArray[np.uint8], parameters: dict[str, Any]) -> NDArray[np.uint8]:
    """Make a `KernelBlur` image from its sharp one and `Record.parameters` (also after a trip through JSON).

    Args:
        sharp: HWC uint8 RGB.
        parameters: of the record.

    Returns:
        HWC uint8 RGB, same size.
    """
    check_image(sharp, "sharp")
    kernel, rng = kernel_of(parameters), generator(int(parameters["noise_seed"]), "noise")
    if parameters["sensor"]:
        constants = dict(parameters["sensor"])
        sensor = Sensor(**(constants | {"white_balance": tuple(constants["white_balance"])}))
        return sense(convolve(expose(sharp, sensor), kernel), sensor, rng)
    response: Response = parameters["response"]
    stored = from_linear(convolve(linear_table(response)[sharp], kernel), response)
    sigma = float(parameters["noise_sigma"])
    return to_uint8(stored + rng.normal(0.0, sigma, sharp.shape) if sigma > 0 else stored)


def _uniform(rng: np.random.Generator, ends: Range) -> float:
    return float(rng.uniform(*ends))
