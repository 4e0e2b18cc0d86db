"""The standard deviation of noise, from the part of a picture that no smooth surface explains."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_BLOCK = 16
_QUIET = 10
"""One in so many blocks, the quietest, counts as free of texture."""


def noise_sigma(response: NDArray[np.int16] | None) -> float:
    """Immerkaer's sigma of the picture of a `response`, in [0, 1]: texture counts as noise.

    sqrt(pi/2) / (6 (W-2) (H-2)) times the sum of |image * mask|, over the inner pixels ("Fast noise variance
    estimation", 1996). Integers, exact on every CPU.
    """
    if response is None:
        return 0.0
    absolute = round(cv2.norm(response, cv2.NORM_L1))
    return math.sqrt(math.pi / 2) * absolute / (6 * int(response.size)) / 255


def noise_floor(response: NDArray[np.int16] | None) -> float:
    """The same sigma in grey levels (0 to 255), of the quietest tenth of 16x16 blocks: texture counts little.

    0.0 for a picture without a whole block. Sums of integers, exact on every CPU.
    """
    if response is None or min(response.shape) < _BLOCK:
        return 0.0
    rows, columns = (side // _BLOCK for side in response.shape)
    absolute = np.abs(response[: rows * _BLOCK, : columns * _BLOCK]).astype(np.float32)
    # the mean of 256 integers: INTER_AREA divides their exact sum by a power of two
    means = np.sort(cv2.resize(absolute, (columns, rows), interpolation=cv2.INTER_AREA), axis=None)
    return math.sqrt(math.pi / 2) * float(means[means.size // _QUIET]) / 6


def response(luma: NDArray[np.uint8]) -> NDArray[np.int16] | None:
    """HW uint8 luma behind Immerkaer's mask, of the inner pixels; None for a picture without such."""
    if min(luma.shape) < 3:
        return None
    return np.asarray(cv2.filter2D(luma, cv2.CV_16S, _KERNEL)[1:-1, 1:-1], dtype=np.int16)
