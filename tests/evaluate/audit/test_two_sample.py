"""The classifier tells blur that differs, not blur that is alike, and says when there is too little to learn from."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from dbgan.evaluate.audit.crops import Shot
from dbgan.evaluate.audit.panel import threads
from dbgan.evaluate.audit.two_sample import Told, auc, chance, fold_of, two_sample
from tests.evaluate.audit.shots import shots
from tests.tiny_corpora import moved


def told(first: list[Shot], second: list[Shot], steps: int = 30) -> Told:
    with threads(1):
        return two_sample(first, second, steps=steps, folds=2, noise=0.05, seed=0, purpose="test")


def test_the_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, 9).astype(float), rng.integers(2, 8, 7).astype(float)
    pairs = [1.0 if y > x else 0.5 if y == x else 0.0 for x, y in itertools.product(a, b)]
    assert auc(a, b) == np.mean(pairs)


def test_blur_twice_as_long_is_told_and_equal_blur_is_not() -> None:
    real = shots(0, 24, lambda p: moved(p, 5))
    longer, equal = shots(100, 24, lambda p: moved(p, 11)), shots(100, 24, lambda p: moved(p, 5))
    found = told(longer, real)
    assert found.auc is not None
    assert found.auc.low > 0.75
    same = told(equal, real)
    assert same.auc is not None
    assert same.auc.low < 0.5 < same.auc.high
    assert (same.folds, same.pictures) == (2, (24, 24))


def test_chance_is_what_random_scores_reach_in_the_same_folds() -> None:
    rng = np.random.default_rng(3)
    parts = [np.array([0] * 5 + [1] * 7 + [2] * 8), np.array([0] * 6 + [1] * 5 + [2] * 4)]
    weights = [5 * 6, 7 * 5, 8 * 4]
    drawn = [
        np.average(
            [auc(*(rng.normal(size=int(np.sum(p == fold))) for p in parts)) for fold in range(3)], weights=weights
        )
        for _ in range(2000)
    ]
    assert chance(parts) == pytest.approx(float(np.quantile(drawn, 0.975)), abs=0.015)
    assert chance([np.zeros(200, int), np.zeros(200, int)]) < 0.56


def test_colour_brightness_and_contrast_are_hidden_from_it() -> None:
    """A tint is content drift's to find; the classifier judges blur."""
    real = shots(0, 16, lambda p: moved(p, 5))
    tinted = shots(100, 16, lambda p: (moved(p, 5) * np.array([0.5, 0.6, 0.5])).astype(np.uint8))
    found = told(tinted, real, steps=30)
    assert found.auc is not None
    assert found.auc.low < 0.5


def test_a_second_run_gives_the_same_numbers() -> None:
    first, second = shots(0, 6, lambda p: p), shots(50, 6, lambda p: moved(p, 9))
    with threads(2):
        assert told(first, second, steps=3) == told(first, second, steps=3)
        assert torch.get_num_threads() == 2


def test_too_few_pictures_or_sequences_are_said_in_words() -> None:
    enough = shots(0, 6, lambda p: p)
    assert "4 pictures of each set, not 3 and 6" in told(enough[:3], enough).why
    one = shots(50, 6, lambda p: p, sequences=1)
    found = told(one, enough)
    assert found.auc is None
    assert "two sequences of each set, there are 1 and 4" in found.why


def test_folds_hold_whole_sequences_and_are_as_even_as_these_allow() -> None:
    groups = ["a"] * 5 + ["b"] * 3 + ["c"] * 2 + ["d"]
    fold = fold_of(groups, 2)
    assert all(len(set(fold[np.array(groups) == name].tolist())) == 1 for name in "abcd")
    assert sorted(np.bincount(fold).tolist()) == [5, 6]
