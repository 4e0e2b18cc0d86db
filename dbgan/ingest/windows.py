"""The builder of averaged pairs: a window of sharp frames becomes the blurry picture (Eqs. 2 and 4).

The sharp one is the untouched centre frame: of a PNG its own bytes are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.average import average_frames
from dbgan.blur.motion import find_cut, is_static
from dbgan.blur.response import Response
from dbgan.corpus.layout import Reject, origin_digest
from dbgan.errors import ImageError
from dbgan.image.codec import read, store_pixels
from dbgan.image.metadata import read_allowed
from dbgan.ingest.build import MODULES, IngestBuilder, Item, Taken, wrong_extension

WINDOWS_REVISION = 2
"""Raise by hand when the same frames and parameters give other pairs than before."""

Frame = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Averaged:
    """A window's average, or why there is none. `static`: nothing moves in it."""

    pixels: Frame | None
    reason: str = ""
    detail: str = ""
    static: bool = False

    @property
    def warnings(self) -> tuple[str, ...]:
        """Of `layout.WARNINGS`."""
        return ("static_window",) if self.static else ()


def average(frames: Sequence[Frame], names: Sequence[str], response: Response, *, refuse_cuts: bool) -> Averaged:
    """The average of a window.

    Args:
        frames: HWC uint8 RGB, in order of time. names: of them, for the refusal.
        response: the camera's curve.
        refuse_cuts: give no average across a cut.
    """
    cut = find_cut(frames) if refuse_cuts else None
    if cut is not None:
        return Averaged(None, "scene_cut", f"the window crosses a cut between frames {names[cut - 1]} and {names[cut]}")
    return Averaged(average_frames(frames, response), static=is_static(frames))


@dataclass(frozen=True, slots=True)
class WindowBuilder(IngestBuilder):
    """Pairs from windows of files. See `IngestBuilder`.

    Attributes:
        response: the curve of Eq. 4.
        refuse_cuts: whether windows across a cut are refused. A published set's pairs are made as they are.
    """

    response: Response = "srgb"
    refuse_cuts: bool = True

    @property
    def modules(self) -> tuple[str, ...]:
        """The code that decides a shard's bytes."""
        own = ("dbgan.ingest.windows", "dbgan.blur.average", "dbgan.blur.response", "dbgan.blur.motion")
        return (*MODULES, *own)

    def _take(self, item: Item, supplied: Any) -> Taken | Reject:
        ((which, path),) = item.paths
        data = self._read(path, item.states[0])
        try:
            sharp = self._store(data)
            frames, profile = self._frames(item)
        except ImageError as error:
            return Reject(origin_digest(path), error.reason, error.detail, item.sequence)
        names = [PurePosixPath(name).stem for name, _ in item.window]
        made = average(frames, names, self.response, refuse_cuts=self.refuse_cuts)
        if made.pixels is None:
            return Reject(origin_digest(path), made.reason, made.detail, item.sequence)
        stored = {"blur": store_pixels(made.pixels, self.ext, profile=profile, warnings=made.warnings), which: sharp}
        warnings = tuple(f"{which}:{text}" for text in wrong_extension(path, data))
        return Taken(stored, {which: data}, read_allowed(data), warnings)

    def _frames(self, item: Item) -> tuple[list[Frame], bytes]:
        """The window's frames and the colour profile of its first; frames of another profile cannot be averaged."""
        frames: list[Frame] = []
        profiles: set[bytes] = set()
        for path, state in item.window:
            name = PurePosixPath(path).stem
            try:
                pixels, profile, _ = read(
                    self._read(path, state), max_pixels=self.max_pixels, min_side=self.min_side, icc=self.icc
                )
            except ImageError as error:
                raise ImageError(error.reason, f"frame {name} of the window: {error.detail}") from None
            frames.append(pixels)
            profiles.add(profile)
            if len(profiles) > 1:
                raise ImageError("unsupported_mode", f"frame {name} of the window has another colour profile")
        return frames, profiles.pop()
