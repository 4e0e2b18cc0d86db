"""Length and direction of straight motion, from the cepstrum.

Uniform motion over L px multiplies the spectrum by a sinc whose zeros repeat every 1/L: the logarithm of the power
spectrum has a ripple, and its inverse transform, the cepstrum, a negative peak L px from the centre along the motion
(Rom, "On the cepstrum of two-dimensional functions", 1975; Cannon, "Blind deconvolution of spatially invariant image
blurs with phase", 1976). The mean over tiles keeps what they have in common, which is blur and not content.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

TILE = 256
GRID = (2, 3)
"""Tiles down and across, at most: spread over the picture, overlapping where it is small."""
SHORTEST, LONGEST = 6, 60
"""px. Shorter motion is hidden by the sharp shapes of the content themselves."""
MIN_SCORE = 10.0
"""Real sharp frames reach 8.7; straight motion of 7 px and more has 15 (with noise of 3 levels) to 70."""
FLOOR = 0.05
"""Added to the power, in squared grey levels per pixel, so that the logarithm does not dwell on rounding."""


class Motion(NamedTuple):
    """Length in px, direction in degrees (0: along x, 90: along y, below 180), depth of the peak."""

    length_px: float | None
    direction_deg: float | None
    score: float


NONE = Motion(None, None, 0.0)


def motion(luma: NDArray[np.uint8]) -> Motion:
    """Straight motion common to all of HW uint8 luma, from 6 to 60 px.

    Length and direction are None where the peak is no deeper than `MIN_SCORE`: sharp pictures, curved shakes,
    defocus, and pictures with a side under 256 px. The score is the peak's depth below the median of its ring, less
    that of the same lag at right angles (round blur has both), in robust standard deviations of all rings.

    Fourier transforms differ in their last bits between CPUs. The peak is therefore a whole lag, whose length and
    direction are rounded to 0.01, and the score to 0.1: another value comes only where two minima are equal to about
    13 digits, or a score lies so close to a step.
    """
    if min(luma.shape) < TILE:
        return NONE
    cepstrum = _cepstrum(luma)
    rings = _rings()
    lowest = cv2.erode(cepstrum, np.ones((5, 5), np.uint8))
    flat = cepstrum.ravel()
    depth = np.zeros_like(flat)
    depth[rings.all] = rings.medians(flat) - flat[rings.all]
    spread = 1.4826 * float(np.median(np.abs(depth[rings.all])))
    if spread < 1e-9:
        return NONE
    at_peaks = np.where(rings.allowed & (flat == lowest.ravel()), depth, 0.0)
    peak = int(np.argmax(at_peaks))
    y, x = int(rings.y[peak]), int(rings.x[peak])
    across = depth[rings.at(x, -y)]  # the same lag at right angles: as deep where blur is round, which is defocus
    score = round(max(0.0, float(at_peaks[peak] - max(0.0, across))) / spread, 1)
    if score < MIN_SCORE:
        return Motion(None, None, score)
    return Motion(round(math.hypot(y, x), 2), round(math.degrees(math.atan2(y, x)) % 180, 2), score)


def _cepstrum(luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The lower half of the smoothed mean cepstrum, with `_Rings`' margins: rows -2.., columns -LONGEST-2..+2."""
    window = _window()
    total = np.zeros((TILE, TILE // 2 + 1))
    tiles = _tiles(luma)
    centred = np.empty((TILE, TILE))
    for tile in tiles:
        np.subtract(tile, cv2.mean(tile)[0], out=centred)  # TILE is a power of two: the mean is exact
        spectrum = np.fft.rfft2(np.multiply(centred, window, out=centred))
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        power += FLOOR * TILE**2
        total += np.log(power, out=power)
    cepstrum = np.fft.fftshift(np.fft.irfft2(total / len(tiles), s=(TILE, TILE)))
    smooth = cv2.GaussianBlur(cepstrum, (0, 0), 1.0)
    middle, reach = TILE // 2, LONGEST + 3
    return np.ascontiguousarray(smooth[middle - 2 : middle + reach, middle - reach + 1 : middle + reach])


@functools.cache
def _window() -> NDArray[np.float64]:
    window = np.hanning(TILE + 1)[:TILE]
    return window[:, None] * window


def _tiles(luma: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    places = []
    for length, most in zip(luma.shape, GRID, strict=True):
        count = min(most, max(1, -(-length // TILE)))
        # whole numbers, so that no rounding of a CPU moves a tile; a single one lies in the middle
        room = length - TILE
        places.append([room // 2] if count == 1 else [room * index // (count - 1) for index in range(count)])
    return [luma[top : top + TILE, left : left + TILE] for top in places[0] for left in places[1]]


class _Rings(NamedTuple):
    y: NDArray[np.int64]
    x: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    all: NDArray[np.int64]
    counts: NDArray[np.int64]

    def medians(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of `values` in a place's ring the median, for every place of `all`."""
        table = np.full((self.counts.size, self.counts.max()), np.inf)
        table[np.arange(table.shape[1]) < self.counts[:, None]] = values[self.all]
        table.sort(axis=1)
        ring = np.arange(self.counts.size)
        middle = (table[ring, (self.counts - 1) // 2] + table[ring, self.counts // 2]) / 2
        return np.repeat(middle, self.counts)

    def at(self, y: int, x: int) -> int:
        """The flat place of a lag or, in the other half plane, of its opposite: a cepstrum is symmetric."""
        if y < 0 or (y == 0 and x < 0):
            y, x = -y, -x
        return (y + 2) * (2 * LONGEST + 5) + x + LONGEST + 2


@functools.cache
def _rings() -> _Rings:
    """Lags of `_cepstrum`'s half plane, flat; places ring by ring of 1 px, and how many each ring has."""
    y, x = (part.ravel() for part in np.mgrid[-2 : LONGEST + 3, -LONGEST - 2 : LONGEST + 3])
    square = y * y + x * x
    half = (y > 0) | ((y == 0) & (x > 0))
    allowed = half & (square >= SHORTEST**2) & (square <= LONGEST**2)
    ring = np.sqrt(square).astype(np.int64)
    lags = [np.flatnonzero(half & (ring == radius)) for radius in range(SHORTEST - 1, LONGEST + 1)]
    return _Rings(y, x, allowed, np.concatenate(lags), np.array([len(places) for places in lags]))
