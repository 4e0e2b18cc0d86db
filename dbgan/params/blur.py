"""Parameters of the blur models: kernels (Eq. 3), averages (Eq. 2), and the camera after them; see docs/blur.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from dbgan.params.base import Model

NotNegative = Annotated[float, Field(ge=0.0)]


def _ordered(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"a range is [low, high] with low <= high, found [{ends[0]}, {ends[1]}]")
    return ends


Range = Annotated[tuple[NotNegative, NotNegative], AfterValidator(_ordered)]
"""[low, high], both at least 0; every picture draws its own value, uniformly."""
Response = Literal["srgb", "gamma", "linear", "stored"]
KernelKind = Literal["shake", "linear", "disk", "gaussian"]


def _usual_kinds() -> dict[KernelKind, float]:
    return {"shake": 0.6, "linear": 0.15, "disk": 0.15, "gaussian": 0.1}


class KernelParams(Model):
    """Eq. 3, B = K * S + N: which kernels, how large, and how they change over the picture."""

    weights: dict[KernelKind, NotNegative] = Field(
        default_factory=_usual_kinds, description="relative frequency of each kind"
    )
    length: Range = Field((4.0, 32.0), description="px: of shake paths and straight motion")
    radius: Range = Field((1.0, 5.0), description="px: of the defocus disk")
    sigma: Range = Field((0.8, 3.0), description="px: of the Gaussian")
    wander: Range = Field((0.2, 3.0), description="rad: how far a shake's heading strays during the exposure")
    impulses: Range = Field((0.0, 1.0), description="expected sudden reversals of a shake")
    pull: Range = Field((0.0, 3.0), description="of a shake towards where it began; 0 is free")
    pace: Range = Field((0.0, 0.8), description="relative swing of a shake's speed; below 1")
    noise: Range = Field(
        (0.0, 0.01), description="standard deviation of N, of [0, 1] stored values; a camera replaces it"
    )
    grid: int = Field(
        1, ge=1, le=9, description="nodes per side of the grid of kernels; 1: one kernel for the whole picture"
    )
    roll: Range = Field((0.0, 0.5), description="with a grid: motion of the corners by turning, as a share of length")
    tilt: Range = Field((0.0, 0.5), description="with a grid: relative change of radius and sigma to the corners")
    response: Response = Field("srgb", description="curve whose light is blurred; stored: Eq. 3 as printed")

    @model_validator(mode="after")
    def _possible(self) -> KernelParams:
        if sum(self.weights.values()) <= 0:
            raise ValueError("weights are not all 0")
        if min(self.length[0], self.radius[0], self.sigma[0]) <= 0 or max(self.pace[1], self.tilt[1]) >= 1:
            raise ValueError("length, radius and sigma start above 0; pace and tilt end below 1")
        return self


class AverageParams(Model):
    """Eq. 2 with Eq. 4: the mean of consecutive frames through a camera response."""

    frames: int = Field(11, ge=2, le=255, description="M: frames per blurry picture; GOPRO takes 7, 11 or 13")
    stride: int = Field(0, ge=0, description="frames from one pair to the next; 0: as many as `frames`, as GOPRO")
    centre: int = Field(-1, ge=-1, description="which frame of the window is the sharp one, from 0; -1: the middle")
    response: Response = Field("stored", description="stored: GOPRO's `blur`; gamma: its `blur_gamma`; srgb: light")
    interpolate: int = Field(
        1, ge=1, le=64, description="frames per frame: N puts N - 1 between two, by optical flow, against ghosts"
    )
    interpolator: str = Field(
        "dis", pattern=r"^(dis|[\w.]+:\w+)$", description="what makes them: dis, or MODULE:NAME, a class of your own"
    )

    @model_validator(mode="after")
    def _inside(self) -> AverageParams:
        if self.centre >= self.frames:
            raise ValueError(f"centre is one of frames 0 to {self.frames - 1}, found {self.centre}")
        if self.interpolator != "dis" and self.interpolate == 1:
            raise ValueError("an interpolator has nothing to do where interpolate is 1")
        return self


class CameraParams(Model):
    """The camera after the blur; every picture draws its constants from these ranges. The defaults are RSBlur's."""

    shot: NotNegative = Field(8.9e-5, description="a of the noise variance a x + b; x: raw signal, 1 is the full well")
    read: NotNegative = Field(2.9e-5, description="b of it")
    gain: Range = Field((0.5, 1.5), description="factor on shot and read, one draw for both")
    red: Range = Field((1.9, 2.4), description="white balance gain of red; at least 1")
    blue: Range = Field((1.5, 1.9), description="white balance gain of blue; at least 1")
    saturation: Range = Field(
        (0.25, 1.75), description="light given back to clipped highlights before the blur; 1 is the full well"
    )
    mosaics: tuple[Literal["", "RGGB", "BGGR", "GRBG", "GBRG"], ...] = Field(
        ("RGGB", "BGGR", "GRBG", "GBRG"), min_length=1, description='Bayer patterns, one is drawn; "": no mosaic'
    )
    tone: Range = Field((0.0, 0.0), description="strength of an S-shaped tone curve, 0 to 1")
    jpeg_quality: tuple[int, int] = Field((0, 0), description="1 to 100; [0, 0]: no JPEG inside the chain")
    response: Response = Field("srgb", description="curve of the pictures")

    @model_validator(mode="after")
    def _possible(self) -> CameraParams:
        low, high = self.jpeg_quality
        if min(self.red[0], self.blue[0]) < 1 or self.tone[1] > 1:
            raise ValueError("red and blue start at 1 or above, tone ends at 1 or below")
        if not (low == high == 0 or 1 <= low <= high <= 100):
            raise ValueError(f"jpeg_quality is [0, 0] or a range within 1 to 100, found [{low}, {high}]")
        return self


def _named(name: str) -> str:
    if name not in ("none", "default") and not name.endswith(".json"):
        raise ValueError("camera is none, default, a file of `dbgan calibrate` (*.json), or the constants themselves")
    return name


def _which(value: Any) -> str:
    return "constants" if isinstance(value, dict | CameraParams) else "name"


Camera = Annotated[
    Annotated[str, AfterValidator(_named), Tag("name")] | Annotated[CameraParams, Tag("constants")],
    Discriminator(_which),
]
