"""Full-reference metrics of restored pictures. Never a bare "SSIM": its variants differ by 0.02 at 31 dB.

All take (restored, reference), NCHW, uint8 or float in [0, 1], and give (N,) float64. Published numbers are means of
these over images, taken after rounding to 8 bit (the PNG round trip), not from pooled errors.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

WINDOW = 11
"""Side of the Gaussian window, px (Wang et al. 2004)."""

SIGMA = 1.5
C1, C2 = 0.01**2, 0.03**2
"""Stabilisers for a data range of 1."""


def psnr_rgb(restored: Tensor, reference: Tensor) -> Tensor:
    """Peak signal-to-noise ratio over all three channels, dB; infinite for identical pictures.

    Args:
        restored: NCHW, uint8 or float in [0, 1].
        reference: NCHW of the same shape.

    Returns:
        (N,) float64.

    Raises:
        ValueError: shapes that differ, another dtype, or values outside [0, 1].
    """
    restored, reference = _pair(restored, reference, torch.float64)
    return -10.0 * torch.log10((restored - reference).square_().mean(dim=(1, 2, 3)))


def ssim(restored: Tensor, reference: Tensor, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """Structural similarity per channel, then averaged: skimage's `structural_similarity(gaussian_weights=True,
    use_sample_covariance=False, channel_axis=..., data_range=...)`. The mean leaves out 5 px at each border, where
    the window would leave the picture.

    Args:
        restored: NCHW, uint8 or float in [0, 1], at least 11 px on each side.
        reference: NCHW of the same shape.
        dtype: precision of the sums; float32 halves the time and stays within 1e-5.

    Returns:
        (N,) float64.

    Raises:
        ValueError: as `psnr_rgb`, or a picture smaller than the window.
    """
    restored, reference = _pair(restored, reference, dtype, smallest=WINDOW)
    # One channel at a time: ten working copies of a 12 MP picture would not fit beside it.
    values = [
        torch.stack([_ssim_map(x, y, _blur_inside).mean(dtype=torch.float64) for x, y in zip(one, other, strict=True)])
        for one, other in zip(restored, reference, strict=True)
    ]
    return torch.stack(values).mean(dim=1)


def ssim_matlab3d(restored: Tensor, reference: Tensor, *, dtype: torch.dtype = torch.float64) -> Tensor:
    """MATLAB's `ssim(RGB, RGB)`: the picture is taken as a volume (rows, columns, channels) and the window is a
    11x11x11 Gaussian with replicated borders, so that channels are mixed; mean over all pixels, borders included.

    It is what the papers of this line report (NAFNet's `ssim3d`); about 0.02 above `ssim` at 31 dB.
    Arguments, result and errors as in `ssim`.
    """
    restored, reference = _pair(restored, reference, dtype, smallest=WINDOW)
    values = [_ssim_map(x, y, _blur_volume).mean(dtype=torch.float64) for x, y in zip(restored, reference, strict=True)]
    return torch.stack(values)


@functools.cache
def gaussian() -> tuple[float, ...]:
    """The window's 11 weights along one axis, summing to 1."""
    raw = [math.exp(-((i - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for i in range(WINDOW)]
    return tuple(value / sum(raw) for value in raw)


def _ssim_map(x: Tensor, y: Tensor, blur: Callable[[Tensor], Tensor]) -> Tensor:
    """SSIM at each pixel. Only the sum of both variances enters, so four blurred maps do, not five."""
    mean_x, mean_y = blur(x), blur(y)
    product, squares = mean_x * mean_y, mean_x.square() + mean_y.square()
    covariance = blur(x * y) - product
    variances = blur(x.square() + y.square()) - squares
    return ((2 * product + C1) * (2 * covariance + C2)) / ((squares + C1) * (variances + C2))


def _blur_inside(plane: Tensor) -> Tensor:
    """Gaussian window where it fits inside the (H, W) plane: (H - 10, W - 10)."""
    return _blur_axis(_blur_axis(plane, 0), 1)


def _blur_volume(volume: Tensor) -> Tensor:
    """3-D Gaussian window over a (3, H, W) volume with replicated borders; the shape stays.

    Along the channels the window is longer than the axis: replicating the first and last channel beyond it makes the
    blur a 3x3 matrix.
    """
    mixed = torch.zeros_like(volume)
    for into, row in enumerate(_channel_mixing(volume.shape[0])):
        for channel, weight in enumerate(row):
            mixed[into].add_(volume[channel], alpha=weight)
    reach = WINDOW // 2
    padded = F.pad(mixed[None], (reach, reach, reach, reach), mode="replicate")[0]
    return _blur_axis(_blur_axis(padded, 1), 2)


@functools.cache
def _channel_mixing(channels: int) -> tuple[tuple[float, ...], ...]:
    """[i][j]: weight of channel j in the blurred channel i, the first and last channel replicated beyond the ends."""
    mixing = [[0.0] * channels for _ in range(channels)]
    for i in range(channels):
        for offset, weight in enumerate(gaussian(), start=-(WINDOW // 2)):
            mixing[i][min(max(i + offset, 0), channels - 1)] += weight
    return tuple(map(tuple, mixing))


def _blur_axis(values: Tensor, axis: int) -> Tensor:
    """The window along one axis, where it fits. Sums of shifted slices beat torch's float64 convolution by far."""
    length = values.shape[axis] - WINDOW + 1
    total = torch.zeros_like(values.narrow(axis, 0, length))
    for offset, weight in enumerate(gaussian()):
        total.add_(values.narrow(axis, offset, length), alpha=weight)
    return total


def _pair(restored: Tensor, reference: Tensor, dtype: torch.dtype, smallest: int = 1) -> tuple[Tensor, Tensor]:
    """Both pictures checked and in [0, 1] as `dtype`."""
    if restored.shape != reference.shape or restored.ndim != 4 or restored.shape[1] != 3:
        raise ValueError(
            "metrics compare two (N, 3, H, W) batches of one shape; "
            f"found {tuple(restored.shape)} and {tuple(reference.shape)}"
        )
    if min(restored.shape[-2:]) < smallest:
        raise ValueError(
            f"the SSIM window needs pictures of at least {smallest}x{smallest} px; "
            f"found {restored.shape[-2]}x{restored.shape[-1]}"
        )
    return _unit(restored, "restored", dtype), _unit(reference, "reference", dtype)


def _unit(pictures: Tensor, name: str, dtype: torch.dtype) -> Tensor:
    if pictures.dtype == torch.uint8:
        return pictures.to(dtype) / 255.0
    if not pictures.is_floating_point():
        raise ValueError(f"{name}: expected uint8 or float in [0, 1], found {pictures.dtype}")
    low, high = (float(v) for v in pictures.aminmax())
    if not (low >= 0.0 and high <= 1.0):  # also false for NaN
        raise ValueError(
            f"{name}: expected float values in [0, 1], found {low:g} to {high:g}.\n"
            "Next: divide 8-bit values by 255, clamp a network's output."
        )
    return pictures.to(dtype)
