"""The tables that scoring leaves: per picture, per group, and their means."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dbgan.evaluate import groups
from dbgan.evaluate.metrics import METRICS
from dbgan.files import write_bytes, write_json
from dbgan.params import ScoringParams

ALIGNED = ("aligned_psnr_rgb", "aligned_ssim")
"""Scores by RealBlur's protocol, beside `aligned_ok`: whether ECC converged."""

BLUR_COLUMNS = ("source", "group", groups.STRENGTH, "images", "psnr_rgb", "input_psnr_rgb", "gain")


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of one test pair: of the restored picture and, `before`, of the blurry input.

    Attributes:
        blur_px: edge extent of the blurry input, px; NaN where it has too few edges.
        aligned, aligned_before: the `ALIGNED` scores and `aligned_ok`; empty where the source is not aligned.
    """

    source: str
    sequence: str
    key: str
    device: str
    blur_px: float
    after: dict[str, float]
    before: dict[str, float]
    aligned: dict[str, float | bool] = field(default_factory=dict)
    aligned_before: dict[str, float | bool] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """The row of images.parquet."""
        told: dict[str, Any] = {"source": self.source, "sequence": self.sequence, "key": self.key}
        told |= {"device": self.device, groups.STRENGTH: None if np.isnan(self.blur_px) else self.blur_px}
        before = {**self.before, **self.aligned_before}
        return {**told, **self.after, **self.aligned, **{f"input_{name}": value for name, value in before.items()}}


def write_tables(scores: Sequence[Score], params: ScoringParams, out: Path) -> dict[str, float]:
    """Write images.parquet, groups.csv, blur.csv, metrics.json and, for aligned sources, unaligned.csv into `out`.

    Returns:
        What metrics.json holds.
    """
    parquet = images_table(scores)
    table = pq.read_table(io.BytesIO(parquet)).to_pandas()
    rows = groups.rows(table, list(METRICS), params.blur_bins, params.resamples)
    write_bytes(out / "images.parquet", parquet)
    write_bytes(out / "groups.csv", groups.to_csv(rows, groups.columns(list(METRICS))))
    write_bytes(out / "blur.csv", groups.to_csv([row for row in rows if row["by"] == "blur"], BLUR_COLUMNS))
    if params.aligned:
        failed: list[dict[str, object]] = [
            {"source": score.source, "key": score.key, "picture": picture}
            for score in scores
            for picture, found in (("input", score.aligned_before), ("restored", score.aligned))
            if found and not found["aligned_ok"]
        ]
        write_bytes(out / "unaligned.csv", groups.to_csv(failed, ("source", "key", "picture")))
    means = mean_scores(table, rows)
    write_json(out / "metrics.json", means)
    return means


def images_table(scores: Sequence[Score]) -> bytes:
    """images.parquet: source, sequence, key, device, blur_px, the metrics, and `input_` metrics of the blurry picture.

    Null: `blur_px` of pictures with too few edges, and the aligned scores of sources that are not aligned.
    """
    fields = [pa.field(name, pa.string(), nullable=False) for name in ("source", "sequence", "key", "device")]
    fields.append(pa.field(groups.STRENGTH, pa.float64()))
    for prefix in ("", "input_"):
        fields += [pa.field(prefix + name, pa.float64(), nullable=False) for name in METRICS]
        fields += [pa.field(prefix + name, pa.float64()) for name in ALIGNED]
        fields.append(pa.field(f"{prefix}aligned_ok", pa.bool_()))
    rows = [{f.name: None for f in fields} | score.row() for score in scores]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(fields)), buffer, compression="zstd")
    return buffer.getvalue()


def mean_scores(table: pd.DataFrame, rows: Sequence[dict[str, object]]) -> dict[str, float]:
    """metrics.json: means over images, per source, with the intervals of `groups`. Counts are whole numbers.

    Keys: `{source}.{metric}`, its `.low` and `.high`, `{source}.input.{metric}`, `{source}.images`; of aligned sources
    also `{source}.aligned.psnr_rgb`, `.aligned.ssim`, `.aligned.failures`, and the same below `{source}.input.aligned`.
    """
    means: dict[str, float] = {}
    ends = {str(row["source"]): row for row in rows if row["by"] == "all"}
    for source, own in table.groupby("source", sort=False):
        for name in METRICS:
            means[f"{source}.{name}"] = round(float(own[name].mean()), 6)
            means[f"{source}.input.{name}"] = round(float(own[f"input_{name}"].mean()), 6)
            for end in ("low", "high"):
                value = float(str(ends[str(source)][f"{name}_{end}"]))
                if np.isfinite(value):
                    means[f"{source}.{name}.{end}"] = round(value, 6)
        means[f"{source}.images"] = len(own)
        for prefix, where in (("", "aligned"), ("input_", "input.aligned")):
            if own[f"{prefix}aligned_ok"].notna().any():
                for name in ALIGNED:
                    value = float(own[prefix + name].mean())
                    means[f"{source}.{where}.{name.removeprefix('aligned_')}"] = round(value, 6)
                means[f"{source}.{where}.failures"] = int((~own[f"{prefix}aligned_ok"].astype(bool)).sum())
    return means
