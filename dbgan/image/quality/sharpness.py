"""How sharp a picture is at full resolution. Integers before the last division: exact on every CPU.

Tried and left, because they do not tell real blur from sharp frames or do not follow a known blur (docs/measures.md):
the variance of the Laplacian, plain and over the contrast of the whole picture, the spectral slope, and the power above
a cut-off.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32)
_SCALE = 256
"""Sum of the 5x5 binomial: smoothed luma is kept 256 times too large, in whole numbers."""
_WIDE = np.array([1, 8, 28, 56, 70, 56, 28, 8, 1], np.float32)
_WIDE_SCALE = 1 << 12
"""Luma behind the 9x9 binomial is kept so many times too large, in whole numbers."""
_CURVATURE_GAIN, _SLOPE_GAIN = 60529040 / 2**32, 62573940 / 2**32
"""Power of the Laplacian, and of both central differences, of the 9x9 binomial for white noise of variance 1: the sums
of its squared coefficients."""

BLOCK = 16
"""px. Sharpness is taken block by block, so that a face before a wall is judged by its own edges."""
BLOCK_ROWS = 45
"""Rows of blocks looked at, at most, evenly spread: all of 720p, half of a picture of 3 megapixels."""
BUSY = 4
"""One in so many blocks, those of most contrast, is judged: the others hold little but noise."""
LEAST_SLOPE = 1e-3
"""Gradient power, squared grey levels per px^2, under which a block is flat."""

EDGE_RISE = 0.04
"""Edges that rise by less, of [0, 1], are noise or texture."""
EDGE_SHARE = 0.5
"""Edges are judged whose rise is at least this share of the picture's strongest (its 99th percentile of rises)."""
MIN_EDGES = 10
"""A picture with fewer edges in a direction says nothing about blur in that direction."""
ROWS, COLUMNS = 120, 214
"""About so many rows and columns are looked at, evenly spread: a picture of 12 MP costs little more than 720p."""


def tenengrad(luma: NDArray[np.uint8]) -> float:
    """Mean squared Sobel gradient (3x3, not normalised) of HW luma in [0, 1] (Tenenbaum 1970, Krotkov 1987)."""
    energy = sum((_energy(cv2.Sobel(luma, cv2.CV_16S, x, 1 - x)) for x in (0, 1)), 0.0)
    return energy / luma.size / 255**2


