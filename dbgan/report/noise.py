"""What each BGAN drew at the end of its training: the same frames under one z after another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dbgan.params import Params
from dbgan.report.pictures import Album, Picture

Pixels = NDArray[np.uint8]
COLUMNS = ("sharp", "z 1", "z 2", "z 3", "a real capture")
"""The columns of a BGAN's samples.png, as `train_bgan` leaves it: square cells, `GAP` white px between them."""
GAP = 4
WHITE = 255


@dataclass(frozen=True, slots=True)
class Drawn:
    """One BGAN's samples.png, whole, and its frames under each z: (caption, picture), sharp first."""

    name: str
    samples: Picture
    walk: tuple[tuple[str, Picture], ...]


def drawn(album: Album, params: Params) -> list[Drawn]:
    """Every BGAN of params that left samples.png; what is absent is noted by the model's own card."""
    found = []
    for name in params.bgan:
        file, stage = f"bgan/{name}/samples.png", f"train_bgan@{name}"
        alt = f"Frames blurred by BGAN {name}. Columns from the left: {', '.join(COLUMNS)}"
        samples, pixels = album.figure(file, alt, stage, "models"), album.pixels(file, stage, "models")
        if samples is None or pixels is None:
            continue
        columns = cells(pixels)[:-1]
        walk = tuple(
            (caption, album.embedded(side_by_side(column), f"Frames of BGAN {name}: {caption}"))
            for caption, column in zip(COLUMNS, columns, strict=False)
        )
        found.append(Drawn(name, samples, walk))
    return found


def cells(grid: Pixels) -> list[list[Pixels]]:
    """The columns of samples.png as lists of square cells, top first; nothing where it is not laid out so.

    Args:
        grid: HWC uint8 RGB, `len(COLUMNS)` columns of squares with `GAP` white px between.
    """
    height, width = grid.shape[:2]
    side, left_over = divmod(width - GAP * (len(COLUMNS) - 1), len(COLUMNS))
    if side < 1 or left_over or (height + GAP) % (side + GAP):
        return []
    starts = [range(0, end, side + GAP) for end in (width, height)]
    between = [grid[:, x + side : x + side + GAP] for x in starts[0]]
    if any((strip != WHITE).any() for strip in between):
        return []
    return [[grid[y : y + side, x : x + side] for y in starts[1]] for x in starts[0]]


def side_by_side(column: list[Pixels]) -> Pixels:
    """Squares of one size in a row, `GAP` white px between."""
    white = np.full((column[0].shape[0], GAP, 3), WHITE, np.uint8)
    return np.hstack([part for cell in column for part in (cell, white)][:-1])
