"""A hash of what a picture looks like: near-identical pictures have hashes that differ in few bits."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

BITS = 256
_SIDE = 32
_ONES = np.array([value.bit_count() for value in range(256)], np.uint8)


def perceptual_hash(luma: NDArray[np.uint8]) -> bytes:
    """32 bytes: which of the 256 lowest spatial frequencies of HW uint8 luma are over their median.

    The DCT hash of Zauner, "Implementation and benchmarking of perceptual image hash functions" (2010), with 256 bits
    for its 64: the luma's means over 32x32 boxes, their DCT-II, the 256 coefficients with the smallest sum of
    frequencies but the first. Boxes, cosines and coefficients are integers: the bits are the same on every CPU. The
    picture's shape does not count: 4:3 and 16:9 are both seen as squares.
    """
    sums = cv2.integral(luma, sdepth=cv2.CV_64F)
    bounds = [[length * index // _SIDE for index in range(_SIDE + 1)] for length in luma.shape]
    corners = sums[np.ix_(*bounds)]
    totals = np.diff(np.diff(corners, axis=0), axis=1).astype(np.int64)
    areas = np.diff(bounds[0])[:, None] * np.diff(bounds[1])
    boxes = 256 * totals // np.maximum(areas, 1)
    matrix, low = _cosines()
    coefficients = (matrix @ boxes @ matrix.T).ravel()[low]
    return np.packbits(coefficients > np.sort(coefficients)[BITS // 2 - 1]).tobytes()


def distances(hashes: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Bits in which hashes, (N, 32) uint8, differ from others, (M, 32): (N, M), 0 to 256. Memory: 32 N M bytes."""
    return np.asarray(_ONES[hashes[:, None] ^ other[None]].sum(axis=2, dtype=np.int64))


@functools.cache
def _cosines() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The DCT-II matrix times 1024 in whole numbers, and the flat places of the lowest frequencies."""
    frequency, place = np.arange(_SIDE)[:, None], np.arange(_SIDE)
    matrix = np.rint(1024 * np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE))).astype(np.int64)
    order = sorted((u + v, u, u * _SIDE + v) for u in range(_SIDE) for v in range(_SIDE))
    return matrix, np.array([flat for _, _, flat in order[1 : BITS + 1]])
