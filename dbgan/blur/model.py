"""The interface of every blur: a sharp image, or a window of frames, and seeded parameters in; a blurry image and what
was done out.

Whoever runs blurs asks `window_of(blur)` which neighbours of a sharp frame are needed, and calls `run(blur, frames)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from dbgan.corpus.motion import Motion

Expose = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
"""A stored picture (HWC uint8 RGB) to its light (HWC float64, 1 is the full well, highlights may be above)."""


@dataclass(frozen=True, slots=True)
class Record:
    """What made one blurry image; it goes into the manifest.

    Attributes:
        method: the blur's name, such as "kernel" or "bgan".
        noise: BGAN's z; empty for blurs that have none.
        parameters: JSON-able, sufficient to make the image again from its sharp one.
        motion: of every part of the picture, where the blur was asked to tell; a field of the pair, not of its row.
    """

    method: str
    noise: tuple[float, ...]
    parameters: dict[str, Any]
    motion: Motion | None = field(default=None, compare=False)


class Blur(Protocol):
    """Anything that maps a sharp image to a blurry one. Picklable; weights are loaded by the builder, not here."""

    @property
    def name(self) -> str:
        """As in `Record.method`."""

    @property
    def revision(self) -> int:
        """Raised by hand when the bytes that the same settings give change; part of the recipe."""

    def describe(self) -> dict[str, Any]:
        """JSON-able settings that determine the output together with (seed, key, variant); part of the recipe."""

    def __call__(
        self, sharp: NDArray[np.uint8], *, seed: int, key: str, variant: int
    ) -> tuple[NDArray[np.uint8], Record]:
        """Blur one image.

        Args:
            sharp: HWC uint8 RGB.
            seed: of the corpus.
            key: `SEQUENCE/FRAME` of the sharp image.
            variant: index of the blurry version, from 0.

        Returns:
            The blurry image, same shape, and its record. Equal arguments give equal bytes.
        """


@runtime_checkable
class WindowBlur(Protocol):
    """A blur that needs the neighbours of its sharp frame: it has these beside `Blur`'s, and refuses a lone picture."""

    @property
    def window(self) -> tuple[int, int]:
        """Frames needed (before, after) the sharp one, consecutive; (0, 0) where it alone is enough."""

    @property
    def stride(self) -> int:
        """Frames from one sharp frame to the next that gets a pair."""

    def of_frames(
        self, frames: Sequence[NDArray[np.uint8]], *, seed: int, key: str, variant: int
    ) -> tuple[NDArray[np.uint8], Record]:
        """As `Blur.__call__`, of `before + 1 + after` frames in order of time; `key` is that of the sharp one."""


@runtime_checkable
class LightBlur(Protocol):
    """A blur that can work on light: a camera after it gets light to sense, and highlights that were above white."""

    def draw(self, *, seed: int, key: str, variant: int) -> dict[str, Any]:
        """JSON-able parameters of one image."""

    def light(
        self, frames: Sequence[NDArray[np.uint8]], parameters: dict[str, Any], expose: Expose
    ) -> NDArray[np.float32] | NDArray[np.float64]:
        """Blurred light, HWC float32 or float64, without noise of its own.

        Args:
            frames: the sharp picture alone, or the window of a `WindowBlur`.
            parameters: of `draw`, also after a trip through JSON.
            expose: light of a stored picture.
        """


def window_of(blur: Blur) -> tuple[int, int]:
    """Frames that `blur` needs before and after the sharp one: (0, 0) for all that blur a lone picture."""
    return blur.window if isinstance(blur, WindowBlur) else (0, 0)


def stride_of(blur: Blur) -> int:
    """Frames from one sharp frame to the next that gets a pair: 1 for all that blur a lone picture."""
    return blur.stride if isinstance(blur, WindowBlur) else 1


def run(
    blur: Blur, frames: Sequence[NDArray[np.uint8]], *, seed: int, key: str, variant: int
) -> tuple[NDArray[np.uint8], Record]:
    """Blur the window that `window_of` asks for: the one call that serves every blur.

    Args:
        blur: any.
        frames: `before + 1 + after` pictures of one size, HWC uint8 RGB, in order of time.
        seed, key, variant: as `Blur.__call__`; `key` is that of the sharp frame, `frames[before]`.

    Raises:
        ValueError: another number of frames.
    """
    before, after = window_of(blur)
    if len(frames) != before + 1 + after:
        raise ValueError(f"blur {blur.name!r} takes {before} + 1 + {after} frames, found {len(frames)}")
    if isinstance(blur, WindowBlur) and (before or after):
        return blur.of_frames(frames, seed=seed, key=key, variant=variant)
    return blur(frames[0], seed=seed, key=key, variant=variant)
