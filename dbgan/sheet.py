"""Captioned pictures in a grid: contact sheets, restored pictures beside their inputs, variants of one blur.

Drawn with Pillow at exact pixels, without time or software in the result: equal pictures and words give equal bytes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

INK = (33, 37, 41)
FAINT = (95, 104, 112)
PAPER = (255, 255, 255)
EMPTY = (233, 236, 239)
DROPPED = (213, 94, 0)
"""Vermilion of the Okabe-Ito palette, which colour-blind people tell from the rest."""

GAP = 12
TITLE_SIZE, HEADING_SIZE, CAPTION_SIZE = 20, 15, 12
LINE = 1.35
"""Line height, of the font's size."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture (HWC uint8 RGB, drawn at its own size) with caption lines; outlined where `outline` is set."""

    picture: NDArray[np.uint8] | None
    captions: tuple[str, ...] = ()
    outline: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A heading and its cells, row by row."""

    heading: str
    cells: tuple[Cell, ...]


def fit(picture: NDArray[np.uint8], width: int, height: int, *, enlarge: bool = False) -> NDArray[np.uint8]:
    """Reduce HWC uint8 RGB to fit into `width` x `height` px, keeping its shape.

    Args:
        picture: HWC uint8 RGB.
        width: limit, px.
        height: limit, px.
        enlarge: also enlarge a smaller picture to the limit.
    """
    scale = min(width / picture.shape[1], height / picture.shape[0])
    if scale >= 1 and not enlarge:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(np.ascontiguousarray(picture), size, interpolation=how), dtype=np.uint8)


def centre(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The central crop of at most `width` x `height` px."""
    top, left = max(0, (picture.shape[0] - height) // 2), max(0, (picture.shape[1] - width) // 2)
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


def beside(pictures: Sequence[NDArray[np.uint8]], gap: int = 2) -> NDArray[np.uint8]:
    """Pictures in a row, aligned at the top, on paper."""
    height, width = max(p.shape[0] for p in pictures), sum(p.shape[1] for p in pictures) + gap * (len(pictures) - 1)
    canvas = np.full((height, width, 3), PAPER, dtype=np.uint8)
    left = 0
    for picture in pictures:
        canvas[: picture.shape[0], left : left + picture.shape[1]] = picture
        left += picture.shape[1] + gap
    return canvas


def draw(title: str, blocks: Sequence[Block], *, columns: int, notes: Sequence[str] = ()) -> NDArray[np.uint8]:
    """The sheet as HWC uint8 RGB: title, notes, then each block's heading and its cells in `columns` columns.

    Captions are wrapped to the cell's width; nothing is cut off.
    """
    cells = [cell for block in blocks for cell in block.cells]
    width = max((c.picture.shape[1] for c in cells if c.picture is not None), default=320)
    total = GAP + columns * (width + GAP)
    flow = list(_flow(title, blocks, columns, notes, total - 2 * GAP))
    canvas = Image.new("RGB", (total, 2 * GAP + sum(_height(item, width) for item in flow)), PAPER)
    pen, top = ImageDraw.Draw(canvas), GAP
    for item in flow:
        if isinstance(item, _Text):
            pen.text((GAP, top), item.line, font=_font(item.size), fill=item.colour)
        elif isinstance(item, tuple):
            for index, cell in enumerate(item):
                _draw_cell(canvas, pen, cell, GAP + index * (width + GAP), top, width, _picture_height(item))
        top += _height(item, width)
    return np.asarray(canvas, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class _Text:
    line: str
    size: int
    colour: tuple[int, int, int]


_Item = _Text | tuple[Cell, ...] | int
"""What flows down the sheet: a line of text, a row of cells, or a gap in px."""


def _flow(title: str, blocks: Sequence[Block], columns: int, notes: Sequence[str], width: int) -> Iterator[_Item]:
    yield from (_Text(line, TITLE_SIZE, INK) for line in _wrap(title, TITLE_SIZE, width))
    for note in notes:
        yield from (_Text(line, CAPTION_SIZE, FAINT) for line in _wrap(note, CAPTION_SIZE, width))
    for block in blocks:
        if block.heading:
            yield GAP // 2
            yield from (_Text(line, HEADING_SIZE, INK) for line in _wrap(block.heading, HEADING_SIZE, width))
        yield GAP // 2
        for at in range(0, len(block.cells), columns):
            yield block.cells[at : at + columns]


def _height(item: _Item, width: int) -> int:
    if isinstance(item, int):
        return item
    if isinstance(item, _Text):
        return _line_height(item.size)
    lines = max(sum(len(_wrap(text, CAPTION_SIZE, width)) for text in cell.captions) for cell in item)
    return _picture_height(item) + lines * _line_height(CAPTION_SIZE) + GAP + 4


def _draw_cell(
    canvas: Image.Image, pen: ImageDraw.ImageDraw, cell: Cell, left: int, top: int, width: int, height: int
) -> None:
    if cell.picture is None:
        pen.rectangle((left, top, left + width - 1, top + height - 1), fill=EMPTY)
    else:
        x, y = left + (width - cell.picture.shape[1]) // 2, top + (height - cell.picture.shape[0]) // 2
        canvas.paste(Image.fromarray(cell.picture), (x, y))
        if cell.outline is not None:
            box = (x - 3, y - 3, x + cell.picture.shape[1] + 2, y + cell.picture.shape[0] + 2)
            pen.rectangle(box, outline=cell.outline, width=3)
    y = top + height + 4
    for caption in cell.captions:
        for line in _wrap(caption, CAPTION_SIZE, width):
            pen.text((left, y), line, font=_font(CAPTION_SIZE), fill=cell.outline or FAINT)
            y += _line_height(CAPTION_SIZE)


def _picture_height(row: Sequence[Cell]) -> int:
    return max((c.picture.shape[0] for c in row if c.picture is not None), default=120)


def _line_height(size: int) -> int:
    return round(size * LINE)


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans from matplotlib's wheel: the same letters on every machine, also for names in other alphabets."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def _wrap(text: str, size: int, width: int) -> list[str]:
    """Lines of at most `width` px; a word that is longer (a key) is broken."""
    font, line = _font(size), ""
    lines: list[str] = []
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if font.getlength(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while font.getlength(line) > width and len(line) > 1:
            fits = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or font.getlength(line[:n]) <= width)
            lines.append(line[:fits])
            line = line[fits:]
    return [*lines, line]
