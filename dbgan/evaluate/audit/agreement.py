"""Whether a blurry picture shows the same thing in the same place as its sharp one: shift and content drift.

A pair whose halves are shifted teaches a network ghosts; one whose colours differ teaches it to paint.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

HIGHEST = 0.06
"""Cycles per px up to which phases are read. Blur of up to about 16 px turns no phase below; longer blur turns those
above its first zero, whose power is small."""
STEPS = 6
CLOSE_PX = 0.005
DRIFT_SIGMA = 1 / 8
"""Sigma of the low-pass of content drift, as a share of a crop's side."""


def shift(
    blur: NDArray[np.float32], sharp: NDArray[np.float32], box: tuple[int, int], side: int
) -> NDArray[np.float64]:
    """(x, y) in px by which the crop at `box` (top, left) of the blurry luma lies off that of the sharp one.

    Phase correlation by its slope: a shift by d turns the phase of the cross spectrum at f by -2 pi f.d, which a
    symmetric blur leaves alone. The slope is fitted by least squares with the spectrum's magnitude as weight, over
    frequencies below `HIGHEST`, as in Stone et al., "A fast direct Fourier-based algorithm for subpixel registration of
    images" (2001). Behind an asymmetric blur this is the centroid of its kernel. The blurry crop is cut
    again where it was found, between pixels, until nothing is left to move: a window that stands still would hold the
    result back. Found up to a quarter of `side`.
    """
    top, left = box
    window = _window(side)
    fixed = np.fft.rfft2(_centred(sharp[top : top + side, left : left + side]) * window)
    x, y, low = _frequencies(side)
    middle = np.array([left, top]) + (side - 1) / 2
    found = np.zeros(2)
    for step in range(STEPS):
        column, row = middle + found
        cut = cv2.getRectSubPix(blur, (side, side), (float(column), float(row)))
        cross = np.fft.rfft2(_centred(cut) * window) * np.conj(fixed)
        if step == 0:
            found = _peak(cross, low, side)
            continue
        kept = cross[low]
        weight = np.abs(kept)
        matrix = 2 * np.pi * np.stack([x, y], axis=1) * weight[:, None]
        slope, *_ = np.linalg.lstsq(matrix, -np.angle(kept) * weight, rcond=None)
        found = np.clip(found + slope, -side / 4, side / 4)
        if float(np.abs(slope).max()) < CLOSE_PX:
            break
    return np.asarray(found, dtype=np.float64)


def drift(blur: NDArray[np.uint8], sharp: NDArray[np.uint8]) -> tuple[float, NDArray[np.float64]]:
    """Content drift of an HWC uint8 RGB crop, 8-bit levels: mean absolute low-pass difference, and mean per channel.

    The low-pass is a Gaussian of an eighth of the crop's side, behind which motion within a crop shows little.
    """
    difference = blur.astype(np.float32) - sharp.astype(np.float32)
    smooth = cv2.GaussianBlur(difference, (0, 0), DRIFT_SIGMA * blur.shape[0], borderType=cv2.BORDER_REFLECT_101)
    return float(np.abs(smooth).mean(dtype=np.float64)), np.asarray(difference.mean(axis=(0, 1), dtype=np.float64))


def _peak(cross: NDArray[np.complex128], low: NDArray[np.bool_], side: int) -> NDArray[np.float64]:
    """Whole px of the highest correlation of the low frequencies, at most a quarter of the side away."""
    correlation = np.fft.fftshift(np.fft.irfft2(np.where(low, cross, 0), s=(side, side)))
    middle, reach = side // 2, side // 4
    part = correlation[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
    row, column = np.unravel_index(int(np.argmax(part)), part.shape)
    return np.array([float(column) - reach, float(row) - reach])


def _centred(values: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(values - values.mean(dtype=np.float64), dtype=np.float64)


@functools.cache
def _window(side: int) -> NDArray[np.float64]:
    profile = np.hanning(side + 2)[1:-1]
    return np.asarray(np.outer(profile, profile))


@functools.cache
def _frequencies(side: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """x and y of the kept places of rfft2, and which they are."""
    x, y = np.meshgrid(np.fft.rfftfreq(side), np.fft.fftfreq(side))
    radius = np.hypot(x, y)
    low = (radius > 0) & (radius <= max(HIGHEST, 2 / side))
    return x[low], y[low], low
