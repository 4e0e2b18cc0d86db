"""Measures of one picture, on 8-bit luma at full resolution, scaled to [0, 1].

All sums run over integers and are exact in float64, so that every CPU yields the same numbers (they are stored in
manifests, whose bytes must not depend on the machine).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

IDENTITY_DB = 35.0
"""Mean PSNR(blurry, sharp), dB, above which a blur is hardly there: the alarm of training, audit and report.

Averaged GOPRO pairs have 24 to 25 dB.
"""

MEASURES: tuple[str, ...] = (
    "laplacian",
    "tenengrad",
    "noise_sigma",
    "brightness",
    "contrast",
    "clipped_low",
    "clipped_high",
)

IDENTICAL_PSNR = 100.0
"""dB stored for identical pictures, and the cap of `pair_psnr`: infinity is no number in JSON and in plots."""

_CLIPPED_LOW, _CLIPPED_HIGH = 2, 253
_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def measure(pixels: NDArray[np.uint8]) -> dict[str, float]:
    """Measures of a picture, HWC uint8 RGB of any size.

    Returns:
        laplacian: variance of the 3x3 Laplacian (4 neighbours) of luma; sharp photographs near 0.007, blurred 0.0017.
        tenengrad: mean squared Sobel gradient (3x3, not normalised).
        noise_sigma: standard deviation of noise after Immerkaer, "Fast noise variance estimation" (1996).
        brightness, contrast: mean and standard deviation of luma.
        clipped_low, clipped_high: share of pixels with luma <= 2/255, >= 253/255.
    """
    luma = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    count = luma.size
    histogram = np.bincount(luma.ravel(), minlength=256)
    levels = np.arange(256)
    total, squares = int(histogram @ levels), int(histogram @ levels**2)
    laplacian = cv2.Laplacian(luma, cv2.CV_16S, ksize=1, borderType=cv2.BORDER_REFLECT_101)
    return {
        "laplacian": _variance(laplacian) / 255**2,
        "tenengrad": sum(_energy(cv2.Sobel(luma, cv2.CV_16S, x, 1 - x)) for x in (0, 1)) / count / 255**2,
        "noise_sigma": _noise(luma),
        "brightness": total / count / 255,
        "contrast": math.sqrt(max(0, count * squares - total * total)) / count / 255,
        "clipped_low": int(histogram[: _CLIPPED_LOW + 1].sum()) / count,
        "clipped_high": int(histogram[_CLIPPED_HIGH:].sum()) / count,
    }


def pair_psnr(blur: NDArray[np.uint8], sharp: NDArray[np.uint8]) -> float:
    """PSNR between two HWC uint8 pictures of one size, dB, at most `IDENTICAL_PSNR`."""
    if blur.shape != sharp.shape:
        raise ValueError(f"pair_psnr: sizes differ: {blur.shape} and {sharp.shape}")
    squared = float(cv2.norm(blur, sharp, cv2.NORM_L2SQR))
    if squared == 0.0:
        return IDENTICAL_PSNR
    return min(IDENTICAL_PSNR, 10 * math.log10(255**2 * blur.size / squared))


def _energy(values: NDArray[np.int16]) -> float:
    return float(cv2.norm(values, cv2.NORM_L2SQR))


def _variance(values: NDArray[np.int16]) -> float:
    mean = float(cv2.sumElems(values)[0]) / values.size
    return max(0.0, _energy(values) / values.size - mean * mean)


def _noise(luma: NDArray[np.uint8]) -> float:
    """Immerkaer's sigma: sqrt(pi/2) / (6 (W-2) (H-2)) times the sum of |image * mask|, over the inner pixels."""
    height, width = luma.shape
    if height < 3 or width < 3:
        return 0.0
    response = cv2.filter2D(luma, cv2.CV_16S, _NOISE_KERNEL)[1:-1, 1:-1]
    absolute = float(cv2.norm(response, cv2.NORM_L1))
    return math.sqrt(math.pi / 2) * absolute / (6 * int(response.size)) / 255
