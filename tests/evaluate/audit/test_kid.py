"""KID is the unbiased estimator of its paper, leaves pairs of one picture out, and has an honest interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dbgan.evaluate.audit import features, kid
from dbgan.evaluate.audit.neutral import neutral
from dbgan.params import FeatureParams
from tests.evaluate.audit.shots import shots
from tests.tiny_corpora import moved


def by_hand(x: np.ndarray, y: np.ndarray) -> float:
    """Eq. 4 of Binkowski et al. with its kernel, in plain loops."""

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    m, n = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    yy = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (m * n)


def test_with_one_crop_per_picture_it_is_the_formula_by_hand() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 5)), rng.normal(0.5, 1.2, size=(4, 5))
    found = kid.kid(x, y, np.arange(6), np.arange(4))
    assert found.value == pytest.approx(by_hand(x, y))
    assert found.low < found.value < found.high


def test_it_is_unbiased_and_copies_of_a_crop_change_nothing() -> None:
    rng = np.random.default_rng(1)
    drawn = [kid.kid(rng.normal(size=(8, 3)), rng.normal(size=(8, 3)), np.arange(8), np.arange(8)) for _ in range(300)]
    values = np.array([own.value for own in drawn])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(300)
    assert np.mean([own.low <= 0 <= own.high for own in drawn]) > 0.85
    x, y = rng.normal(size=(6, 3)), rng.normal(1.0, 1.0, size=(6, 3))
    once = kid.kid(x, y, np.arange(6), np.arange(6))
    twice = kid.kid(np.repeat(x, 2, axis=0), y, np.repeat(np.arange(6), 2), np.arange(6))
    assert (twice.value, twice.low) == pytest.approx((once.value, once.low))


def test_the_floor_of_one_distribution_is_about_zero_and_needs_two_pictures_in_each_half() -> None:
    x = np.random.default_rng(2).normal(size=(40, 3))
    found = kid.floor(x, np.arange(40), [str(i) for i in range(40)], 0)
    assert found is not None
    assert found.low < 0 < found.high
    assert kid.floor(x[:3], np.arange(3), ["a"] * 3, 0) is None
    with pytest.raises(ValueError, match="fewer than two pictures"):
        kid.kid(x[:1], x, np.arange(1), np.arange(40))


def test_features_tell_blur_four_times_as_long_and_not_equal_blur(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    net, note = features.network(FeatureParams())
    assert "random features" in note
    assert net.description.startswith("random VGG19-shaped relu1_2 + relu2_2 + relu3_4 features")
    sets = [
        shots(0, 24, lambda p: moved(p, 5)),
        shots(100, 24, lambda p: moved(p, 5)),
        shots(100, 24, lambda p: moved(p, 21)),
    ]
    known = [features.vectors(net, neutral(own, 0.05, 0, str(i))[0]) for i, own in enumerate(sets)]
    middle, spread = known[0].mean(axis=0), known[0].std(axis=0)
    owners = np.arange(24)
    same, other = (kid.kid((own - middle) / spread, (known[0] - middle) / spread, owners, owners) for own in known[1:])
    assert same.low < 0 < same.high
    assert other.low > 0


def test_neutral_crops_have_one_mean_and_contrast_and_name_their_pictures() -> None:
    crops, owners = neutral(shots(0, 3, lambda p: p // 3), 0.05, 0, "x")
    assert crops.shape == (3, 1, 64, 64)
    assert owners.tolist() == [0, 1, 2]
    assert crops.mean(dim=(1, 2, 3)).abs().max() < 5e-3
    assert torch.allclose(crops.std(dim=(1, 2, 3), unbiased=False), torch.ones(3), atol=5e-3)
