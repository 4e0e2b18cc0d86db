"""Tables of an audit as CSV for `dvc plots`, floats with six significant digits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dbgan.evaluate.audit.compare import Distances
from dbgan.evaluate.audit.measures import MEASURES


def distances(found: Distances) -> str:
    """One row per set and measure: distance to the real captures, its interval, its unit."""
    rows = [
        [name, measure, MEASURES[measure].unit, *_six([own.value, own.low, own.high])]
        for name, measures in found.items()
        for measure, own in measures.items()
    ]
    return _csv([["set", "measure", "unit", "value", "low", "high"], *rows])


def quantiles(sets: Mapping[str, NDArray[np.float64]], steps: int = 100) -> str:
    """`quantile` from 0 to 1 and each set's value there."""
    names = [name for name, values in sets.items() if len(values)]
    rows = [
        _six([step / steps, *(float(np.quantile(sets[name], step / steps)) for name in names)])
        for step in range(steps + 1)
    ]
    return _csv([["quantile", *names], *rows])


def spectrum(frequencies: NDArray[np.float64], sets: Mapping[str, NDArray[np.float64]]) -> str:
    """`cycles_per_px` and each set's power there, dB."""
    rows = [_six([float(f), *(float(sets[name][i]) for name in sets)]) for i, f in enumerate(frequencies)]
    return _csv([["cycles_per_px", *sets], *rows])


def _csv(rows: Sequence[Sequence[str]]) -> str:
    return "".join(",".join(row) + "\n" for row in rows)


def _six(values: Sequence[float]) -> list[str]:
    return [f"{value:.6g}" for value in values]
