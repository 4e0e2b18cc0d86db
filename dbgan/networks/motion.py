"""Motion during an exposure and the blur it makes: fields, paths, sampling. Eqs. 1 and 4, differentiable.

Nothing here knows of networks. Every function gives a part of a picture the bits that it gives the whole, on the CPU in
float32: coordinates are integers and offsets, sums have a fixed order, and powers are exponentials.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

CELL = 4
"""Fields have one value for each CELL x CELL px of the picture."""

EDGE_SIGMA = 0.08
"""Difference of luma, of [0, 1], at which fields stop mixing across an edge."""

EDGE_FLOOR = 1e-3
"""Weight that remains across the strongest edge, so that a lone pixel still has a field."""

SMOOTHING = (1, 2, 4)
"""Dilations, in cells, of the 3x3 filters that smooth the fields along the picture."""

LUMA = (0.299, 0.587, 0.114)

Place = tuple[int, int, int, int]
"""Where a part of a picture is: its top and left, multiples of CELL; height and width of the whole. px."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Motion and defocus of every cell during one exposure, float32, one value per CELL x CELL px of the picture.

    A point's displacement at time t in [-1/2, 1/2] is `velocity` t + `acceleration` (t^2 - mean of t^2) / 2: the mean
    over the exposure is zero, so that the blurry picture stays aligned with the sharp one.

    Attributes:
        velocity: (N, 2, h, w), x and y, px per exposure.
        acceleration: (N, 2, h, w), px per exposure squared.
        defocus: (N, 1, h, w), radius of the disk that a point becomes, px.
    """

    velocity: Tensor
    acceleration: Tensor
    defocus: Tensor

    def resized(self, height: int, width: int) -> Fields:
        """The fields on a grid of (height, width) cells, their lengths in px of that larger or smaller picture.

        Sides that are no multiples of CELL make the factor inexact, by at most CELL px in the smaller side.
        """
        h, w = self.velocity.shape[-2:]
        if (h, w) == (height, width):
            return self
        factor = math.sqrt(height / h * width / w)
        return Fields(
            *(
                F.interpolate(field, (height, width), mode="bilinear", align_corners=False) * factor
                for field in (self.velocity, self.acceleration, self.defocus)
            )
        )

    def stacked(self) -> Tensor:
        """(N, 5, h, w)."""
        return torch.cat((self.velocity, self.acceleration, self.defocus), dim=1)


def unstacked(values: Tensor) -> Fields:
    """What `Fields.stacked` gave."""
    return Fields(values[:, :2], values[:, 2:4], values[:, 4:5])


def path_points(
    samples: int, dtype: torch.dtype = torch.float32, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Time t, (t^2 - its mean) / 2, and x and y in the disk of defocus, of each sample: four of (1, samples).

    Each has mean zero, so that no path shifts the picture. The disk's points follow a spiral of golden angles and are
    taken in an order that has nothing to do with time: one set of samples serves motion and defocus at once.
    """
    n = torch.arange(samples, dtype=torch.float64)
    t = (n + 0.5) / samples - 0.5
    bend = 0.5 * (t.square() - t.square().mean())
    angle = n * (math.pi * (3.0 - math.sqrt(5.0)))
    radius = ((n + 0.5) / samples).sqrt()
    order = torch.argsort((n * 0.6180339887498949) % 1.0)
    disk_x, disk_y = ((radius * wave)[order] for wave in (angle.cos(), angle.sin()))
    disk_x, disk_y = disk_x - disk_x.mean(), disk_y - disk_y.mean()
    outermost = torch.hypot(disk_x, disk_y).max().clamp_min(1.0)
    points = (t, bend, disk_x / outermost, disk_y / outermost)
    ready = [values.to(device=device, dtype=dtype)[None] for values in points]
    return ready[0], ready[1], ready[2], ready[3]


def srgb_to_linear(stored: Tensor) -> Tensor:
    """Light of stored values, both in [0, 1] (IEC 61966-2-1); `dbgan.blur.response` is the same in numpy."""
    return torch.where(stored <= 0.04045, stored / 12.92, _power((stored + 0.055) / 1.055, 2.4))


def linear_to_srgb(light: Tensor) -> Tensor:
    """Stored values of light in [0, 1]. Its gradient is finite everywhere, at black too."""
    curved = 1.055 * _power(light.clamp_min(0.0031308), 1.0 / 2.4) - 0.055
    return torch.where(light <= 0.0031308, light * 12.92, curved)


