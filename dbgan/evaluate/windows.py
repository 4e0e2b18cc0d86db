"""SSIM of one picture on a CPU: by OpenCV, whose filter takes less than half the time of any way that torch offers, in
bands that stay in the cache, on as many threads as there are. Sums are added up in one order whatever their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Planes = NDArray[np.generic]
"""(C, H, W): uint8, or float in [0, 1]."""

BAND = 96
"""Rows of a channel that are worked on at a time: the maps of them stay in a core's cache."""


@dataclass(frozen=True, slots=True)
class Window:
    """What SSIM is taken over.

    Attributes:
        weights: along rows and along columns, summing to 1; an odd number.
        mixing: [i][j], weight of channel j in the mean of channel i, where the window goes over channels, too.
        constants: Wang's C1 and C2 for values in [0, 1].
    """

    weights: tuple[float, ...]
    constants: tuple[float, float]
    mixing: tuple[tuple[float, ...], ...] = ()

    @property
    def reach(self) -> int:
        """Px from its middle to its ends."""
        return len(self.weights) // 2


def total(x: Planes, y: Planes, window: Window, dtype: type[np.floating], threads: int) -> float:
    """Sum of SSIM over all places of all channels where the window fits.

    Args:
        x: (C, H, W), at least as high and wide as the window.
        y: of the same shape.
        window: over what.
        dtype: float32 or float64, of the windows' sums.
        threads: at most so many.
    """
    parts = list(_parts(x.shape[0], x.shape[1] - 2 * window.reach, window))
    workers = max(1, min(threads, len(parts)))

    def work(first: int) -> list[float]:
        scratch = _Scratch.of(parts, x.shape[2], dtype)
        return [_sum(x[part], y[part], window, scratch) for part in parts[first::workers]]

    if workers == 1:
        return sum(work(0))
    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(work, range(workers)))
    return sum(found[i % workers][i // workers] for i in range(len(parts)))


Map = NDArray[np.floating]

Part = tuple[slice, slice]
"""Channels and input rows."""


def _parts(channels: int, height: int, window: Window) -> Iterator[Part]:
    """Bands that together give `height` output rows of every channel."""
    together = channels if window.mixing else 1
    step = max(1, BAND // together)
    for first in range(0, channels, together):
        for top in range(0, height, step):
            yield slice(first, first + together), slice(top, min(top + step, height) + 2 * window.reach)


@dataclass(frozen=True, slots=True)
class _Scratch:
    """Memory of one thread: u, v and their squares by channel; their windowed means in one channel; one map more."""

    maps: Map
    means: Map
    mixed: Map

    @classmethod
    def of(cls, parts: Sequence[Part], width: int, dtype: type[np.floating]) -> _Scratch:
        channels, rows = parts[0][0].stop - parts[0][0].start, max(rows.stop - rows.start for _, rows in parts)
        shape = (rows, width)
        return cls(np.empty((4, channels, *shape), dtype), np.empty((4, *shape), dtype), np.empty(shape, dtype))

    def rows(self, count: int) -> _Scratch:
        """The first `count` rows of all."""
        return _Scratch(self.maps[:, :, :count], self.means[:, :count], self.mixed[:count])


def _sum(x: Planes, y: Planes, window: Window, scratch: _Scratch) -> float:
    """Sum of SSIM over one band.

    Written in u = x + y and v = x - y, whose windowed means and variances give all of Wang's terms:
    mx my = (mu^2 - mv^2) / 4, mx^2 + my^2 = (mu^2 + mv^2) / 2, and so for covariance and variances. These are squares
    alone; and v, which is small where pictures are alike, loses no digits there. Variances do not change when u is
    counted from a level near its mean, and so lose none in flat bright places. 8-bit values stay whole numbers, which
    floats hold exactly, until the window.
    """
    scratch = scratch.rows(x.shape[1])
    whole = x.dtype == np.uint8
    peak = 255.0 if whole else 1.0
    level = cv2.mean(x[0])[0] + cv2.mean(y[0])[0]
    level = round(level) if whole else level
    depth = cv2.CV_64F if scratch.mixed.dtype == np.float64 else cv2.CV_32F
    for channel in range(x.shape[0]):
        u, v, square_u, square_v = scratch.maps[:, channel]
        cv2.addWeighted(x[channel], 1.0, y[channel], 1.0, -level, dst=u, dtype=depth)
        cv2.subtract(x[channel], y[channel], dst=v, dtype=depth)
        cv2.multiply(u, u, dst=square_u)
        cv2.multiply(v, v, dst=square_v)
    c1, c2 = (2.0 * peak**2 * constant for constant in window.constants)
    weights, inner = np.array(window.weights), slice(window.reach, -window.reach)
    result = 0.0
    for channel in range(x.shape[0]):
        for i in range(4):
            source = scratch.maps[i, channel]
            if window.mixing:
                source = _mixed(scratch.maps[i], window.mixing[channel], scratch.mixed)
            cv2.sepFilter2D(source, -1, weights, weights, dst=scratch.means[i])
        ratio = _ratio(scratch.means[:, inner], scratch.mixed[inner], level, c1, c2)
        result += float(cv2.sumElems(ratio[:, inner])[0])
    return result


def _mixed(planes: NDArray[np.floating], shares: Sequence[float], into: NDArray[np.floating]) -> NDArray[np.floating]:
    """Sum of planes, each times its share."""
    cv2.multiply(planes[0], shares[0], dst=into)
    for plane, share in zip(planes[1:], shares[1:], strict=True):
        cv2.scaleAdd(plane, share, into, dst=into)
    return into


def _ratio(means: Map, spare: Map, level: float, c1: float, c2: float) -> Map:
    """SSIM from windowed means of u - level, v and their squares; constants are doubled. All maps are overwritten."""
    u, v, var_u, var_v = means[0], means[1], means[2], means[3]
    np.multiply(u, u, out=spare)
    var_u -= spare
    np.multiply(v, v, out=v)
    var_v -= v
    u += level
    np.multiply(u, u, out=u)
    u += c1
    var_u += c2
    np.subtract(u, v, out=spare)
    u += v
    np.subtract(var_u, var_v, out=v)
    spare *= v
    var_u += var_v
    u *= var_u
    spare /= u
    return spare
