"""Means of scores over all pictures of a source, and by device, sequence and blur strength, with bootstrap intervals.

The bins of blur strength say where a model fails: a mean over a test set hides that strong blur hardly improves.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dbgan import seeds

LEVEL = 0.95

FEWEST_SEQUENCES = 8
"""From so many sequences on, sequences are drawn again and not pictures: frames of one are alike, and pictures drawn
one by one would give intervals that are far too narrow. With fewer, drawing them says little."""

CHUNK = 100
"""Draws that are in memory at a time."""

STRENGTH = "blur_px"
"""The column of blur strength: edge extent of the blurry input, px; NaN where a picture has too few edges."""


def unit(sequences: Sequence[str]) -> str:
    """What is drawn again: `sequences`, or `images` where there are too few of them."""
    return "sequences" if len(set(sequences)) >= FEWEST_SEQUENCES else "images"


def intervals(
    values: NDArray[np.float64], sequences: Sequence[str], resamples: int, purpose: str
) -> NDArray[np.float64]:
    """95 % percentile bootstrap intervals of the means of columns.

    Args:
        values: (pictures, columns), finite.
        sequences: of each picture.
        resamples: draws.
        purpose: names the random numbers; equal for what is to be drawn alike.

    Returns:
        (columns, 2): low and high; NaN where there is nothing to draw (one picture).
    """
    names = list(sequences) if unit(sequences) == "sequences" else [str(i) for i in range(len(values))]
    labels, belongs = np.unique(names, return_inverse=True)
    if len(labels) < 2:
        return np.full((values.shape[1], 2), np.nan)
    counts = np.bincount(belongs, minlength=len(labels)).astype(np.float64)
    sums = np.zeros((len(labels), values.shape[1]))
    np.add.at(sums, belongs, values)
    rng = seeds.generator(0, "bootstrap", purpose)
    means = []
    for start in range(0, resamples, CHUNK):
        size = min(CHUNK, resamples - start)
        times = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), size=size)
        means.append((times @ sums) / (times @ counts)[:, None])
    return np.quantile(np.concatenate(means), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0).T


def bin_names(edges: Sequence[float]) -> list[str]:
    """Names of the bins of blur strength, in their order.

    >>> bin_names([3.0, 4.5])
    ['under 3 px', '3 to 4.5 px', 'from 4.5 px', 'unknown']
    """
    between = [f"{low:g} to {high:g} px" for low, high in itertools.pairwise(edges)]
    ends = [f"under {edges[0]:g} px", *between, f"from {edges[-1]:g} px"] if edges else ["all"]
    return [*ends, "unknown"]


def bins(strengths: NDArray[np.float64], edges: Sequence[float]) -> list[str]:
    """The bin of each strength."""
    names = bin_names(edges)
    places = np.searchsorted(np.array(edges, dtype=np.float64), strengths, side="right")
    return [
        names[-1] if np.isnan(value) else names[place] for value, place in zip(strengths, places.tolist(), strict=True)
    ]


def rows(
    table: pd.DataFrame, metrics: Sequence[str], edges: Sequence[float], resamples: int
) -> list[dict[str, object]]:
    """One row per group of each source: by `all`, `device`, `sequence`, `blur`.

    Args:
        table: images.parquet: source, sequence, device, `blur_px`, the metrics, and `input_` metrics.
        metrics: which; the first is also given as `gain`: after minus before.
        edges: of the bins of blur strength, px, rising.
        resamples: draws of the bootstrap.

    Returns:
        Rows of source, by, group, images, blur_px (mean), drawn, then for each metric its mean, `_low`, `_high` and
        `input_` mean, then gain, gain_low, gain_high. What is not known is NaN.
    """
    table = table.assign(blur=bins(table[STRENGTH].to_numpy(dtype=np.float64), edges))
    return [
        _row(source, by, group, part, metrics, resamples)
        for source, own in table.groupby("source", sort=True)
        for by, group, part in _groups(own, bin_names(edges))
    ]


def _groups(table: pd.DataFrame, blur: Sequence[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    yield "all", "", table
    for by in ("device", "sequence"):
        for name, part in table.groupby(by, sort=True):
            yield by, str(name), part
    for name in blur:
        part = table[table["blur"] == name]
        if len(part):
            yield "blur", name, part


def _row(
    source: object, by: str, group: str, part: pd.DataFrame, metrics: Sequence[str], resamples: int
) -> dict[str, object]:
    after = part[list(metrics)].to_numpy(dtype=np.float64)
    before = part[[f"input_{name}" for name in metrics]].to_numpy(dtype=np.float64)
    values = np.column_stack([after, after[:, 0] - before[:, 0]])
    sequences = part["sequence"].astype(str).tolist()
    ends = intervals(values, sequences, resamples, f"{source}/{by}/{group}")
    strengths = part[STRENGTH].to_numpy(dtype=np.float64)
    known = strengths[np.isfinite(strengths)]
    row: dict[str, object] = {"source": str(source), "by": by, "group": group, "images": len(part)}
    row |= {STRENGTH: float(known.mean()) if len(known) else float("nan"), "drawn": unit(sequences)}
    for column, name in enumerate([*metrics, "gain"]):
        row[name] = float(values[:, column].mean())
        row[f"{name}_low"], row[f"{name}_high"] = float(ends[column, 0]), float(ends[column, 1])
        if name != "gain":
            row[f"input_{name}"] = float(before[:, column].mean())
    return row


def to_csv(rows: Sequence[dict[str, object]], columns: Sequence[str]) -> bytes:
    """Rows as CSV with a head, numbers to 6 places, NaN as nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([[_cell(row[name]) for name in columns] for row in rows])
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if not isinstance(value, float):
        return value
    return "" if np.isnan(value) else f"{value:.6f}"


def columns(metrics: Sequence[str]) -> list[str]:
    """The columns of groups.csv, in order."""
    numbers = [text for name in metrics for text in (name, f"{name}_low", f"{name}_high", f"input_{name}")]
    return ["source", "by", "group", "images", STRENGTH, "drawn", *numbers, "gain", "gain_low", "gain_high"]