def _power(values: Tensor, exponent: float) -> Tensor:
    """values ** exponent, of values over 0, whose every element has the same bits wherever in a tensor it lies.

    On CPUs torch's own power and sigmoid compute the last elements of a row by another routine, and tiles would show.
    """
    return torch.exp(exponent * torch.log(values))


def whole_cells(image: Tensor) -> Tensor:
    """`image` with its last rows and columns repeated up to a multiple of CELL."""
    height, width = image.shape[-2:]
    below, right = -height % CELL, -width % CELL
    return F.pad(image, (0, right, 0, below), mode="replicate") if below or right else image


def cell_centres(image: Tensor, place: Place) -> tuple[Tensor, Tensor]:
    """x and y of the cells of `image` from the centre of the whole picture, px: (1, 1, 1, w) and (1, 1, h, 1).

    Multiples of 1/2, so that a part computes the very numbers that the whole does.
    """
    centres = []
    for length, begin, whole in zip(image.shape[:1:-1], place[1::-1], place[:1:-1], strict=True):
        cells = torch.arange(-(-length // CELL), device=image.device, dtype=torch.float64)
        centres.append((cells * CELL + (CELL / 2 + begin - whole / 2)).to(image.dtype))
    return centres[0].view(1, 1, 1, -1), centres[1].view(1, 1, -1, 1)


def luma(picture: Tensor) -> Tensor:
    """(N, 1, H, W). Sums of channels rather than a convolution: their order is fixed on every device."""
    red, green, blue = (picture[:, c : c + 1] * weight for c, weight in enumerate(LUMA))
    return red + green + blue


def cell_means(luma: Tensor) -> Tensor:
    """(N, 1, h, w)."""
    return F.avg_pool2d(luma, CELL)


def _alike(difference: Tensor) -> Tensor:
    """Weight of a neighbour whose luma differs by this much."""
    return torch.exp(difference.square() * (-0.5 / EDGE_SIGMA**2)) + EDGE_FLOOR


def smoothed(values: Tensor, guide: Tensor) -> Tensor:
    """Fields averaged over neighbouring cells of like luma: smooth within a surface, apart across its edge.

    A mean of bounded values is bounded. Smooth fields do not fold: neighbouring pixels keep their order.
    """
    height, width = values.shape[-2:]
    for dilation in SMOOTHING:
        padded, around = (F.pad(v, (dilation,) * 4, mode="replicate") for v in (values, guide))
        total, weights = torch.zeros_like(values), torch.zeros_like(guide)
        for top in range(0, 2 * dilation + 1, dilation):
            for left in range(0, 2 * dilation + 1, dilation):
                window = (..., slice(top, top + height), slice(left, left + width))
                weight = _alike(guide - around[window])
                total, weights = total + weight * padded[window], weights + weight
        values = total / weights
    return values


def upsampled(values: Tensor, luma: Tensor, guide: Tensor, top: int, bottom: int) -> Tensor:
    """Fields of every pixel of the cell rows top .. bottom: bilinear where the picture is even, along its edges else.

    A pixel takes from the four nearest cells by their distance times their likeness (joint bilateral upsampling,
    Kopf et al. 2007).

    Args:
        values: (N, C, h, w).
        luma: (N, 1, 4h, 4w).
        guide: (N, 1, h, w), luma's means.
        top: first cell row.
        bottom: one past the last.

    Returns:
        (N, C, 4 (bottom - top), 4w).
    """
    count, channels, height, width = values.shape
    rows = torch.arange(top - 1, bottom + 1, device=values.device).clamp(0, height - 1)
    near, around = (F.pad(v[:, :, rows], (1, 1, 0, 0), mode="replicate") for v in (values, guide))
    own = luma[:, :, top * CELL : bottom * CELL].reshape(count, 1, bottom - top, CELL, width, CELL)
    place = (torch.arange(CELL, device=values.device, dtype=values.dtype) + 0.5) / CELL - 0.5
    # distance-weights of the cell before, the own and the next, for each place within a cell
    shares = torch.stack(((-place).clamp_min(0), 1.0 - place.abs(), place.clamp_min(0)))
    total = values.new_zeros((count, channels, bottom - top, CELL, width, CELL))
    weights = values.new_zeros((count, 1, bottom - top, CELL, width, CELL))
    half = CELL // 2
    for row, inner_rows in ((0, slice(0, half)), (1, slice(0, CELL)), (2, slice(half, CELL))):
        for column, inner_columns in ((0, slice(0, half)), (1, slice(0, CELL)), (2, slice(half, CELL))):
            cells = (..., slice(row, row + bottom - top), slice(column, column + width))
            share = shares[row, inner_rows, None, None] * shares[column, inner_columns]
            there = (..., inner_rows, slice(None), inner_columns)
            weight = _alike(own[there] - around[cells][..., :, None, :, None]) * share
            total[there] += weight * near[cells][..., :, None, :, None]
            weights[there] += weight
    return (total / weights).reshape(count, channels, (bottom - top) * CELL, width * CELL)


def fitted(fields: Fields, image: Tensor) -> Fields:
    """`fields` on the cells of `image`: unchanged where they are of its size, else resized and led along its edges."""
    guide = cell_means(luma(whole_cells(image).to(fields.velocity.dtype)))
    rows, columns = guide.shape[-2:]
    if tuple(fields.velocity.shape[-2:]) == (rows, columns):
        return fields
    return unstacked(smoothed(fields.resized(rows, columns).stacked(), guide))


def per_pixel(fields: Fields, image: Tensor) -> Tensor:
    """(N, 5, H, W): velocity x, y, acceleration x, y and defocus of every pixel of `image`, as `fields` blur it."""
    brightness = luma(whole_cells(image).to(fields.velocity.dtype))
    guide = cell_means(brightness)
    values = fitted(fields, image).stacked()
    return upsampled(values, brightness, guide, 0, guide.shape[2])[..., : image.shape[2], : image.shape[3]]


def longest_offset(values: Tensor) -> int:
    """Longest offset that stacked fields lead to, px, rounded up."""
    longest = values[:, :2].abs().amax() / 2 + values[:, 2:4].abs().amax() / 12 + values[:, 4:].abs().amax()
    return math.ceil(float(longest.detach()))


def pixel_table(light: Tensor, reach: int) -> tuple[Tensor, int]:
    """(N * pixels, 4): the picture with reach + 1 px repeated around it, a pixel per row; and its pixels per row."""
    padded = F.pad(light, (reach + 1, reach + 2, reach + 1, reach + 2), mode="replicate")
    rows = F.pad(padded.permute(0, 2, 3, 1), (0, 1))
    return rows.reshape(-1, 4).contiguous(), padded.shape[-1]


def average(samples: int, table: Tensor, stride: int, fields: Tensor, top: int, reach: int) -> Tensor:
    """Mean light along the path of every pixel of some rows.

    Coordinates are an integer, the pixel's own place, and an offset: a tile computes the very numbers that the
    whole picture does, which coordinates normalised to the tile would not.

    Args:
        samples: points along each path.
        table: (N * padded pixels, 4): light of the padded picture, pixel by pixel.
        stride: padded pixels in a row.
        fields: (N, 5, H, W) of these rows, px.
        top: the first of these rows.
        reach: px of padding less one, which no offset exceeds.

    Returns:
        (N, 3, H, W).
    """
    count, _, height, width = fields.shape
    vx, vy, ax, ay, radius = (channel.reshape(-1, 1) for channel in fields.transpose(0, 1))
    t, bend, disk_x, disk_y = path_points(samples, fields.dtype, fields.device)
    dx = torch.addcmul(torch.addcmul(vx * t, ax, bend), radius, disk_x)
    dy = torch.addcmul(torch.addcmul(vy * t, ay, bend), radius, disk_y)
    ix, iy = dx.detach().floor(), dy.detach().floor()
    x, y = (torch.arange(side, device=table.device, dtype=torch.int32) for side in (width, height))
    place = (y + top + reach + 1)[:, None] * stride + x + reach + 1
    pictures = torch.arange(count, device=table.device, dtype=torch.int32) * (len(table) // count)
    index = torch.add((pictures[:, None, None] + place).reshape(-1, 1) + ix.int(), iy.int(), alpha=stride)
    right, lower = (dx - ix) / samples, dy - iy
    both = right * lower
    lower = lower / samples
    weights = ((1.0 / samples - lower) - (right - both), right - both, lower - both, both)
    # The same rows of four shifted tables are the four pixels around a point.
    parts = [
        F.embedding_bag(index, table[shift:], per_sample_weights=weight, mode="sum")
        for shift, weight in zip((0, 1, stride, stride + 1), weights, strict=True)
    ]
    return sum(parts[1:], parts[0])[:, :3].reshape(count, height, width, 3).permute(0, 3, 1, 2)
