"""The grid of fixed samples that each training leaves: a row per sample, a column per stage of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from dbgan.train.data import Picture

GAP = 4
"""White px between cells."""


def to_uint8(pictures: Tensor) -> Picture:
    """NCHW float in [0, 1] -> NHWC uint8, clamped and rounded to nearest."""
    rounded = pictures.detach().float().clamp(0, 1).mul(255.0).round().cpu()
    return np.ascontiguousarray(rounded.permute(0, 2, 3, 1).numpy().astype(np.uint8))


def grid(columns: Sequence[Tensor]) -> Picture:
    """Pictures side by side on white: row `n` holds the `n`-th picture of every column.

    Args:
        columns: NCHW float in [0, 1], all of one height; a column with fewer pictures is filled up with white.
    """
    pictures = [to_uint8(column) for column in columns]
    rows = max(len(p) for p in pictures)
    height = max(p.shape[1] for p in pictures)
    total = sum(p.shape[2] for p in pictures) + GAP * (len(pictures) - 1)
    canvas = np.full((rows * height + GAP * (rows - 1), total, 3), 255, np.uint8)
    left = 0
    for column in pictures:
        for row, picture in enumerate(column):
            top = row * (height + GAP)
            canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        left += column.shape[2] + GAP
    return canvas
