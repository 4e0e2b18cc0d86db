"""The camera after any blur: light, saturation before the blur, noise, white balance, mosaic, tone, JPEG.

A blur that works on light (`LightBlur`: kernels, averages) gets highlights above white to spread, and hands light to
the sensor, as in a real exposure. A blur that paints a picture (a trained generator) gives one that is exposed again:
its highlights were never above white, so `saturation` cannot apply to it, and its record says 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.model import Blur, LightBlur, Record, run, stride_of, window_of
from dbgan.blur.response import Response, check_response
from dbgan.blur.sensor import Mosaic, Sensor, camera, expose, sense
from dbgan.seeds import generator

Range = tuple[float, float]


@dataclass(frozen=True)
class Camera:
    """What the constants of a picture's camera are drawn from. The defaults are RSBlur's.

    Attributes:
        shot, read: noise variance is `shot` x + `read` of the raw signal x, 1 is the full well.
        gain: range of one factor on both: pictures of one camera differ in sensitivity.
        red, blue: ranges of the white balance gains; green's is 1.
        saturation: range of the light given back to clipped highlights.
        mosaics: one is drawn; "" for none.
        tone: range of the tone curve's strength.
        jpeg_quality: range; (0, 0) for none.
        response: the curve of the pictures.
    """

    shot: float = 8.9e-5
    read: float = 2.9e-5
    gain: Range = (0.5, 1.5)
    red: Range = (1.9, 2.4)
    blue: Range = (1.5, 1.9)
    saturation: Range = (0.25, 1.75)
    mosaics: tuple[Mosaic, ...] = ("RGGB", "BGGR", "GRBG", "GBRG")
    tone: Range = (0.0, 0.0)
    jpeg_quality: tuple[int, int] = (0, 0)
    response: Response = "srgb"

    def __post_init__(self) -> None:
        check_response(self.response)
        for name in ("gain", "red", "blue", "saturation", "tone", "jpeg_quality"):
            low, high = getattr(self, name)
            if not 0 <= low <= high:
                raise ValueError(f"{name} is a range (low, high) with 0 <= low <= high, found ({low}, {high})")
        if not self.mosaics:
            raise ValueError('mosaics names at least one pattern; "" is none')
        for mosaic in self.mosaics:  # the extremes: what is refused here would be refused at some picture
            for end in (0, 1):
                gain, red, blue, saturation, tone = (getattr(self, name)[end] for name in _DRAWN)
                self._sensor(mosaic, gain, red, blue, saturation, tone, self.jpeg_quality[end])

    def draw(self, rng: np.random.Generator) -> Sensor:
        """The constants of one picture's camera."""
        gain, red, blue, saturation, tone = (float(rng.uniform(*getattr(self, name))) for name in _DRAWN)
        quality = int(rng.integers(*self.jpeg_quality, endpoint=True))
        mosaic = self.mosaics[int(rng.integers(len(self.mosaics)))]
        return self._sensor(mosaic, gain, red, blue, saturation, tone, quality)

    def _sensor(
        self, mosaic: Mosaic, gain: float, red: float, blue: float, saturation: float, tone: float, quality: int
    ) -> Sensor:
        return Sensor(
            shot=self.shot * gain,
            read=self.read * gain,
            white_balance=(red, 1.0, blue),
            saturation=saturation,
            mosaic=mosaic,
            tone=tone,
            jpeg_quality=quality,
            response=self.response,
        )


_DRAWN = ("gain", "red", "blue", "saturation", "tone")


@dataclass(frozen=True)
class CameraBlur:
    """Any blur, seen by a camera. It draws a camera per (key, variant) from `cameras`, then that camera's constants.

    Attributes:
        inner: what blurs. Noise of its own (Eq. 3's N) is left out where it works on light.
        cameras: at least one, with its name in records.
    """

    inner: Blur
    cameras: tuple[tuple[str, Camera], ...] = (("default", Camera()),)

    revision: ClassVar[int] = 1

    def __post_init__(self) -> None:
        if not self.cameras:
            raise ValueError("a camera blur needs at least one camera, found none")

    @property
    def name(self) -> str:
        """The inner blur's: records tell of the camera in their parameters."""
        return self.inner.name

    @property
    def window(self) -> tuple[int, int]:
        """The inner blur's."""
        return window_of(self.inner)

    @property
    def stride(self) -> int:
        """The inner blur's."""
        return stride_of(self.inner)

    @property
    def digest(self) -> str:
        """Of the inner blur's weights; empty if it has none."""
        return str(getattr(self.inner, "digest", ""))

    @property
    def device(self) -> str:
        """Where the inner blur computes."""
        return str(getattr(self.inner, "device", "cpu"))

    def describe(self) -> dict[str, Any]:
        """The inner blur's settings and revision, and every camera's; part of the recipe."""
        cameras = {name: asdict(camera) for name, camera in self.cameras}
        inner = {"name": self.inner.name, "revision": self.inner.revision, **self.inner.describe()}
        return {"inner": inner, "cameras": cameras}

    def __call__(
        self, sharp: NDArray[np.uint8], *, seed: int, key: str, variant: int
    ) -> tuple[NDArray[np.uint8], Record]:
        """Blur and photograph one image; see `dbgan.blur.model.Blur`."""
        return self.of_frames([sharp], seed=seed, key=key, variant=variant)

    def of_frames(
        self, frames: Sequence[NDArray[np.uint8]], *, seed: int, key: str, variant: int
    ) -> tuple[NDArray[np.uint8], Record]:
        """As `__call__`, of the window that the inner blur needs; see `dbgan.blur.model.WindowBlur`."""
        rng = generator(seed, "camera", key, variant)
        name, ranges = self.cameras[int(rng.integers(len(self.cameras)))]
        constants = {"name": name, **asdict(ranges.draw(rng)), "seed": int(rng.integers(2**53))}
        if isinstance(self.inner, LightBlur):
            parameters = self.inner.draw(seed=seed, key=key, variant=variant)
            record = Record(self.inner.name, (), {**parameters, "camera": constants})
            return photograph(self.inner, frames, record.parameters), record
        picture, record = run(self.inner, frames, seed=seed, key=key, variant=variant)
        constants["saturation"] = 0.0
        again = photograph_again(picture, constants)
        parameters = {**record.parameters, "camera": constants}
        return again, Record(record.method, record.noise, parameters, record.motion)


def photograph(blur: LightBlur, frames: Sequence[NDArray[np.uint8]], parameters: dict[str, Any]) -> NDArray[np.uint8]:
    """A picture from its frames and its record (also after a trip through JSON), by a blur that works on light.

    Args:
        blur: of the record's method; only `light` is asked of it.
        frames: the sharp picture alone, or the window.
        parameters: of the record, with its `camera`.
    """
    sensor, rng = sensor_of(parameters["camera"])
    return sense(blur.light(frames, parameters, lambda frame: expose(frame, sensor)), sensor, rng)


def photograph_again(picture: NDArray[np.uint8], constants: dict[str, Any]) -> NDArray[np.uint8]:
    """What the camera of a record's `camera` makes of a picture that another blur painted."""
    sensor, rng = sensor_of(constants)
    return camera(picture, sensor, rng)


def sensor_of(constants: dict[str, Any]) -> tuple[Sensor, np.random.Generator]:
    """The sensor and the randomness that a record's `camera` describes."""
    named = {name: value for name, value in constants.items() if name not in ("name", "seed")}
    named["white_balance"] = tuple(named["white_balance"])
    return Sensor(**named), generator(int(constants["seed"]), "sensor")
