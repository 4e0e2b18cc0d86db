"""Distances between sets of crops, with the spread that other pictures of the same kind would have given."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance

from dbgan import seeds

RESAMPLES = 200
LEVEL = 0.95

Values = Sequence[NDArray[np.float64]]
"""One array per picture: the measure on each of its crops. Pictures, not crops, are what is drawn again."""

TURN = 180.0
"""Degrees after which a direction of blur is the same again."""

MIN_PICTURES = 4
"""Fewer pictures leave no floor; groups are told apart from this many on."""


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


def circular(a: Values, b: Values) -> float:
    """Wasserstein-1 distance between two sets of directions, degrees: 0 and 180 are the same. At most 90.

    On a circle it is the integral of |F(x) - G(x) - m|, m the median of F - G over the circle (Rabin, Delon and
    Gousseau, "Transportation distances on the circle", 2011, Eq. 7): mass may go either way round.
    """
    first, second = (np.concatenate(values) % TURN for values in (a, b))
    places = np.concatenate([first, second])
    order = np.argsort(places, kind="stable")
    steps = np.concatenate([np.full(len(first), 1 / len(first)), np.full(len(second), -1 / len(second))])[order]
    difference = np.cumsum(steps)
    # the arc behind each place; that behind the last one goes on to the first
    lengths = np.diff(np.append(places[order], places[order][0] + TURN))
    by_height = np.argsort(difference, kind="stable")
    middle = by_height[int(np.searchsorted(np.cumsum(lengths[by_height]), TURN / 2))]
    return float(np.sum(lengths * np.abs(difference - difference[middle])))


def banded(a: Values, b: Values) -> float:
    """Mean over bands of the Wasserstein-1 distances in each; arrays are (crops, bands)."""
    first, second = np.concatenate(a), np.concatenate(b)
    return float(np.mean([wasserstein_distance(x, y) for x, y in zip(first.T, second.T, strict=True)]))


def median_difference(a: Values, b: Values) -> float:
    """Median over the crops of `a` minus that of `b`."""
    return float(np.median(np.concatenate(a)) - np.median(np.concatenate(b)))


def interval(statistic: Callable[[Values, Values], float], a: Values, b: Values, seed: int, purpose: str) -> Interval:
    """`statistic(a, b)` with its percentile bootstrap interval, for a statistic that chance moves both ways.

    The pictures of both sets are drawn again with replacement. Not for distances: see `distance_interval`.
    """
    low, high = np.quantile(_drawn(statistic, a, b, seed, purpose), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(statistic(a, b), float(low), float(high))


def distance_interval(
    a: Values, b: Values, seed: int, purpose: str, statistic: Callable[[Values, Values], float] = wasserstein
) -> Interval:
    """A distance W between two sets with the interval max(0, W - h) to W + h, where h = max(0, q - W).

    q is the 97.5 % quantile of the distance between sets whose pictures were drawn again with replacement. Drawing can
    only add differences, so drawn distances lie above W, as W itself lies above the distance of the populations: a
    percentile interval of near-equal sets excludes both. The lower end is therefore that of the basic bootstrap
    (2 W - q, which takes the bias away), and the upper end the percentile's (q), since the basic one, 2 W - q_low, can
    fall under W. The value is W, uncorrected, as `floor` is.

    Args:
        a, b: at least one picture each.
        seed, purpose: of the draws.
        statistic: `wasserstein`, `circular` or `banded`.
    """
    value = statistic(a, b)
    upper = float(np.quantile(_drawn(statistic, a, b, seed, purpose), (1 + LEVEL) / 2))
    half = max(0.0, upper - value)
    return Interval(value, max(0.0, value - half), value + half)


def _drawn(statistic: Callable[[Values, Values], float], a: Values, b: Values, seed: int, purpose: str) -> list[float]:
    """The statistic of `RESAMPLES` pairs of sets whose pictures were drawn again with replacement."""
    rng = seeds.generator(seed, "bootstrap", purpose)
    return [
        statistic([a[i] for i in rng.integers(0, len(a), len(a))], [b[i] for i in rng.integers(0, len(b), len(b))])
        for _ in range(RESAMPLES)
    ]


def floor(
    values: Values,
    seed: int,
    statistic: Callable[[Values, Values], float] = wasserstein,
    groups: Sequence[Hashable] = (),
) -> Interval | None:
    """Distance between random halves of one set: what "the same" looks like at this size. None under 4 pictures.

    Args:
        values: one array per picture.
        seed: of the halving.
        statistic: as in `distance_interval`.
        groups: the sequence of each picture. With at least four sequences whole sequences are halved, so that real
            captures are compared with others and not with the next frame of their own scene.
    """
    if len(values) < MIN_PICTURES:
        return None
    members = [np.array([i]) for i in range(len(values))]
    names = list(dict.fromkeys(groups))
    if len(names) >= MIN_PICTURES:
        members = [np.flatnonzero([group == name for group in groups]) for name in names]
    rng = seeds.generator(seed, "halves")
    drawn = []
    for _ in range(RESAMPLES):
        order = rng.permutation(len(members))
        first, second = (np.concatenate([members[i] for i in part]) for part in np.array_split(order, 2))
        drawn.append(statistic([values[i] for i in second], [values[i] for i in first]))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(np.mean(drawn)), float(low), float(high))