def sharpness(luma: NDArray[np.uint8], floor: float) -> float:
    """Laplacian power over gradient power of the blocks of most contrast, 1/px^2, 0 or more.

    Of each 16x16 block of B * luma, B the 9x9 binomial, (mean(Laplacian^2) - g s^2) / (mean(gx^2 + gy^2) - h s^2): the
    mean squared frequency of its gradient. gx and gy are central differences, s is the noise, g and h the gains of
    white noise. The value is the median over the quarter of blocks whose luma varies most. Blur takes high frequencies
    and with them the ratio; contrast leaves it alone, and blocks without edges are not asked. A block whose gradient is
    noise has 0.0, as has a picture without a block.

    Args:
        luma: HW uint8.
        floor: `noise.noise_floor`, grey levels.
    """
    rows, columns = ((side - 2) // BLOCK for side in luma.shape)
    if min(rows, columns) < 1:
        return 0.0
    tops = np.array([1 + BLOCK * (index * rows // min(rows, BLOCK_ROWS)) for index in range(min(rows, BLOCK_ROWS))])
    row, column = _busiest(luma, tops, columns)
    with_rim = (BLOCK + 2, BLOCK + 2)
    # whole numbers up to 255 * 2^16 < 2^24: exact in float32
    smooth = cv2.sepFilter2D(luma, cv2.CV_32F, _WIDE, _WIDE, borderType=cv2.BORDER_REFLECT_101)
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(smooth), with_rim)[tops[row] - 1, BLOCK * column]
    blocks = np.rint(windows.astype(np.float64) * (_WIDE_SCALE / 2**16))
    up, down, left, right = blocks[:, :-2, 1:-1], blocks[:, 2:, 1:-1], blocks[:, 1:-1, :-2], blocks[:, 1:-1, 2:]
    curvature = _power(up + down + left + right - 4 * blocks[:, 1:-1, 1:-1]) - _CURVATURE_GAIN * floor**2
    slope = (_power(down - up) + _power(right - left)) / 4 - _SLOPE_GAIN * floor**2
    ratio = np.where(slope > LEAST_SLOPE, np.maximum(0.0, curvature) / np.maximum(slope, LEAST_SLOPE), 0.0)
    return float(np.median(ratio))


def _busiest(
    luma: NDArray[np.uint8], tops: NDArray[np.int64], columns: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row (index into `tops`) and column of the blocks of most contrast; of equal contrast all or none."""
    inner = np.concatenate([luma[top : top + BLOCK, 1 : 1 + BLOCK * columns] for top in tops]).astype(np.float32)
    size = (columns, len(tops))
    # means of 256 whole numbers whose sums stay below 2^24: exact in float32
    mean = cv2.resize(inner, size, interpolation=cv2.INTER_AREA).astype(np.float64)
    square = cv2.resize(inner * inner, size, interpolation=cv2.INTER_AREA).astype(np.float64)
    contrast = square - mean**2
    kept = -(-contrast.size // BUSY)
    row, column = np.nonzero(contrast >= np.partition(contrast, -kept, axis=None)[-kept])
    return row.astype(np.int64), column.astype(np.int64)


def edge_extent(smooth: NDArray[np.float32]) -> float | None:
    """Median extent of the strong edges of `smoothed(luma)` in px, along the blurrier axis; None with too few edges.

    Rows and columns, smoothed by the 5x5 binomial, fall into monotone runs. A run's extent is its rise over its
    steepest step: L for an ideal edge averaged over L px of motion, free of contrast (as the edge widths of Marziliano
    et al., "A no-reference perceptual blur metric", 2002, but without a threshold at the edge's feet). The larger
    median of rows and of columns counts, because motion across one axis leaves edges along it sharp. The smoothing
    sets the floor, about 2.7 px.
    """
    height, width = smooth.shape
    rows = np.ascontiguousarray(smooth[:: max(1, height // ROWS)])
    columns = cv2.transpose(np.ascontiguousarray(smooth[:, :: max(1, width // COLUMNS)]))
    extents = [extent for extent in map(_extent, (rows, columns)) if extent is not None]
    return max(extents, default=None)


def _extent(lines: NDArray[np.float32]) -> float | None:
    """Median of rise over steepest step of the strong monotone runs of all lines."""
    width = lines.shape[1] - 1
    if width < 1:
        return None
    steps = np.diff(lines, axis=1)
    signs = np.sign(steps)
    begins = np.ones(steps.shape, dtype=bool)
    begins[:, 1:] = signs[:, 1:] != signs[:, :-1]
    starts, flat = np.flatnonzero(begins), steps.ravel()
    # A run of steps from `start` to before `end` leads from one value to another: whole numbers, so no sum is needed.
    ends = np.append(starts[1:], flat.size)
    values, lasts = lines.ravel(), ends - 1
    rise = np.abs(values[lasts + lasts // width + 1] - values[starts + starts // width])
    strongest = float(np.partition(rise, int(0.99 * (rise.size - 1)))[int(0.99 * (rise.size - 1))])
    strong = rise > max(EDGE_RISE * 255 * _SCALE, EDGE_SHARE * strongest)
    if int(strong.sum()) < MIN_EDGES:
        return None
    bounds = np.column_stack((starts[strong], ends[strong])).ravel()
    steepest = np.maximum.reduceat(np.abs(flat), bounds[bounds < flat.size])[::2]
    return float(np.median(rise[strong].astype(np.float64) / steepest))


def smoothed(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """256 times the luma behind a 5x5 binomial: whole numbers below 2^24, exact in float32."""
    result = cv2.sepFilter2D(luma, cv2.CV_32F, _BINOMIAL, _BINOMIAL, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(result, dtype=np.float32)


def _power(blocks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean square of each block, grey levels, of whole numbers that are `_WIDE_SCALE` times too large."""
    # at most four times 255 * 2^12: the sum of 256 squares stays below 2^53 and is exact in any order
    flat = blocks.reshape(len(blocks), -1)
    return np.asarray(np.square(flat).sum(axis=1) / (BLOCK * _WIDE_SCALE) ** 2)


def _energy(values: NDArray[np.int16] | NDArray[np.float32]) -> float:
    return float(round(cv2.norm(values, cv2.NORM_L2SQR)))  # a whole number, which OpenCV may miss by an ulp
