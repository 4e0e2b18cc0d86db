"""Full-reference metrics of restored pictures. Never a bare "SSIM": its variants differ by 0.02 at 31 dB.

All take (restored, reference), NCHW RGB, uint8 or float in [0, 1], on any device, and give (N,) float64. Published
numbers are means of these over images, taken after rounding to 8 bit (the PNG round trip), not from pooled errors.
docs/metrics.md has the formulas and who means which by "SSIM".
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dbgan.evaluate import windows
from dbgan.evaluate.windows import Window

WINDOW = 11
"""Side of the Gaussian window, px (Wang et al. 2004)."""

SIGMA = 1.5
C1, C2 = 0.01**2, 0.03**2
"""Stabilisers for a data range of 1."""

LUMA = (65.481 / 255, 128.553 / 255, 24.966 / 255)
"""Weights of R, G, B in the Y of ITU-R BT.601, "studio range": 16 to 235 of 255. Its offset of 16 cancels."""


def psnr_rgb(restored: Tensor, reference: Tensor) -> Tensor:
    """Peak signal-to-noise ratio over all three channels, dB; infinite for identical pictures.

    Args:
        restored: NCHW, uint8 or float in [0, 1].
        reference: NCHW of the same shape.

    Returns:
        (N,) float64.

    Raises:
        ValueError: shapes that differ, another dtype, values outside [0, 1], or pictures without pixels.
    """
    _check(restored, reference)
    if _whole(restored, reference):
        error = torch.tensor([_squared_error(x, y) for x, y in zip(restored, reference, strict=True)])
        return -10.0 * torch.log10(error.to(restored.device, torch.float64) / (255**2 * math.prod(restored.shape[1:])))
    restored, reference = _unit(restored, torch.float64), _unit(reference, torch.float64)
    return -10.0 * torch.log10((restored - reference).square_().mean(dim=(1, 2, 3)))


def psnr_y(restored: Tensor, reference: Tensor) -> Tensor:
    """PSNR of BT.601 luma against a peak of 255, unrounded: BasicSR's `calculate_psnr(..., test_y_channel=True)`.

    About 1.4 dB above `psnr_rgb`: luma spans 219 of the 255 levels, and colour errors partly cancel in it. Papers on
    super-resolution report it; papers on deblurring do not. Arguments, result and errors as in `psnr_rgb`.
    """
    _check(restored, reference)
    if _whole(restored, reference) and restored.device.type == "cpu":
        errors = [_luma_error(x, y) for x, y in zip(restored.numpy(), reference.numpy(), strict=True)]
        return -10.0 * torch.log10(torch.tensor(errors, dtype=torch.float64))
    difference = _unit(restored, torch.float64) - _unit(reference, torch.float64)
    weights = torch.tensor(LUMA, dtype=torch.float64, device=difference.device)
    luma = (difference * weights[:, None, None]).sum(dim=1)
    return -10.0 * torch.log10(luma.square_().mean(dim=(1, 2)))


def ssim(restored: Tensor, reference: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """Structural similarity per channel, then averaged: skimage's `structural_similarity(gaussian_weights=True,
    use_sample_covariance=False, channel_axis=..., data_range=...)`. The mean leaves out 5 px at each border, where
    the window would leave the picture.

    Args:
        restored: NCHW, uint8 or float in [0, 1], at least 11 px on each side.
        reference: NCHW of the same shape.
        dtype: precision of the windows' sums. float32 stays within 1e-6 of float64, in half the time.

    Returns:
        (N,) float64.

    Raises:
        ValueError: as `psnr_rgb`, or a picture smaller than the window.
    """
    _check(restored, reference, smallest=WINDOW)
    height, width = restored.shape[-2] - WINDOW + 1, restored.shape[-1] - WINDOW + 1
    if restored.device.type == "cpu":
        totals = _on_cpu(restored, reference, dtype, Window(gaussian(), (C1, C2)))
    else:
        totals = _by_torch(restored, reference, dtype, _window)
    return totals / (restored.shape[1] * height * width)


def ssim_matlab3d(restored: Tensor, reference: Tensor, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """MATLAB's `ssim(RGB, RGB)`: the picture is taken as a volume (rows, columns, channels) and the window is a
    11x11x11 Gaussian with replicated borders, so that channels are mixed; mean over all pixels, borders included.

    It is what the papers of this line report (NAFNet's `ssim3d`); about 0.02 above `ssim` at 31 dB.
    Arguments, result and errors as in `ssim`.
    """
    _check(restored, reference, smallest=WINDOW)
    count = math.prod(restored.shape[1:])
    restored, reference = _replicated(restored), _replicated(reference)
    if restored.device.type == "cpu":
        window = Window(gaussian(), (C1, C2), _channel_mixing(restored.shape[1]))
        totals = _on_cpu(restored, reference, dtype, window)
    else:
        totals = _by_torch(restored, reference, dtype, _volume_window)
    return totals / count


METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "psnr_rgb": psnr_rgb,
    "ssim": ssim,
    "ssim_matlab3d": ssim_matlab3d,
    "psnr_y": psnr_y,
}
"""What every test picture is scored by, the leading metric first. A new metric is one line here."""


class Metric(nn.Module):
    """A metric as a module: called with (restored, reference), it gives (N,) float64 of its function.

    >>> Metric(psnr_rgb)(torch.full((1, 3, 4, 4), 0.4), torch.full((1, 3, 4, 4), 0.5))
    tensor([20.0000], dtype=torch.float64)
    """

    def __init__(self, function: Callable[..., Tensor], **options: torch.dtype) -> None:
        super().__init__()
        self.function: Callable[..., Tensor] = function
        self.options = options

    def forward(self, restored: Tensor, reference: Tensor) -> Tensor:
        """Arguments, result and errors of the function."""
        return self.function(restored, reference, **self.options)


@functools.cache
def gaussian() -> tuple[float, ...]:
    """The window's 11 weights along one axis, summing to 1."""
    raw = [math.exp(-((i - WINDOW // 2) ** 2) / (2 * SIGMA**2)) for i in range(WINDOW)]
    return tuple(value / sum(raw) for value in raw)


def _ssim_map(x: Tensor, y: Tensor, dtype: torch.dtype, window: Callable[[Tensor], Tensor]) -> Tensor:
    """SSIM where the window fits, of uint8 or float [0, 1] pictures of any shape (..., H, W).

    The same sums and differences as in `windows`, which says why.
    """
    maps = torch.empty((4, *x.shape), dtype=dtype, device=x.device)
    one, other = _unit(x, dtype), _unit(y, dtype)
    torch.add(one, other, out=maps[0])
    torch.sub(one, other, out=maps[1])
    level = maps[0].mean()
    maps[0].sub_(level)
    torch.mul(maps[:2], maps[:2], out=maps[2:])
    u, v, var_u, var_v = window(maps).unbind()
    var_u.sub_(u.square())
    square_v = v.square_()
    var_v.sub_(square_v)
    square_u = u.add_(level).square_()
    top = (square_u - square_v).mul_(0.5).add_(C1).mul_((var_u - var_v).mul_(0.5).add_(C2))
    bottom = square_u.add_(square_v).mul_(0.5).add_(C1).mul_(var_u.add_(var_v).mul_(0.5).add_(C2))
    result: Tensor = top.div_(bottom)
    return result


def _on_cpu(restored: Tensor, reference: Tensor, dtype: torch.dtype, window: Window) -> Tensor:
    """Sum of SSIM over each picture, (N,) float64, on torch's number of threads."""
    if not _whole(restored, reference):
        restored, reference = _unit(restored, dtype), _unit(reference, dtype)
    arrays = [np.ascontiguousarray(pictures.numpy()) for pictures in (restored, reference)]
    kind = torch.empty(0, dtype=dtype).numpy().dtype.type
    totals = [windows.total(x, y, window, kind, torch.get_num_threads()) for x, y in zip(*arrays, strict=True)]
    return torch.tensor(totals, dtype=torch.float64)


def _by_torch(restored: Tensor, reference: Tensor, dtype: torch.dtype, window: Callable[[Tensor], Tensor]) -> Tensor:
    """The same on any device, picture by picture."""
    totals = torch.zeros(restored.shape[0], dtype=torch.float64, device=restored.device)
    for total, x, y in zip(totals, restored, reference, strict=True):
        total += _ssim_map(x, y, dtype, window).sum(dtype=torch.float64)
    return totals


def _window(maps: Tensor) -> Tensor:
    """Gaussian window along the last two axes, where it fits: (..., H - 10, W - 10)."""
    return _along(_along(maps, -2), -1)


def _volume_window(maps: Tensor) -> Tensor:
    """3-D Gaussian window over (..., 3, H, W), first and last channel replicated beyond the ends.

    Along the channels the window is longer than the axis, which makes it a 3x3 matrix.
    """
    mixed = torch.zeros_like(maps)
    for into, row in enumerate(_channel_mixing(maps.shape[-3])):
        for channel, weight in enumerate(row):
            mixed.select(-3, into).add_(maps.select(-3, channel), alpha=weight)
    return _window(mixed)


@functools.cache
def _channel_mixing(channels: int) -> tuple[tuple[float, ...], ...]:
    """[i][j]: weight of channel j in the blurred channel i, the first and last channel replicated beyond the ends."""
    mixing = [[0.0] * channels for _ in range(channels)]
    for i in range(channels):
        for offset, weight in enumerate(gaussian(), start=-(WINDOW // 2)):
            mixing[i][min(max(i + offset, 0), channels - 1)] += weight
    return tuple(map(tuple, mixing))


def _along(values: Tensor, axis: int) -> Tensor:
    """The window along one axis, where it fits, as a sum of shifted slices."""
    length = values.shape[axis] - WINDOW + 1
    first, *rest = gaussian()
    total = values.narrow(axis, 0, length) * first
    for offset, weight in enumerate(rest, start=1):
        total.add_(values.narrow(axis, offset, length), alpha=weight)
    return total


def _replicated(picture: Tensor) -> Tensor:
    """(..., H, W) with its border rows and columns repeated 5 times, of any dtype."""
    reach = WINDOW // 2
    for axis in (-2, -1):
        ends = (picture.narrow(axis, 0, 1), picture.narrow(axis, picture.shape[axis] - 1, 1))
        picture = torch.cat([*[ends[0]] * reach, picture, *[ends[1]] * reach], dim=axis)
    return picture


def _check(restored: Tensor, reference: Tensor, smallest: int = 1) -> None:
    """Raise `ValueError` unless both are (N, 3, H, W) of one shape, large enough, and in range."""
    if restored.shape != reference.shape or restored.ndim != 4 or restored.shape[1] != 3:
        raise ValueError(
            "metrics compare two (N, 3, H, W) batches of one shape; "
            f"found {tuple(restored.shape)} and {tuple(reference.shape)}"
        )
    if min(restored.shape[-2:]) < smallest:
        what = "the SSIM window" if smallest > 1 else "a metric"
        raise ValueError(
            f"{what} needs pictures of at least {smallest}x{smallest} px; "
            f"found {restored.shape[-2]}x{restored.shape[-1]}"
        )
    for pictures, name in ((restored, "restored"), (reference, "reference")):
        _check_range(pictures, name)


def _check_range(pictures: Tensor, name: str) -> None:
    if pictures.dtype == torch.uint8:
        return
    if not pictures.is_floating_point():
        raise ValueError(f"{name}: expected uint8 or float in [0, 1], found {pictures.dtype}")
    if not pictures.numel():
        return
    low, high = (float(v) for v in pictures.aminmax())
    if not (low >= 0.0 and high <= 1.0):  # also false for NaN
        raise ValueError(
            f"{name}: expected float values in [0, 1], found {low:g} to {high:g}.\n"
            "Next: divide 8-bit values by 255, clamp a network's output."
        )


def _whole(restored: Tensor, reference: Tensor) -> bool:
    """Whether both have whole values of 0 to 255."""
    return restored.dtype == reference.dtype == torch.uint8


def _squared_error(restored: Tensor, reference: Tensor) -> int:
    """Sum of squared differences of two (3, H, W) uint8 pictures, exact."""
    if restored.device.type == "cpu":
        planes = zip(restored.numpy(), reference.numpy(), strict=True)
        return sum(round(cv2.norm(x, y, cv2.NORM_L2SQR)) for x, y in planes)
    return int((restored.int() - reference.int()).square_().sum(dtype=torch.int64))


def _luma_error(restored: NDArray[np.uint8], reference: NDArray[np.uint8]) -> float:
    """Mean squared difference of the luma of two (3, H, W) pictures, for values in [0, 1]."""
    luma = np.zeros(restored.shape[1:])
    for x, y, weight in zip(restored, reference, LUMA, strict=True):
        cv2.scaleAdd(cv2.subtract(x, y, dtype=cv2.CV_64F), weight / 255, luma, dst=luma)
    return float(cv2.norm(luma, cv2.NORM_L2SQR)) / luma.size


def _unit(pictures: Tensor, dtype: torch.dtype) -> Tensor:
    """A copy in [0, 1] as `dtype`."""
    return pictures.to(dtype, copy=True).mul_(1.0 if pictures.is_floating_point() else 1.0 / 255.0)
