"""Whether consecutive frames belong together: cuts between them, and windows in which nothing moves."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Grey = NDArray[np.float32]

_SIDE = 64
"""Longer side of the pictures that cuts are looked for in, px."""
_BINS = 6
"""Bins per channel of their colour histograms."""
CUT = 0.25
"""Share of the pixels whose colour bin changes at a cut. Within a shot motion moves colours and keeps them: neighbours
of real clips and of REDS (24 frames/s, strong motion) differ by at most 0.11, first frames of two clips by 0.38 or
more."""
CUT_STEP = 8.0
"""Mean difference (of 255) without which there is no cut: flat pictures at the edge of a bin change it for nothing."""

_REDUCTION = 4
"""Averages of so many by so many pixels are compared for motion: sensor noise falls to a quarter."""
_BLOCK = 8
"""Side of a block of such averages: 32 px of the frame."""
STILL = 1.5
"""A block whose mean difference (of 255) is no more than this does not move."""


def find_cut(frames: Sequence[Frame]) -> int | None:
    """Index of the first frame after a cut, None without one. A frame of another size begins a new shot.

    Args:
        frames: at least two, HWC uint8 RGB, in order of time.
    """
    small = [_small(frame) for frame in frames]
    histograms = [_histogram(picture) for picture in small]
    for index in range(1, len(frames)):
        if frames[index].shape != frames[index - 1].shape:
            return index
        changed = 0.5 * float(np.abs(histograms[index] - histograms[index - 1]).sum())
        if changed >= CUT:
            step = np.abs(small[index].astype(np.float32) - small[index - 1]).mean()
            if step >= CUT_STEP:
                return index
    return None


def is_static(frames: Sequence[Frame]) -> bool:
    """Whether no block of 32 px of the frames moves over the window: averaging them makes no blur.

    Args:
        frames: at least two of one size, HWC uint8 RGB, in order of time; the first, middle and last are compared.
    """
    first, middle, last = (_reduced(frames[i]) for i in (0, len(frames) // 2, len(frames) - 1))
    return max(_most(first, middle), _most(middle, last), _most(first, last)) <= STILL


def _small(frame: Frame) -> Frame:
    height, width = frame.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)


def _histogram(picture: Frame) -> NDArray[np.float64]:
    """Share of the pixels in each of `_BINS` ^ 3 colours."""
    bins = picture.reshape(-1, 3).astype(np.int64) * _BINS // 256
    counted = np.bincount(bins @ np.array([_BINS * _BINS, _BINS, 1]), minlength=_BINS**3)
    return np.asarray(counted / counted.sum(), np.float64)


def _reduced(frame: Frame) -> Grey:
    height, width = frame.shape[:2]
    size = max(1, width // _REDUCTION), max(1, height // _REDUCTION)
    return np.asarray(cv2.resize(_grey(frame), size, interpolation=cv2.INTER_AREA), np.float32)


def _grey(frame: Frame) -> Grey:
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32)


def _most(first: Grey, second: Grey) -> float:
    """The largest mean difference of a block; blocks at the right and lower edge are smaller."""
    difference = np.abs(first - second)
    rows = np.arange(0, difference.shape[0], _BLOCK)
    columns = np.arange(0, difference.shape[1], _BLOCK)
    sums = np.add.reduceat(np.add.reduceat(difference, rows, axis=0), columns, axis=1)
    heights = np.diff(np.append(rows, difference.shape[0]))
    widths = np.diff(np.append(columns, difference.shape[1]))
    return float((sums / np.outer(heights, widths)).max())
