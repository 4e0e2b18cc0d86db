"""A hash of what a picture looks like: near-identical pictures have hashes that differ in few bits."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

BITS = 256
_SIDE = 32
_FEW, _MANY = 16, 8192
"""Hashes of a block of `nearest`: 1 MB of words, which stay in a core's cache."""
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


def telling(hashes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which hashes, (N, 32) uint8, tell pictures apart: (N,).

    Half of the bits of a hash are ones, by the median, unless coefficients are equal: those of a plane, a gradient or a
    vignette without noise, all of which have nearly the same hash. Sensor noise alone makes a hash tell.
    """
    return np.asarray(_ONES[hashes].sum(axis=1, dtype=np.int64) >= BITS // 2 - 16)


def nearest(
    hashes: NDArray[np.uint8], others: NDArray[np.uint8], max_bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each of the hashes, (N, 32) uint8, the nearest of others, (M, 32), within `max_bits`.

    Every pair is compared, in blocks of 1 MB: first on half of the bits, which is enough for almost all.

    Returns:
        place among the others, the first of equally near ones, -1 where none is that near; and in how many bits it
        differs (`max_bits` + 1 where none): both (N,).
    """
    ours, theirs = _words(hashes), _words(others)
    places = np.full(len(hashes), -1, np.int64)
    bits = np.full(len(hashes), max_bits + 1, np.int64)
    room = _Room()
    for start in range(0, len(others), _MANY):
        many = theirs[:, start : start + _MANY]
        for top in range(0, len(hashes), _FEW):
            few = ours[:, top : top + _FEW]
            near = room.near(few, many, max_bits)
            if not near.any():
                continue
            rows, columns = np.nonzero(near)
            total = np.bitwise_count(few[:, rows] ^ many[:, columns]).sum(axis=0, dtype=np.int64)
            closer = total < bits[top + rows]
            rows, columns, total = rows[closer] + top, columns[closer] + start, total[closer]
            # Of several for one hash the last assigned stays: the nearest, and of those the first.
            order = np.lexsort((columns, total))[::-1]
            places[rows[order]], bits[rows[order]] = columns[order], total[order]
    return places, bits


class _Room:
    """Arrays for one block: fresh ones would cost as much as the comparison."""

    def __init__(self) -> None:
        self._words = np.empty((_FEW, _MANY), np.uint64)
        self._half, self._more = np.empty((_FEW, _MANY), np.uint8), np.empty((_FEW, _MANY), np.uint8)
        self._near = np.empty((_FEW, _MANY), np.bool_)

    def near(self, few: NDArray[np.uint64], many: NDArray[np.uint64], max_bits: int) -> NDArray[np.bool_]:
        """Which of (4, n) words and (4, m) words differ in at most `max_bits` of their last 128 bits: (n, m).

        The last words hold the higher frequencies, in which scenes differ more.
        """
        block = slice(few.shape[1]), slice(many.shape[1])
        words, half, more = self._words[block], self._half[block], self._more[block]
        np.bitwise_count(np.bitwise_xor(few[3][:, None], many[3], out=words), out=half)
        np.bitwise_count(np.bitwise_xor(few[2][:, None], many[2], out=words), out=more)
        return np.less_equal(np.add(half, more, out=half), max_bits, out=self._near[block])


def _words(hashes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """(N, 32) uint8 as (4, N) words of 64 bits."""
    return np.ascontiguousarray(np.ascontiguousarray(hashes).view(np.uint64).T)


@functools.cache
def _cosines() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The DCT-II matrix times 1024 in whole numbers, and the flat places of the lowest frequencies."""
    frequency, place = np.arange(_SIDE)[:, None], np.arange(_SIDE)
    matrix = np.rint(1024 * np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE))).astype(np.int64)
    order = sorted((u + v, u, u * _SIDE + v) for u in range(_SIDE) for v in range(_SIDE))
    return matrix, np.array([flat for _, _, flat in order[1 : BITS + 1]])
