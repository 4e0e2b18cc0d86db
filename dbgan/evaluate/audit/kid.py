"""Kernel Inception Distance without Inception: squared maximum mean discrepancy of network features.

Binkowski et al., "Demystifying MMD GANs" (2018): the unbiased estimator with the kernel (x.y / d + 1)^3. Unbiased: for
equal distributions its expectation is 0 at any number of pictures, and it may be below.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dbgan import seeds
from dbgan.evaluate.audit.distance import LEVEL, MIN_PICTURES, RESAMPLES, Interval

NORMAL = 1.96
"""Standard deviations of a 95 % interval."""

Features = NDArray[np.float64]
"""(crops, d)."""
Owners = NDArray[np.int64]
"""(crops,): the picture of each crop, 0 and up."""


def kid(x: Features, y: Features, x_of: Owners, y_of: Owners) -> Interval:
    """MMD^2 between two sets with a 95 % interval by the jackknife over pictures (Efron and Stein 1981).

    Crops of one picture resemble each other; pairs of them are left out of the means within a set, which keeps the
    estimator unbiased for pictures drawn independently. With one crop per picture it is that of the paper.

    Raises:
        ValueError: a set of fewer than two pictures.
    """
    return _estimate(*(_by_picture(a, b, of_a, of_b) for a, b, of_a, of_b in _three(x, y, x_of, y_of)))


def floor(x: Features, x_of: Owners, groups: Sequence[str], seed: int) -> Interval | None:
    """Mean and middle 95 % of KIDs between halves of one set: of sequences where there are four, else of pictures.

    Args:
        x, x_of: features, and the picture of each.
        groups: sequence of each picture.
        seed: of the halving.

    Returns:
        None where a half would have fewer than two pictures.
    """
    kernel = _by_picture(x, x, x_of, x_of)
    pictures = len(kernel[0])
    names = sorted(set(groups))
    members = [np.array([i]) for i in range(pictures)]
    if len(names) >= MIN_PICTURES:
        members = [np.flatnonzero([group == name for group in groups]) for name in names]
    rng = seeds.generator(seed, "kid halves")
    drawn = []
    for _ in range(RESAMPLES):
        order = rng.permutation(len(members))
        a, b = (np.concatenate([members[i] for i in part]) for part in np.array_split(order, 2) if len(part))
        if min(len(a), len(b)) < 2:
            continue
        drawn.append(
            _value(*(tuple(m[np.ix_(rows, columns)] for m in kernel) for rows, columns in ((a, a), (b, b), (a, b))))
        )
    if not drawn:
        return None
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(np.mean(drawn)), float(low), float(high))


Summed = tuple[NDArray[np.float64], NDArray[np.float64]]
"""(pictures, pictures): sum of the kernel over all pairs of their crops, and the number of pairs."""


def _three(x: Features, y: Features, x_of: Owners, y_of: Owners) -> list[tuple[Features, Features, Owners, Owners]]:
    return [(x, x, x_of, x_of), (y, y, y_of, y_of), (x, y, x_of, y_of)]


def _by_picture(x: Features, y: Features, x_of: Owners, y_of: Owners) -> Summed:
    kernel = (x @ y.T / x.shape[1] + 1.0) ** 3
    rows, columns = (np.eye(int(of.max()) + 1)[of] for of in (x_of, y_of))
    return rows.T @ kernel @ columns, np.outer(rows.sum(axis=0), columns.sum(axis=0))


def _value(xx: Summed, yy: Summed, xy: Summed) -> float:
    within = [(np.sum(m) - np.trace(m)) for pair in (xx, yy) for m in pair]
    return float(within[0] / within[1] + within[2] / within[3] - 2 * np.sum(xy[0]) / np.sum(xy[1]))


def _estimate(xx: Summed, yy: Summed, xy: Summed) -> Interval:
    if min(len(xx[0]), len(yy[0])) < 2:
        raise ValueError(f"kid: a set has fewer than two pictures: {len(xx[0])} and {len(yy[0])}")
    value = _value(xx, yy, xy)
    variance = 0.0
    for first, count in ((True, len(xx[0])), (False, len(yy[0]))):
        if count < 3:
            continue
        left = []
        for i in range(count):
            keep = np.delete(np.arange(count), i)
            own = _kept(xx if first else yy, keep, keep)
            rows, columns = (keep, np.arange(len(yy[0]))) if first else (np.arange(len(xx[0])), keep)
            across = _kept(xy, rows, columns)
            left.append(_value(own if first else xx, yy if first else own, across))
        variance += (count - 1) / count * float(np.sum((np.array(left) - np.mean(left)) ** 2))
    half = NORMAL * float(np.sqrt(variance))
    return Interval(value, value - half, value + half)


def _kept(summed: Summed, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Summed:
    return summed[0][np.ix_(rows, columns)], summed[1][np.ix_(rows, columns)]
