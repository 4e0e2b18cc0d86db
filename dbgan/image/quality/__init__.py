"""Measures of one picture, on 8-bit luma at full resolution. docs/measures.md has their validation.

They are stored in manifests, whose bytes must not depend on the machine: all but motion are sums of integers (exact in
float64), and motion is rounded (see `motion.motion`).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.image.quality import coding, exposure, hashes, motion, noise, sharpness

IDENTITY_DB = 35.0
"""Mean PSNR(blurry, sharp), dB, above which a blur is hardly there: the alarm of training, audit and report.

Averaged GOPRO pairs have 24 to 25 dB.
"""

MEASURES: tuple[str, ...] = (
    "tenengrad",
    "noise_sigma",
    "brightness",
    "contrast",
    "clipped_low",
    "clipped_high",
    "sharpness",
    "edge_extent_px",
    "motion_px",
    "motion_deg",
    "motion_score",
    "jpeg_quality",
    "blocking",
)

UNKNOWABLE: tuple[str, ...] = ("edge_extent_px", "motion_px", "motion_deg", "jpeg_quality")
"""Measures that a picture may lack: too few edges, no straight motion, no JPEG."""

PERCEPTUAL_HASH = "phash"
"""The column of `hashes.perceptual_hash`, beside the measures: it is no number."""

IDENTICAL_PSNR = 100.0
"""dB stored for identical pictures, and the cap of `pair_psnr`: infinity is no number in JSON and in plots."""


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """BT.601 luma of HWC uint8 RGB, HW uint8."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def measure(pixels: NDArray[np.uint8], data: bytes = b"") -> dict[str, float | None]:
    """The `MEASURES` of a picture; None where it lacks one of `UNKNOWABLE`.

    Args:
        pixels: HWC uint8 RGB of any size.
        data: the file as it came, for `jpeg_quality`.
    """
    return _measured(luma(pixels), data)


def _measured(grey: NDArray[np.uint8], data: bytes) -> dict[str, float | None]:
    response = noise.response(grey)
    length, direction, score = motion.motion(grey)
    return {
        "tenengrad": sharpness.tenengrad(grey),
        "noise_sigma": noise.noise_sigma(response),
        **exposure.exposure(grey),
        "sharpness": sharpness.sharpness(grey, noise.noise_floor(response)),
        "edge_extent_px": sharpness.edge_extent(sharpness.smoothed(grey)),
        "motion_px": length,
        "motion_deg": direction,
        "motion_score": score,
        "jpeg_quality": coding.jpeg_quality(data),
        "blocking": coding.blocking(grey),
    }


def columns(field: str, pixels: NDArray[np.uint8], data: bytes = b"") -> dict[str, float | bytes | None]:
    """The manifest's columns of one image field: `FIELD_MEASURE` and the perceptual hash; arguments as `measure`."""
    grey = luma(pixels)
    measured: dict[str, float | bytes | None] = {f"{field}_{name}": v for name, v in _measured(grey, data).items()}
    return measured | {f"{field}_{PERCEPTUAL_HASH}": hashes.perceptual_hash(grey)}


def pair_psnr(blur: NDArray[np.uint8], sharp: NDArray[np.uint8]) -> float:
    """PSNR between two HWC uint8 pictures of one size, dB, at most `IDENTICAL_PSNR`."""
    if blur.shape != sharp.shape:
        raise ValueError(f"pair_psnr: sizes differ: {blur.shape} and {sharp.shape}")
    squared = float(cv2.norm(blur, sharp, cv2.NORM_L2SQR))
    if squared == 0.0:
        return IDENTICAL_PSNR
    return min(IDENTICAL_PSNR, 10 * math.log10(255**2 * blur.size / squared))
