"""Sheets of samples, and the way from one noise to another."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dbgan.train.pictures import GAP, Sheet, between


def test_a_sheet_names_its_columns_and_fills_up_with_white() -> None:
    sheet = Sheet.of({"two": torch.zeros(2, 3, 8, 8), "one": torch.full((1, 3, 8, 8), 0.5)})
    assert sheet.layout == {"columns": ["two", "one"], "gap": GAP}
    assert sheet.pixels.shape == (16 + GAP, 16 + GAP, 3)
    assert (sheet.pixels[:8, :8].max(), sheet.pixels[0, 8 + GAP, 0], sheet.pixels[-1, -1, 0]) == (0, 128, 255)


def test_noise_turns_evenly_from_one_draw_to_the_other() -> None:
    way = between(np.array([2.0, 0.0, 0.0]), np.array([0.0, 4.0, 0.0]), 5)
    degrees = np.degrees(np.arctan2(way[:, 1], way[:, 0]))
    assert degrees == pytest.approx([0.0, 22.5, 45.0, 67.5, 90.0])
    assert np.linalg.norm(way, axis=1) == pytest.approx([2.0, 2.5, 3.0, 3.5, 4.0])


def test_ends_of_the_way_are_the_draws_and_equal_draws_are_no_error() -> None:
    first, second = np.random.default_rng(0).standard_normal((2, 4))
    way = between(first, second, 7)
    assert np.allclose(way[[0, -1]], [first, second])
    assert between(first, first, 3) == pytest.approx(np.tile(first, (3, 1)))
