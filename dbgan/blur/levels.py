"""Stored pictures to light and back, fast: for blurs that make pictures by the hundred thousand (`KernelBlur`)."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.blur.noise import LEVELS, GaussianRows, look_up
from dbgan.blur.response import Response, check_image, check_response, from_linear, linear_table

ROOTS = LEVELS
"""Steps of the square root of light in `stored_levels`."""
BAND = 16
"""Rows that are stored at a time, so that they stay in the CPU's cache; no byte depends on it."""


def full_of(response: Response) -> float:
    """The full well in the unit in which `light_of` tells light: the one that `stored_levels` need not convert.

    Where a curve is undone it is the square of what `stored_levels` looks stored values up by; else they are the light.
    """
    check_response(response)
    return float((ROOTS - 1) ** 2) if _curved(response) else 255.0


def light_of(image: NDArray[np.uint8], response: Response = "srgb") -> NDArray[np.float32] | NDArray[np.uint8]:
    """Light behind a stored picture, for those who make pictures by the hundred thousand.

    Returns:
        HWC float32 in [0, `full_of(response)`]; where no curve is undone, the picture itself.
    """
    check_image(image)
    if not _curved(response):
        check_response(response)
        return image
    return np.asarray(cv2.LUT(image, _light_table(response)), np.float32)


def stored_levels(
    light: NDArray[np.float32], response: Response, sigma: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The picture of float32 light, with Gaussian noise on its stored values.

    Curves are a table over 65536 equal steps of the square root of light: there their slope is at most 1.5, so that a
    stored value before rounding is within 0.01 of 255 of `from_linear`'s, at a tenth of its cost.

    Args:
        light: HWC float32, from 0 to `full_of(response)` but for errors of its sums.
        response: the curve to store with.
        sigma: standard deviation of the noise, of [0, 1]; 0 draws nothing.
        rng: all randomness.

    Returns:
        HWC uint8, halves rounded to the even.
    """
    check_response(response)
    curved = _curved(response)
    if not curved and sigma == 0:
        return np.asarray(cv2.convertScaleAbs(light), np.uint8)
    height, columns = len(light), light.shape[1] * light.shape[2]
    stored = np.empty(light.shape, np.uint8)
    flat, levels = light.reshape(height, columns), stored.reshape(height, columns)
    noise = GaussianRows(rng, 255 * sigma, columns) if sigma else None
    for top in range(0, height, BAND):
        values, rows = flat[top : top + BAND], levels[top : top + BAND]
        if curved:
            roots = np.sqrt(np.maximum(values, np.float32(0)))
            values = look_up(_levels(response), cv2.add(roots, 0.0, dtype=cv2.CV_16U))
        if noise is None:
            cv2.convertScaleAbs(values, rows)
        else:
            cv2.add(values, noise.next(len(rows)), rows, dtype=cv2.CV_8U)
    return stored


def _curved(response: Response) -> bool:
    return response in ("srgb", "gamma")


@functools.cache
def _light_table(response: Response) -> NDArray[np.float32]:
    return (linear_table(response) * full_of(response)).astype(np.float32)


@functools.cache
def _levels(response: Response) -> NDArray[np.float32]:
    """Stored value, of 255, of each step."""
    return (255 * from_linear((np.arange(ROOTS) / (ROOTS - 1)) ** 2, response)).astype(np.float32)
