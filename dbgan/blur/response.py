"""Camera response curves g of Eq. 4: stored value = g(light)."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Response = Literal["srgb", "gamma", "linear", "stored"]
"""`srgb`: the piecewise curve of IEC 61966-2-1. `gamma`: a pure power, 2.2 (GOPRO's `blur_gamma`). `linear`: g is the
identity, stored values are light. `stored`: no curve is undone, values are averaged as they are (GOPRO's `blur`)."""

GAMMA = 2.2


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


def check_image(image: NDArray[np.uint8], name: str = "image") -> None:
    """Raise `ValueError` unless `image` is HWC uint8 RGB."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"{name} must be HWC uint8 RGB, found shape {image.shape} and dtype {image.dtype}")
