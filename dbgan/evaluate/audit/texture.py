"""What blur does to a crop's gradients and spectrum: kurtosis, direction of smear, radial power."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

BANDS = 8
LOWEST, HIGHEST = 1 / 32, 0.4
"""Cycles per px. Lower is content, higher is left to noise and demosaicing."""

FLOOR = 1e-9
"""Power of a picture in [0, 1] that counts as nothing: a tenth of that of rounding to 8 bits."""


def log_kurtosis(y: NDArray[np.float32], smooth: float = 1.0) -> float | None:
    """log10 of the kurtosis of a crop's derivatives along x and y, together; None for a flat crop.

    Derivatives of sharp photographs are mostly near zero and rarely large: kurtosis 10 and more, that of a Gaussian
    is 3 (Field, "Relations between the statistics of natural images and the response properties of cortical cells",
    1987; the prior of Fergus et al., "Removing camera shake from a single photograph", 2006). Blur and noise lower it.
    The Gaussian of `smooth` px keeps noise from deciding. Free of contrast.
    """
    dx, dy = _gradients(y, smooth)
    values = np.concatenate([(dx - dx.mean()).ravel(), (dy - dy.mean()).ravel()]).astype(np.float64)
    variance = float(np.mean(values**2))
    if variance < FLOOR:
        return None
    return float(np.log10(np.mean(values**4) / variance**2))


def smear_deg(y: NDArray[np.float32], smooth: float = 1.0) -> float | None:
    """Direction of least gradient energy, degrees from 0 (along x) over 90 (down) to below 180; None for a flat crop.

    Motion takes gradients along it away. The minor axis of the structure tensor (Bigun and Granlund, "Optimal
    orientation detection of linear symmetry", 1987). A single crop's direction is that of its content as much as of its
    blur; over many crops of many scenes the content's evens out as far as it does in the real captures.
    """
    dx, dy = _gradients(y, smooth)
    xx, yy, xy = (float(np.mean(a * b, dtype=np.float64)) for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    if xx + yy < FLOOR:
        return None
    steepest = 0.5 * np.degrees(np.arctan2(2 * xy, xx - yy))
    return float((steepest + 90) % 180)


def spectrum_db(y: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Mean power in rings of frequency against that of the lowest ring, dB, (BANDS - 1,); None for a flat crop.

    Rings lie between `edges()`, spaced by equal ratios; a Hann window keeps the borders out. Free of contrast.
    """
    window = np.hanning(y.shape[0] + 2)[1:-1, None] * np.hanning(y.shape[1] + 2)[None, 1:-1]
    spectrum = np.fft.rfft2((y - y.mean(dtype=np.float64)) * window)
    power = (spectrum.real**2 + spectrum.imag**2).ravel() / y.size
    rings = _rings(*y.shape)
    means = np.bincount(rings, power, BANDS + 1)[:BANDS] / np.maximum(
        np.bincount(rings, minlength=BANDS + 1)[:BANDS], 1
    )
    if means[0] < FLOOR:
        return None
    levels = 10 * np.log10(np.maximum(means, FLOOR))
    return np.asarray(levels[1:] - levels[0])


def edges() -> NDArray[np.float64]:
    """Limits of the rings, (BANDS + 1,) cycles per px."""
    return np.asarray(np.geomspace(LOWEST, HIGHEST, BANDS + 1))


def centres() -> NDArray[np.float64]:
    """Geometric middle of each ring but the lowest, (BANDS - 1,) cycles per px."""
    limits = edges()
    return np.asarray(np.sqrt(limits[1:-1] * limits[2:]))


@functools.cache
def _rings(height: int, width: int) -> NDArray[np.int64]:
    """Ring of each place of rfft2, flat; BANDS for what lies outside."""
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]).ravel()
    ring = np.searchsorted(edges(), radius, side="right") - 1
    return np.where((ring < 0) | (ring >= BANDS), BANDS, ring)


def _gradients(y: NDArray[np.float32], smooth: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    smoothed = cv2.GaussianBlur(y, (0, 0), smooth)
    dx, dy = (cv2.Sobel(smoothed, cv2.CV_32F, x, 1 - x, ksize=3) / 8 for x in (1, 0))
    return np.asarray(dx), np.asarray(dy)
