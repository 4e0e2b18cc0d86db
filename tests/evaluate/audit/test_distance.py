"""Distances and their bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dbgan.evaluate.audit import distance


def normal(mean: float, pictures: int = 60, seed: int = 0) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return [rng.normal(mean, 1.0, 4) for _ in range(pictures)]


def test_the_distance_of_a_shifted_set_is_the_shift() -> None:
    values = normal(3.0)
    assert abs(distance.wasserstein(values, [v + 1.5 for v in values]) - 1.5) < 1e-9
    # By hand: {0, 1, 3} against {5, 6, 8} moves each value by 5.
    assert distance.wasserstein([np.array([0.0, 1.0, 3.0])], [np.array([6.0, 5.0, 8.0])]) == 5.0


def test_the_interval_holds_the_true_difference_and_excludes_none() -> None:
    found = distance.interval(distance.median_difference, normal(5.0), normal(3.0, seed=1), 0, "x")
    assert found.low < 2.0 < found.high
    assert 0.3 < found.high - found.low < 1.2
    same = distance.interval(distance.median_difference, normal(3.0), normal(3.0, seed=1), 0, "x")
    assert same.low < 0 < same.high


@pytest.mark.parametrize("shift", [0.1, 0.5, 1.5])
@pytest.mark.parametrize("pictures", [10, 40])
def test_the_interval_of_a_distance_holds_the_known_one_in_nearly_all_trials(shift: float, pictures: int) -> None:
    """Between N(m, 1) and N(m + shift, 1) the Wasserstein-1 distance is the shift, exactly."""
    trials = [(normal(shift, pictures, seed=2 * t), normal(0.0, 40, seed=2 * t + 1)) for t in range(30)]
    found = [distance.distance_interval(a, b, t, "x") for t, (a, b) in enumerate(trials)]
    assert all(0.0 <= own.low <= own.value <= own.high for own in found)
    # 95 % of 30 trials are 28.5; the chance of fewer than 25 at that rate is under 1 %.
    assert sum(own.low <= shift <= own.high for own in found) >= 25


def test_the_interval_of_near_equal_sets_reaches_down_to_zero_and_of_distant_ones_does_not() -> None:
    near = distance.distance_interval(normal(3.0, 20), normal(3.0, 20, seed=1), 0, "x")
    assert near.low == 0.0 < near.value < near.high
    # What was wrong with the percentile interval: it excludes its own estimate, and zero all the more.
    assert distance.interval(distance.wasserstein, normal(3.0, 20), normal(3.0, 20, seed=1), 0, "x").low > 0.0
    assert distance.distance_interval(normal(5.0, 20), normal(3.0, 20, seed=1), 0, "x").low > 1.0
    same = distance.distance_interval(normal(3.0, 20), normal(3.0, 20), 0, "x")
    assert same.low == same.value == 0.0 < same.high


def test_the_same_seed_gives_the_same_interval_and_another_purpose_another() -> None:
    def run(purpose: str) -> distance.Interval:
        return distance.distance_interval(normal(5.0), normal(3.0, seed=1), 7, purpose)

    assert run("a") == run("a")
    assert run("a") != run("b")


def test_pictures_not_crops_are_drawn_again() -> None:
    """Copies of one crop add no certainty: 4 equal crops per picture give the interval of one crop per picture."""
    once = [np.array([v[0]]) for v in normal(3.0, 20)]
    four = [np.repeat(v, 4) for v in once]
    intervals = [distance.interval(distance.median_difference, v, v, 0, "x") for v in (once, four)]
    assert intervals[0] == intervals[1]


def test_the_floor_shrinks_with_more_pictures_and_needs_four() -> None:
    few, many = distance.floor(normal(3.0, 8), 0), distance.floor(normal(3.0, 200), 0)
    assert few is not None
    assert many is not None
    assert 0 < many.value < few.value
    assert distance.floor(normal(3.0, 3), 0) is None


def test_the_circular_distance_goes_the_shorter_way_round() -> None:
    a, b = [np.array([10.0, 20.0])], [np.array([170.0, 0.0])]
    assert distance.circular(a, b) == pytest.approx(20.0)  # by hand: 10 -> 170 and 20 -> 0 are 20 degrees each
    assert distance.circular(a, [np.array([190.0, 200.0])]) == pytest.approx(0.0)
    assert distance.circular([np.array([0.0])], [np.array([90.0])]) == pytest.approx(90.0)


def test_the_circular_distance_is_the_smallest_over_all_ways_to_cut_the_circle() -> None:
    """With as many values on both sides the best transport is one of the cyclic matchings of the sorted values."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = np.sort(rng.uniform(0, 180, 7)), np.sort(rng.uniform(0, 180, 7) ** 1.1 % 180)
        gaps = [np.abs(a - np.roll(b, shift)) for shift in range(7)]
        expected = min(float(np.mean(np.minimum(gap, 180 - gap))) for gap in gaps)
        assert distance.circular([a], [b]) == pytest.approx(expected)


def test_the_banded_distance_is_the_mean_over_bands() -> None:
    a = [np.array([[0.0, 10.0], [1.0, 10.0]])]
    assert distance.banded(a, [np.array([[2.0, 10.0], [3.0, 14.0]])]) == pytest.approx((2.0 + 2.0) / 2)


def test_the_floor_halves_whole_sequences_where_there_are_four() -> None:
    """Pictures of one scene are alike: halves that share scenes would call real captures more alike than they are."""
    scenes = [np.full(3, float(s)) for s in (0, 0, 10, 10, 20, 20, 30, 30)]
    groups = [f"s{i // 2}" for i in range(8)]
    apart, mixed = distance.floor(scenes, 0, groups=groups), distance.floor(scenes, 0)
    assert apart is not None
    assert mixed is not None
    assert apart.value > 1.5 * mixed.value
    # by hand: halves of {0, 10, 20, 30} are 20, 10 or 10 apart ({0,1 | 2,3}, {0,2 | 1,3}, {0,3 | 1,2})
    assert {apart.low, apart.high} == {10.0, 20.0}
