"""A BGAN's samples cut into squares, so that z can be walked."""

from __future__ import annotations

import numpy as np

from dbgan.report.noise import COLUMNS, cells, side_by_side
from tests.report.conftest import samples


def test_every_square_is_found_in_its_column() -> None:
    found = cells(samples())
    assert [[int(cell.max()) for cell in column] for column in found] == [[c, 10 + c] for c in range(len(COLUMNS))]
    assert all(cell.shape == (8, 8, 3) and cell.min() == cell.max() for column in found for cell in column)
    row = side_by_side(found[1])
    assert row.shape == (8, 20, 3)
    assert row[0, :, 0].tolist() == [1] * 8 + [255] * 4 + [11] * 8


def test_a_picture_of_another_layout_is_not_cut() -> None:
    assert cells(np.zeros((20, 56, 3), np.uint8)) == []
    assert cells(samples()[:, :-1]) == []
    assert cells(samples()[:-1]) == []
