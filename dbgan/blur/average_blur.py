"""Eq. 2 as a blur model: the mean of consecutive real frames through a camera response (Eq. 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.average import average_frames
from dbgan.blur.frames import FlowInterpolator, Interpolator, fill
from dbgan.blur.model import Expose, Record
from dbgan.blur.response import Response, check_response


@dataclass(frozen=True)
class AverageBlur:
    """Averages a window of frames around the sharp one. Nothing in it is random: all variants of a frame are equal.

    Attributes:
        frames: M, the window's length; GOPRO takes 7, 11 or 13 frames of 240 fps.
        stride: frames from one window to the next; 0: `frames`, so that windows do not overlap.
        centre: which frame of the window is the sharp one, from 0; -1: the middle, M // 2. Any other shifts blurry
            pictures against sharp ones.
        response: the camera's curve g; `stored` is GOPRO's own rule, bit-exact.
        interpolate: factor N; N - 1 frames are put between each two. The mean then is over (M - 1) N + 1 frames, from
            the first one's moment to the last one's; without, each frame stands for a whole interval of time.
        interpolator: makes these frames.
    """

    frames: int = 11
    stride: int = 0
    centre: int = -1
    response: Response = "stored"
    interpolate: int = 1
    interpolator: Interpolator = field(default_factory=FlowInterpolator)

    name: ClassVar[str] = "average"
    revision: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check_response(self.response)
        if self.frames < 2 or self.interpolate < 1 or self.stride < 0:
            raise ValueError(f"frames is at least 2, interpolate at least 1, stride at least 0: {self}")
        if not -1 <= self.centre < self.frames:
            raise ValueError(f"centre is -1 or one of frames 0 to {self.frames - 1}, found {self.centre}")
        if self.stride == 0:
            object.__setattr__(self, "stride", self.frames)

    @property
    def window(self) -> tuple[int, int]:
        """Frames needed before and after the sharp one."""
        before = self.frames // 2 if self.centre < 0 else self.centre
        return before, self.frames - 1 - before

    def describe(self) -> dict[str, Any]:
        """Every setting, JSON-able; part of the recipe."""
        return {**self.draw(), "stride": self.stride}

    def draw(self, *, seed: int = 0, key: str = "", variant: int = 0) -> dict[str, Any]:
        """The parameters of one image: the same for all."""
        drawn: dict[str, Any] = {"frames": self.frames, "before": self.window[0], "response": self.response}
        drawn["interpolate"] = self.interpolate
        if self.interpolate > 1:
            drawn |= {"interpolator": self.interpolator.name, "interpolator_settings": self.interpolator.describe()}
        return drawn

    def __call__(
        self, sharp: NDArray[np.uint8], *, seed: int, key: str, variant: int
    ) -> tuple[NDArray[np.uint8], Record]:
        """Refused: one frame has no motion. See `of_frames`.

        Raises:
            ValueError: always.
        """
        before, after = self.window
        raise ValueError(
            f"{key}: averaging (Eq. 2) needs {before} frames before and {after} after this one, found none"
        )

    def of_frames(
        self, frames: Sequence[NDArray[np.uint8]], *, seed: int, key: str, variant: int
    ) -> tuple[NDArray[np.uint8], Record]:
        """The mean of a window of `frames` frames, in order of time; see `dbgan.blur.model.WindowBlur`.

        Raises:
            ValueError: another number of frames, or frames that differ in size.
        """
        drawn = self.draw(seed=seed, key=key, variant=variant)
        return average_frames(self._filled(frames), self.response), Record(self.name, (), drawn)

    def light(
        self, frames: Sequence[NDArray[np.uint8]], parameters: dict[str, Any], expose: Expose
    ) -> NDArray[np.float64]:
        """The mean light of the window, for a camera to sense; see `dbgan.blur.model.LightBlur`."""
        filled = self._filled(frames)
        total = expose(filled[0])
        for frame in filled[1:]:
            total = total + expose(frame)
        return total / len(filled)

    def _filled(self, frames: Sequence[NDArray[np.uint8]]) -> Sequence[NDArray[np.uint8]]:
        if len(frames) != self.frames:
            raise ValueError(f"this average is over {self.frames} frames, found {len(frames)}")
        return fill(frames, self.interpolate, self.interpolator) if self.interpolate > 1 else frames


def average_of(parameters: dict[str, Any], interpolator: Interpolator | None = None) -> AverageBlur:
    """The blur that made a record.

    Args:
        parameters: of the record.
        interpolator: needed where the record names another than the one built in.

    Raises:
        ValueError: the record names an interpolator that is neither given nor built in.
    """
    used = interpolator or FlowInterpolator()
    named = (parameters.get("interpolator", used.name), parameters.get("interpolator_settings", used.describe()))
    if named != (used.name, used.describe()):
        raise ValueError(f"the record was made with interpolator {named[0]!r} {named[1]}, found {used.name!r}")
    return AverageBlur(
        frames=int(parameters["frames"]),
        centre=int(parameters["before"]),
        response=parameters["response"],
        interpolate=int(parameters["interpolate"]),
        interpolator=used,
    )
