"""Grids of fixed samples that each training leaves: a row per sample, a column per stage of it or per noise z."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dbgan.train.data import Picture

GAP = 4
"""White px between cells."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A grid of square cells with the words of its columns, which go into summary.json: readers need no code of ours.

    Attributes:
        columns: what each shows, from the left.
        pixels: HWC uint8 RGB; white where a column has fewer pictures than others.
    """

    columns: tuple[str, ...]
    pixels: Picture

    @classmethod
    def of(cls, columns: Mapping[str, Tensor]) -> Sheet:
        """Columns of NCHW float in [0, 1], all of one height."""
        return cls(tuple(columns), grid(list(columns.values())))

    @property
    def layout(self) -> dict[str, object]:
        """Its entry of summary.json: the columns' words and the white px between cells."""
        return {"columns": list(self.columns), "gap": GAP}


def between(first: NDArray[np.float64], second: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Noise on the way from one draw to another, both among them: the direction turns evenly from the one's to the
    other's (spherical interpolation), the length changes evenly. A straight way would pass by the origin, where
    hardly any draw of a normal distribution lies.

    Args:
        first: (C,), not zero.
        second: (C,), not zero and not opposite to `first`.
        steps: at least 2.

    Returns:
        (steps, C).
    """
    lengths = np.linalg.norm(first), np.linalg.norm(second)
    one, other = first / lengths[0], second / lengths[1]
    angle = np.arccos(np.clip(one @ other, -1.0, 1.0))
    share = np.linspace(0.0, 1.0, steps)[:, None]
    turned = one * (1.0 - share) + other * share
    if angle > 1e-6:
        turned = (np.sin((1.0 - share) * angle) * one + np.sin(share * angle) * other) / np.sin(angle)
    way: NDArray[np.float64] = turned * ((1.0 - share) * lengths[0] + share * lengths[1])
    way[0], way[-1] = first, second  # not what sines make of them
    return way


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
