"""Distances between sets of crops, with the spread that other pictures of the same kind would have given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from dbgan import seeds

RESAMPLES = 200
LEVEL = 0.95

Values = Sequence[NDArray[np.float64]]
"""One array per picture: the measure on each of its crops. Pictures, not crops, are what is drawn again."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A number and its 95 % bootstrap interval (of a floor: the range of the middle 95 % of its draws)."""

    value: float
    low: float
    high: float


def wasserstein(a: Values, b: Values) -> float:
    """One-dimensional Wasserstein-1 distance between two sets, in the measure's unit.

    Read it as the mean amount by which crops of `a` would have to change to be spread like those of `b`.
    """
    return float(wasserstein_distance(np.concatenate(a), np.concatenate(b)))


def median_difference(a: Values, b: Values) -> float:
    """Median over the crops of `a` minus that of `b`."""
    return float(np.median(np.concatenate(a)) - np.median(np.concatenate(b)))


def interval(statistic: Callable[[Values, Values], float], a: Values, b: Values, seed: int, purpose: str) -> Interval:
    """`statistic(a, b)` with its percentile bootstrap interval, for a statistic that chance moves both ways.

    The pictures of both sets are drawn again with replacement. Not for distances: see `distance_interval`.
    """
    low, high = np.quantile(_drawn(statistic, a, b, seed, purpose), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(statistic(a, b), float(low), float(high))


def distance_interval(a: Values, b: Values, seed: int, purpose: str) -> Interval:
    """`wasserstein(a, b)` = W with the interval max(0, W - h) to W + h, where h = max(0, q - W).

    q is the 97.5 % quantile of the distance between sets whose pictures were drawn again with replacement. Drawing can
    only add differences, so drawn distances lie above W, as W itself lies above the distance of the populations: a
    percentile interval of near-equal sets excludes both. The lower end is therefore that of the basic bootstrap
    (2 W - q, which takes the bias away), and the upper end the percentile's (q), since the basic one, 2 W - q_low, can
    fall under W. The value is W, uncorrected, as `floor` is.
    """
    value = wasserstein(a, b)
    upper = float(np.quantile(_drawn(wasserstein, a, b, seed, purpose), (1 + LEVEL) / 2))
    half = max(0.0, upper - value)
    return Interval(value, max(0.0, value - half), value + half)


def _drawn(statistic: Callable[[Values, Values], float], a: Values, b: Values, seed: int, purpose: str) -> list[float]:
    """The statistic of `RESAMPLES` pairs of sets whose pictures were drawn again with replacement."""
    rng = seeds.generator(seed, "bootstrap", purpose)
    return [
        statistic([a[i] for i in rng.integers(0, len(a), len(a))], [b[i] for i in rng.integers(0, len(b), len(b))])
        for _ in range(RESAMPLES)
    ]


def floor(values: Values, seed: int) -> Interval | None:
    """Distance between random halves of one set: what "the same" looks like at this size. None under 4 pictures."""
    if len(values) < 4:
        return None
    rng = seeds.generator(seed, "halves")
    half = len(values) // 2
    drawn = []
    for _ in range(RESAMPLES):
        order = rng.permutation(len(values))
        drawn.append(wasserstein([values[i] for i in order[:half]], [values[i] for i in order[half:]]))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(np.mean(drawn)), float(low), float(high))
