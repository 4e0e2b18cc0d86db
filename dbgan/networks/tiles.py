"""Large pictures through a convolutional network in tiles, equal to the whole.

Each tile is computed with a halo of the network's receptive radius, cut at the picture's own border: so every output
pixel sees exactly what it would see in the whole picture, its zero padding included.

Equal means to the last bit on the CPU in float32, in channels-last memory, which `apply` therefore always uses: there
oneDNN was found to sum in one order whatever the picture's shape. In contiguous memory it picks
other algorithms by shape, and tiles differ from the whole by some 1e-7.

Small inputs are the exception: torch gives a float32 convolution of at most `FEW_VALUES` input values to another
routine, whose sums have other last bits on some CPUs (seen on AMD's, not on Intel's with AMX). `apply` computes small
windows in copies, so that every convolution takes the one routine; a bare `network(image)` of a small picture does not.

Not every network can be tiled so: NAFNet's attention averages over wide windows. Such a network has `whole_pixels`;
pictures up to that size are computed in one piece whatever `tile` is, larger ones in tiles, with a warning.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

Span = tuple[int, int]

FEW_VALUES = 20_480
"""Batch x channels x height x width up to which torch may leave a CPU convolution to its own routine (use_mkldnn)."""
MANY_PICTURES = 16
"""A batch of so many goes to oneDNN however small its pictures are."""


def receptive_radius(network: nn.Module) -> int:
    """How far an output pixel sees to each side, px: the halo that makes tiles equal to the whole.

    Raises:
        ValueError: the network does not say.
    """
    radius = getattr(network, "receptive_radius", None)
    if not isinstance(radius, int):
        raise ValueError(f"{type(network).__name__} has no receptive_radius; pass the halo explicitly")
    return radius


def spans(length: int, tile: int) -> list[Span]:
    """Cut `length` px into the fewest spans of at most `tile` px, as equal as they come.

    >>> spans(720, 512)
    [(0, 360), (360, 720)]
    """
    count = -(-length // tile)
    edges = [length * i // count for i in range(count + 1)]
    return list(itertools.pairwise(edges))


def windows(span: Span, length: int, halo: int) -> Span:
    """`span` widened by `halo` on both sides, within [0, length)."""
    return max(0, span[0] - halo), min(length, span[1] + halo)


def aligned(window: Span, stride: int) -> Span:
    """`window` begun at a multiple of `stride`, so that a network which halves its picture halves it as the whole."""
    return window[0] - window[0] % stride, window[1]


def apply(
    network: Callable[..., Tensor], image: Tensor, *extra: Tensor, tile: int = 512, halo: int | None = None
) -> Tensor:
    """network(image, *extra), computed tile by tile.

    Args:
        network: shape-preserving and local: no output pixel depends on more than `halo` px around it, or it says by
            its `whole_pixels` (see `dbgan.networks.registry.Generator`) up to which size it must not be cut.
        image: NCHW.
        extra: passed to every tile unchanged, such as BGAN's z: one z for the whole picture.
        tile: largest side of a tile without its halo, px. Fixed by parameters, never by free memory: on devices or
            precisions where sums depend on the shape it is part of what determines the bytes.
        halo: px; the network's `receptive_radius` when not given.

    Returns:
        NCHW of the shape of `image`.

    Raises:
        ValueError: tile below 1, halo below 0, or a network that changes the picture's size.
    """
    if halo is None:
        if not isinstance(network, nn.Module):
            raise ValueError("tiles of a plain function need an explicit halo")
        halo = receptive_radius(network)
    if tile < 1 or halo < 0:
        raise ValueError(f"tiles need tile >= 1 and halo >= 0 px, found tile {tile} and halo {halo}")
    height, width = image.shape[-2:]
    image = image.contiguous(memory_format=torch.channels_last)
    whole_pixels, stride = getattr(network, "whole_pixels", 0), getattr(network, "stride", 1)
    if (height <= tile and width <= tile) or height * width <= whole_pixels:
        return _run(network, image, *extra)
    if whole_pixels:
        warnings.warn(
            f"{type(network).__name__} looks further than any tile, and {width}x{height} px are more than the "
            f"{whole_pixels} px that it computes in one piece: the result depends on the tile side, {tile} px.",
            stacklevel=2,
        )
    output: Tensor | None = None
    for rows, columns in itertools.product(spans(height, tile), spans(width, tile)):
        top, bottom = aligned(windows(rows, height, halo), stride)
        left, right = aligned(windows(columns, width, halo), stride)
        window = image[..., top:bottom, left:right].contiguous(memory_format=torch.channels_last)
        known = {"place": (top, left, height, width)} if getattr(network, "placed", False) else {}
        part = _run(network, window, *extra, **known)
        if tuple(part.shape[-2:]) != (bottom - top, right - left):
            raise ValueError(
                f"tiles need a shape-preserving network; {bottom - top}x{right - left} px became {part.shape}"
            )
        part = part[..., rows[0] - top : rows[1] - top, columns[0] - left : columns[1] - left]
        if output is None:
            shape = (*part.shape[:2], height, width)
            output = torch.empty(shape, dtype=part.dtype, device=part.device, memory_format=torch.channels_last)
        output[..., rows[0] : rows[1], columns[0] : columns[1]] = part
    assert output is not None
    return output


def _run(network: Callable[..., Tensor], window: Tensor, *extra: Tensor, **known: Any) -> Tensor:
    """network(window, *extra, **known); a small window in copies, so that none of its convolutions is a small one."""
    copies = _copies(network, window)
    if copies == 1:
        return network(window, *extra, **known)
    batch = window.shape[0]
    many = window.repeat(copies, 1, 1, 1).contiguous(memory_format=torch.channels_last)
    repeated = [e.repeat(copies, *[1] * (e.ndim - 1)) if e.ndim and e.shape[0] == batch else e for e in extra]
    return network(many, *repeated, **known)[:batch]


def _copies(network: Callable[..., Tensor], window: Tensor) -> int:
    """How many copies of `window` make every convolution of `network` large; 1 where it does not matter."""
    exact = window.device.type == "cpu" and window.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    per_pixel: float | None = getattr(network, "values_per_pixel", None)
    if not exact or per_pixel is None:
        return 1
    values = window.shape[0] * window.shape[-2] * window.shape[-1] * per_pixel
    return min(math.ceil((FEW_VALUES + 1) / values), -(-MANY_PICTURES // window.shape[0]))
