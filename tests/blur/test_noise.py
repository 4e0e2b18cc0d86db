"""Gaussian noise by table, against scipy's Gaussian."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dbgan.blur import noise
from dbgan.blur.noise import LEVELS, GaussianRows, look_up
from dbgan.seeds import generator

COLUMNS = 3 * 1280


def drawn(rows: int = 256, *, seed: int = 1, sigma: float = 1.0, columns: int = COLUMNS) -> np.ndarray:
    return GaussianRows(generator(seed, "test"), sigma, columns).next(rows)


def test_the_table_is_the_gaussian_to_the_width_of_its_steps() -> None:
    table = np.unique(noise._quantiles())

    assert len(table) == LEVELS
    below = (np.arange(LEVELS) + 0.5) / LEVELS
    assert np.abs(stats.norm.cdf(table) - below).max() < 3e-6
    assert table.mean() == pytest.approx(0.0, abs=1e-12)
    assert table.var() == pytest.approx(1.0, abs=1e-12)
    assert stats.kurtosis(table) == pytest.approx(0.0, abs=1e-3)
    assert np.abs(table).max() == pytest.approx(4.325, abs=1e-3)


def test_a_picture_of_noise_passes_for_scipys_gaussian() -> None:
    """A million values: as far from it as a true Gaussian's would be, in moments, distribution and neighbours."""
    values = drawn(sigma=2.5).astype(np.float64) / 2.5
    count = values.size

    assert abs(values.mean()) < 4 / np.sqrt(count)
    assert abs(values.var() - 1) < 4 * np.sqrt(2 / count)
    assert abs(stats.skew(values, axis=None)) < 4 * np.sqrt(6 / count)
    assert abs(stats.kurtosis(values, axis=None)) < 4 * np.sqrt(24 / count)
    assert stats.kstest(values.ravel()[::5], stats.norm.cdf).pvalue > 0.01
    for step in [(0, 1), (0, 3), (1, 0), (0, 4)]:  # neighbours, channels, rows, words of random bits
        moved = values[: len(values) - step[0] or None, : COLUMNS - step[1] or None]
        assert abs((moved * values[step[0] :, step[1] :]).mean()) < 4 / np.sqrt(count)


def test_no_value_depends_on_how_many_rows_are_asked_for_at_a_time() -> None:
    for columns in (COLUMNS, 9, 1):
        rows = GaussianRows(generator(1, "test"), 1.0, columns)
        pieces = [rows.next(count) for count in (1, 6, 3)]
        assert np.array_equal(np.concatenate(pieces), drawn(10, columns=columns))


def test_seeds_give_independent_noise() -> None:
    one, other = drawn(seed=1), drawn(seed=2)

    assert np.array_equal(one, drawn(seed=1))
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4e-3


def test_values_are_those_of_every_machine() -> None:
    """Bit generators have one stream in all versions of numpy; its distributions have not."""
    found = drawn(2, columns=3)

    assert found[0].tolist() == pytest.approx([-1.22374249, 0.82822651, 1.35554862], abs=2e-7)
    assert found[1].tolist() == pytest.approx([-1.11331213, -0.17420010, 1.51067699], abs=2e-7)


def test_both_ways_of_looking_up_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    index = np.random.default_rng(0).integers(0, LEVELS, (5, 12), dtype=np.uint16)[:, :9]
    table = np.random.default_rng(1).random(LEVELS, dtype=np.float32)

    found = look_up(table, index)
    monkeypatch.setattr(noise, "_opencv_looks_up", lambda: False)

    assert np.array_equal(found, table[index])
    assert np.array_equal(look_up(table, index), found)
