"""Camera response curves g of Eq. 4: stored value = g(light)."""

from __future__ import annotations

import functools
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Response = Literal["srgb", "gamma", "linear", "stored"]
"""`srgb`: the piecewise curve of IEC 61966-2-1. `gamma`: a pure power, 2.2 (GOPRO's `blur_gamma`). `linear`: g is the
identity, stored values are light. `stored`: no curve is undone, values are averaged as they are (GOPRO's `blur`)."""

GAMMA = 2.2
ROOTS = 1 << 16
"""Steps of the square root of light in `stored_levels`."""
BAND = 16
"""Rows that are stored at a time, so that they stay in the CPU's cache; no byte depends on it."""


def check_response(response: str) -> None:
    """Raise `ValueError` for an unknown curve."""
    if response not in get_args(Response):
        raise ValueError(f"response {response!r} is not one of {', '.join(get_args(Response))}")


def to_linear(encoded: NDArray[np.float64], response: Response = "srgb") -> NDArray[np.float64]:
    """Light from stored values: the inverse of g.

    Args:
        encoded: any shape, float64 in [0, 1].
        response: the curve that the values were stored with.
    """
    check_response(response)
    if response == "srgb":
        return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    if response == "gamma":
        return encoded**GAMMA
    return encoded


def from_linear(light: NDArray[np.float64], response: Response = "srgb") -> NDArray[np.float64]:
    """Stored values from light: g. Light outside [0, 1] is clipped, as a sensor's full well does.

    Args:
        light: any shape, float64; 1 is the sensor's full well.
        response: the curve to store with.
    """
    check_response(response)
    clipped = np.clip(light, 0.0, 1.0)
    if response == "srgb":
        return np.where(clipped <= 0.0031308, clipped * 12.92, 1.055 * clipped ** (1 / 2.4) - 0.055)
    if response == "gamma":
        return np.asarray(clipped ** (1 / GAMMA))
    return clipped


def linear_table(response: Response) -> NDArray[np.float64]:
    """Light of each of the 256 stored values, (256,) float64: `linear_table(r)[image]` is exact and fast."""
    return to_linear(np.arange(256) / 255.0, response)


def to_uint8(encoded: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Stored values in [0, 1] to uint8, halves rounded up (numpy's own rounding goes to even and would bias)."""
    return np.floor(np.clip(encoded, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def light_of(image: NDArray[np.uint8], response: Response = "srgb") -> NDArray[np.float32]:
    """Light behind a stored picture, HWC float32 in [0, 1]: for those who make pictures by the hundred thousand."""
    check_image(image)
    return np.asarray(cv2.LUT(image, linear_table(response).astype(np.float32)), np.float32)


def stored_levels(
    light: NDArray[np.float32], response: Response, sigma: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """The picture of float32 light, with Gaussian noise on its stored values.

    Curves are a table over 65536 equal steps of the square root of light: there their slope is at most 1.5, so that a
    stored value before rounding is within 0.01 of 255 of `from_linear`'s, at a tenth of its cost.

    Args:
        light: HWC float32, from 0 to 1 but for errors of its sums.
        response: the curve to store with.
        sigma: standard deviation of the noise, of [0, 1]; 0 draws nothing.
        rng: all randomness.

    Returns:
        HWC uint8.
    """
    check_response(response)
    curved = response in ("srgb", "gamma")
    if not curved and sigma == 0:
        return np.asarray(cv2.convertScaleAbs(light, alpha=255.0), np.uint8)
    stored = np.empty(light.shape, np.uint8)
    for top in range(0, len(light), BAND):
        band, rows = light[top : top + BAND], stored[top : top + BAND]
        if curved:
            steps = np.sqrt(np.maximum(band, np.float32(0)))
            steps *= ROOTS - 1
            steps += np.float32(0.5)
            index = np.minimum(steps, np.float32(ROOTS - 1), out=steps).astype(np.uint16)
            if sigma == 0:
                np.take(_bytes(response), index, out=rows, mode="clip")
                continue
            values = np.take(_levels(response), index)
        else:
            values = band * np.float32(255)
        noise = rng.standard_normal(band.shape, dtype=np.float32)
        noise *= np.float32(255 * sigma)
        values += noise
        values += np.float32(0.5)
        rows[...] = np.clip(values, np.float32(0), np.float32(255), out=values)
    return stored


@functools.cache
def _levels(response: Response) -> NDArray[np.float32]:
    """Stored value, of 255, of each step."""
    return (255 * from_linear((np.arange(ROOTS) / (ROOTS - 1)) ** 2, response)).astype(np.float32)


@functools.cache
def _bytes(response: Response) -> NDArray[np.uint8]:
    return to_uint8(_levels(response) / np.float64(255))


def check_image(image: NDArray[np.uint8], name: str = "image") -> None:
    """Raise `ValueError` unless `image` is HWC uint8 RGB."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"{name} must be HWC uint8 RGB, found shape {image.shape} and dtype {image.dtype}")
