"""Captioned grids: nothing is cut off, and equal input gives equal pixels."""

from __future__ import annotations

import numpy as np

from dbgan import sheet
from dbgan.sheet import Block, Cell, draw

PICTURE = np.full((40, 60, 3), (0, 114, 178), dtype=np.uint8)


def shown(drawn: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> int:
    return int((drawn == PICTURE[0, 0]).all(axis=2).sum())


def test_every_picture_is_drawn_whole_at_its_own_size() -> None:
    drawn = draw("title", [Block("a", (Cell(PICTURE),) * 5), Block("b", (Cell(PICTURE),))], columns=2)
    assert shown(drawn) == 6 * 40 * 60


def test_long_words_are_wrapped_within_the_cell() -> None:
    key = "GOPR0372_07_00/" + "0123456789" * 6
    short, long = (draw("t", [Block("", (Cell(PICTURE, (text,)),))], columns=1) for text in ("key", key))
    assert long.shape[1] == short.shape[1]
    assert long.shape[0] > short.shape[0] + 5 * sheet.CAPTION_SIZE
    assert (long[:, -sheet.GAP :] == 255).all()


def test_equal_input_gives_equal_pixels_and_an_empty_cell_keeps_its_place() -> None:
    blocks = [Block("heading", (Cell(None, ("none",)), Cell(PICTURE, ("one",), sheet.DROPPED)))]
    first, second = (draw("title", blocks, columns=2, notes=("note",)) for _ in range(2))
    assert np.array_equal(first, second)
    columns = np.flatnonzero((first == PICTURE[0, 0]).all(axis=2).any(axis=0))
    assert columns[0] >= 2 * sheet.GAP + 60


def test_fit_keeps_the_shape_and_enlarges_only_when_asked() -> None:
    assert sheet.fit(PICTURE, 30, 100).shape == (20, 30, 3)
    assert sheet.fit(PICTURE, 600, 600) is PICTURE
    assert sheet.fit(PICTURE, 600, 600, enlarge=True).shape == (400, 600, 3)


def test_centre_and_beside() -> None:
    picture = np.arange(40 * 60 * 3).reshape(40, 60, 3).astype(np.uint8)
    assert np.array_equal(sheet.centre(picture, 20, 10), picture[15:25, 20:40])
    assert sheet.beside([picture, picture[:10]], gap=4).shape == (40, 124, 3)
