"""Brightness, contrast and clipping, from the histogram of 8-bit luma: integers, exact on every CPU."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

CLIPPED_LOW, CLIPPED_HIGH = 2, 253
_BAND_PIXELS = 1 << 24
"""OpenCV counts in float32, which is exact up to here."""


def exposure(luma: NDArray[np.uint8]) -> dict[str, float]:
    """Measures of HW uint8 luma.

    Returns:
        brightness, contrast: mean and standard deviation of luma in [0, 1].
        clipped_low, clipped_high: share of pixels with luma <= 2/255, >= 253/255.
    """
    count = luma.size
    histogram = np.zeros(256, np.int64)
    rows = max(1, _BAND_PIXELS // luma.shape[1])
    for top in range(0, len(luma), rows):
        counted = cv2.calcHist([luma[top : top + rows]], [0], None, [256], [0, 256])
        histogram += counted.ravel().astype(np.int64)
    levels = np.arange(256)
    total, squares = int(histogram @ levels), int(histogram @ levels**2)
    return {
        "brightness": total / count / 255,
        "contrast": math.sqrt(max(0, count * squares - total * total)) / count / 255,
        "clipped_low": int(histogram[: CLIPPED_LOW + 1].sum()) / count,
        "clipped_high": int(histogram[CLIPPED_HIGH:].sum()) / count,
    }
