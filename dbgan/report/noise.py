"""What each BGAN drew at the end of its training: the same frames under draws of the noise z, and on the way from one
draw to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbgan.params import Params
from dbgan.report.pictures import Album, Picture

Pixels = NDArray[np.uint8]
WHITE = 255
STRIP_ROWS = 2
"""Frames of the strip; the walk that moves shows all."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One BGAN's pictures.

    Attributes:
        name: of the BGAN.
        samples: samples.png, whole.
        columns: what its columns show.
        strip: the first frames under each z of the way, side by side; None where it left no walk.png.
        walk: (caption, all frames under one z), in the order of the way.
    """

    name: str
    samples: Picture
    columns: tuple[str, ...]
    strip: Picture | None
    walk: tuple[tuple[str, Picture], ...]


def drawn(album: Album, params: Params) -> list[Drawn]:
    """Every BGAN of params that left samples.png; what is absent is noted as missing."""
    found = []
    for name in params.bgan:
        stage = f"train_bgan@{name}"
        layouts = album.inputs.json("models", f"bgan/{name}/summary.json", stage).get("pictures")
        columns, _ = layout(layouts, "samples.png")
        alt = f"Frames blurred by BGAN {name}. Columns from the left: {', '.join(columns) or 'not said'}"
        samples = album.figure(f"bgan/{name}/samples.png", alt, stage, "models")
        if samples is None:
            continue
        strip, walk = _walked(album, name, stage, layouts)
        found.append(Drawn(name, samples, columns, strip, walk))
    return found


def _walked(
    album: Album, name: str, stage: str, layouts: Any
) -> tuple[Picture | None, tuple[tuple[str, Picture], ...]]:
    """The strip and the walk of one BGAN's walk.png."""
    columns, gap = layout(layouts, "walk.png")
    pixels = album.pixels(f"bgan/{name}/walk.png", stage, "models")
    found = [] if pixels is None else cells(pixels, len(columns), gap)
    if not found:
        if pixels is not None:
            album.inputs.note("models", f"bgan/{name}/walk.png", "is not laid out as its summary.json says", stage)
        return None, ()
    rows = [beside([column[row] for column in found], gap) for row in range(min(STRIP_ROWS, len(found[0])))]
    alt = f"Frames blurred by BGAN {name}, from the left: {', '.join(columns)}"
    strip = album.embedded(beside([np.swapaxes(row, 0, 1) for row in rows], gap).swapaxes(0, 1), alt)
    walk = tuple(
        (words, album.embedded(beside(column, gap), f"Frames of BGAN {name}: {words}"))
        for words, column in zip(columns, found, strict=True)
    )
    return strip, walk


def layout(layouts: Any, file: str) -> tuple[tuple[str, ...], int]:
    """What the columns of a sheet show and the px between its cells, from `pictures` of summary.json; else nothing."""
    entry = layouts.get(file) if isinstance(layouts, Mapping) else None
    columns, gap = (entry.get("columns"), entry.get("gap")) if isinstance(entry, Mapping) else (None, None)
    if not isinstance(columns, list) or not isinstance(gap, int):
        return (), 0
    return tuple(map(str, columns)), gap


def cells(grid: Pixels, count: int, gap: int) -> list[list[Pixels]]:
    """The columns of a sheet as lists of square cells, top first; nothing where it is not laid out so.

    Args:
        grid: HWC uint8 RGB, `count` columns of squares with `gap` white px between.
        count: columns.
        gap: px.
    """
    if count < 1:
        return []
    height, width = grid.shape[:2]
    side, left_over = divmod(width - gap * (count - 1), count)
    if side < 1 or left_over or (height + gap) % (side + gap):
        return []
    starts = [range(0, end, side + gap) for end in (width, height)]
    between = [grid[:, x + side : x + side + gap] for x in starts[0]]
    if any((strip != WHITE).any() for strip in between):
        return []
    return [[grid[y : y + side, x : x + side] for y in starts[1]] for x in starts[0]]


def beside(squares: list[Pixels], gap: int) -> Pixels:
    """Pictures of one height in a row, `gap` white px between."""
    white = np.full((squares[0].shape[0], gap, 3), WHITE, np.uint8)
    return np.hstack([part for cell in squares for part in (cell, white)][:-1])
