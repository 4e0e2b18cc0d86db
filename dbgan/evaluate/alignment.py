"""Scores of pictures that do not quite lie on their reference: RealBlur's protocol.

RealBlur's two cameras see a scene through one lens and two beams, so their pictures differ by a gain and a slight
homography. Its published script (Rim et al., ECCV 2020, `evaluation_RealBlur_ecc.py`, after Koehler et al., ECCV 2012)
takes both away before it scores, and leaves out the pixels that the warp moved in from outside; later papers use it for
RealBlur, and with clipping for RSBlur. It is worth about 3 dB there: MIMO-UNet+ has 28.99 dB without it and the
published 31.92 with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.evaluate.metrics import C1, C2, gaussian

Floats = NDArray[np.float32]

ITERATIONS = 100
"""Of ECC, always all of them: the script's threshold is 0."""

SMOOTHING = 5
"""`gaussFiltSize` of OpenCV's `findTransformECC`, px."""

LEAST_OVERLAP = 0.5
"""Share of the picture below which a warp is no alignment: on unrelated pictures ECC may end anywhere."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """A restored picture laid on its reference.

    Attributes:
        restored: HWC float32 RGB, times the gain, warped; 0 outside `mask`. Over 1 in places unless clipped.
        reference: HWC float32 RGB in [0, 1]; 0 outside `mask`.
        mask: HW, True where the warp found pixels of the restored picture.
        gain: what its values were multiplied by.
        homography: 3x3 float32; maps positions (x, y, 1) in the reference to those in the restored picture.
        converged: False where ECC gave up, or ended where less than `LEAST_OVERLAP` is left (the script would score
            that): then only the gain is applied, and `mask` is True everywhere.
    """

    restored: Floats
    reference: Floats
    mask: NDArray[np.bool_]
    gain: float
    homography: Floats
    converged: bool


def gain_of(restored: Floats, reference: Floats) -> float:
    """The gain a with the least squared error of a * restored against reference; 1.0 for a black picture.

    The script takes both sums in float32; in float64 they differ from it by less than 1e-5 of the gain.
    """
    power = float(np.sum(restored.astype(np.float64) ** 2))
    return float(np.sum(restored.astype(np.float64) * reference)) / power if power > 0 else 1.0


def align(restored: NDArray[np.uint8], reference: NDArray[np.uint8], *, clip_after_warp: bool = False) -> Aligned:
    """Gain, then the homography by ECC (Evangelidis and Psarakis, PAMI 2008), then a bicubic warp.

    Args:
        restored: HWC uint8 RGB.
        reference: HWC uint8 RGB of the same shape.
        clip_after_warp: cut the warped picture to [0, 1], as RSBlur's script does and RealBlur's does not: the gain
            and the cubic overshoot.

    Returns:
        Never an error where ECC does not converge (flat, unrelated or very dark pictures): see `Aligned.converged`.

    Raises:
        ValueError: other shapes or dtypes.
    """
    if restored.shape != reference.shape or restored.ndim != 3 or restored.dtype != np.uint8:
        raise ValueError(
            f"align: expected two HWC uint8 RGB pictures of one shape, found {restored.shape} and {reference.shape} "
            f"of {restored.dtype} and {reference.dtype}"
        )
    z, x = (picture.astype(np.float32) / np.float32(255) for picture in (restored, reference))
    gain = gain_of(z, x)
    z *= np.float32(gain)
    homography, converged = _ecc(z, x)
    height, width = x.shape[:2]
    inside = np.ones((height, width), dtype=bool)
    if converged:
        ones = np.ones((height, width), dtype=np.float32)
        found = _warped(ones, homography, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT) > 0
        converged = bool(found.mean() >= LEAST_OVERLAP)
        if converged:
            z, inside = _warped(z, homography, cv2.INTER_CUBIC, cv2.BORDER_REFLECT), found
        else:
            homography = np.eye(3, dtype=np.float32)
    if clip_after_warp:
        z = np.clip(z, 0, 1)
    return Aligned(z * inside[..., None], x * inside[..., None], inside, gain, homography, converged)


def _warped(picture: Floats, homography: Floats, interpolation: int, border: int) -> Floats:
    """The picture seen through the homography, of its own size."""
    height, width = picture.shape[:2]
    flags = interpolation | cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(picture, homography, (width, height), flags=flags, borderMode=border)
    return np.asarray(warped, dtype=np.float32)


def _ecc(moving: Floats, fixed: Floats) -> tuple[Floats, bool]:
    """The homography from positions in `fixed` to those in `moving`, and whether ECC found one (else the identity)."""
    identity = np.eye(3, dtype=np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ITERATIONS, 0)
    x, z = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (fixed, moving))
    everywhere = np.full(x.shape, 255, dtype=np.uint8)
    try:
        _, found = cv2.findTransformECC(x, z, identity.copy(), cv2.MOTION_HOMOGRAPHY, criteria, everywhere, SMOOTHING)
    except cv2.error:  # "did not converge", or NaN met on flat pictures: told by the flag
        return identity, False
    if not np.isfinite(found).all():
        return identity, False
    return np.asarray(found, dtype=np.float32), True


def masked_psnr(aligned: Aligned) -> float:
    """PSNR over the pixels of the mask, peak 1, dB; infinite for identical pictures, NaN for an empty mask."""
    pixels = int(aligned.mask.sum()) * aligned.reference.shape[2]
    if not pixels:
        return math.nan
    error = float(np.sum((aligned.reference - aligned.restored) ** 2, dtype=np.float64)) / pixels
    return -10.0 * math.log10(error) if error else math.inf


def masked_ssim(aligned: Aligned) -> float:
    """SSIM per channel (as `metrics.ssim`) over the mask's pixels at least 5 px inside the picture; NaN for none.

    As in the script, the SSIM map is of pictures that are 0 outside the mask, so windows across its edge see that.
    """
    inner = aligned.mask[5:-5, 5:-5]
    if min(aligned.mask.shape) < 11 or not inner.any():
        return math.nan
    window = np.array(gaussian(), dtype=np.float64)

    def mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.sepFilter2D(plane, -1, window, window), dtype=np.float64)[5:-5, 5:-5]

    values = []
    for channel in range(aligned.reference.shape[2]):
        x = aligned.reference[..., channel].astype(np.float64)
        y = aligned.restored[..., channel].astype(np.float64)
        mx, my = mean(x), mean(y)
        vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
        similarity = ((2 * mx * my + C1) * (2 * both + C2)) / ((mx * mx + my * my + C1) * (vx + vy + C2))
        values.append(float(similarity[inner].mean()))
    return float(np.mean(values))
