"""Which restorer is better on the same pictures, and how sure that is: paired differences with intervals.

Means of two variants hide that most of their spread is that of the pictures, which both share. Differences per picture
take it away: `plus` over `control` by 0.1 dB can be certain where each mean is known to 1 dB.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dbgan.errors import DbganError
from dbgan.evaluate import groups
from dbgan.evaluate.metrics import METRICS
from dbgan.files import write_bytes, write_json

SAME_INPUT = 1e-6
"""Scores of the same blurry input by two runs may differ by this much."""

COLUMNS = ("source", "metric", "variant", "against", "images", "difference", "low", "high", "better", "drawn")


def compare(folders: Mapping[str, Path], resamples: int, out: Path) -> list[dict[str, object]]:
    """Write differences.csv and metrics.json of every two restorers into `out`; returns the rows.

    differences.csv: mean of (variant - against) over the pictures of a source that both scored, its 95 % interval, and
    the share of pictures on which variant is `better`. metrics.json: `{source}.{variant}-{against}.psnr_rgb`, and the
    means of every restorer under its name: one file for DVC, which must be told of each by name.

    Args:
        folders: name -> its folder of reports/evaluate, in the order of the parameters; later ones are compared
            against earlier ones.
        resamples: draws of the bootstrap.
        out: folder to write.

    Raises:
        DbganError: scores are missing, or two restorers were scored on different pictures.
    """
    tables = {name: pd.read_parquet(_there(name, folder / "images.parquet")) for name, folder in folders.items()}
    rows: list[dict[str, object]] = []
    for against, variant in itertools.combinations(tables, 2):
        rows += differences(variant, tables[variant], against, tables[against], resamples)
    rows.sort(key=lambda row: (str(row["source"]), list(METRICS).index(str(row["metric"]))))
    write_bytes(out / "differences.csv", groups.to_csv(rows, COLUMNS))
    means = {
        f"{row['source']}.{row['variant']}-{row['against']}.psnr_rgb": round(float(str(row["difference"])), 6)
        for row in rows
        if row["metric"] == "psnr_rgb"
    }
    scored = {name: json.loads(_there(name, folder / "metrics.json").read_bytes()) for name, folder in folders.items()}
    write_json(out / "metrics.json", scored | means)
    return rows


def differences(
    variant: str, ours: pd.DataFrame, against: str, theirs: pd.DataFrame, resamples: int
) -> list[dict[str, object]]:
    """Rows of `COLUMNS` for two tables of images.parquet, over the pictures in both; none where they share none."""
    both = ours.merge(theirs, on=["source", "key"], suffixes=("", "_against"), validate="one_to_one")
    apart = np.abs(both["input_psnr_rgb"] - both["input_psnr_rgb_against"]) > SAME_INPUT
    if apart.any():
        first = both[apart].iloc[0]
        raise DbganError(
            f"{variant} and {against} were scored on different pictures: the input {first['source']} {first['key']} "
            f"has {first['input_psnr_rgb']:.4f} dB for one and {first['input_psnr_rgb_against']:.4f} dB for the other."
            "\nNext: dvc repro evaluate evaluate_external"
        )
    found: list[dict[str, object]] = []
    for source, part in both.groupby("source", sort=True):
        names = list(METRICS)
        values = part[names].to_numpy(dtype=np.float64)
        values = values - part[[f"{name}_against" for name in names]].to_numpy(dtype=np.float64)
        sequences = part["sequence"].astype(str).tolist()
        ends = groups.intervals(values, sequences, resamples, f"{source}/pairs")
        for column, name in enumerate(names):
            row: dict[str, object] = {"source": str(source), "metric": name, "variant": variant, "against": against}
            row |= {"images": len(part), "difference": float(values[:, column].mean())}
            row |= {"low": float(ends[column, 0]), "high": float(ends[column, 1])}
            found.append(row | {"better": float((values[:, column] > 0).mean()), "drawn": groups.unit(sequences)})
    return found


def summary(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """A sentence per pair of restorers and source on `psnr_rgb`, such as `plus - control: +0.08 dB (0.02 to 0.13)`."""
    said = []
    for row in rows:
        if row["metric"] == "psnr_rgb":
            low, high = float(str(row["low"])), float(str(row["high"]))
            told = "" if np.isnan(low) else f", 95 % {low:+.3f} to {high:+.3f}"
            said.append(
                f"{row['source']}: {row['variant']} - {row['against']}: {float(str(row['difference'])):+.3f} dB{told} "
                f"({row['images']} images)"
            )
    return said


def _there(name: str, path: Path) -> Path:
    if not path.is_file():
        raise DbganError(f"{path}: no scores of {name}.\nNext: dvc repro evaluate evaluate_external")
    return path
