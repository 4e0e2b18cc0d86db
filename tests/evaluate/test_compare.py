"""Paired differences are those of the same pictures, and surer than the means they come from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dbgan.errors import DbganError
from dbgan.evaluate.compare import compare, summary
from dbgan.evaluate.metrics import METRICS


def scores(folder: Path, psnr: np.ndarray, source: str = "gopro") -> Path:
    """images.parquet as scoring leaves it, with these values."""
    table = pd.DataFrame({"source": source, "key": [f"s/{i}" for i in range(len(psnr))], "sequence": "s"})
    for name in METRICS:
        table[name], table[f"input_{name}"] = psnr, np.arange(len(psnr), dtype=float)
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "images.parquet")
    (folder / "metrics.json").write_text(json.dumps({f"{source}.psnr_rgb": float(psnr.mean())}))
    return folder


def test_differences_are_paired(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    control = rng.normal(30, 4, 80)
    plus = control + rng.normal(0.1, 0.2, 80)
    folders = {"control": scores(tmp_path / "control", control), "plus": scores(tmp_path / "plus", plus)}
    rows = compare(folders, 2000, tmp_path / "out")
    (row,) = [row for row in rows if row["metric"] == "psnr_rgb"]
    assert (row["variant"], row["against"], row["images"]) == ("plus", "control", 80)
    assert row["difference"] == pytest.approx((plus - control).mean())
    assert row["better"] == pytest.approx((plus > control).mean())
    expected = stats.ttest_rel(plus, control).confidence_interval(0.95)
    assert [row["low"], row["high"]] == pytest.approx([expected.low, expected.high], abs=0.01)
    assert row["low"] > 0, "certain, where each mean is known to no better than 0.4 dB"
    table = pd.read_csv(tmp_path / "out" / "differences.csv")
    assert len(table) == len(METRICS)
    means = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert means.pop("gopro.plus-control.psnr_rgb") == pytest.approx(row["difference"], abs=1e-6)
    assert means == {  # of whatever was scored, so that dvc.yaml need not name each
        name: {"gopro.psnr_rgb": pytest.approx(of.mean())} for name, of in (("control", control), ("plus", plus))
    }
    assert summary(rows)[0].startswith("gopro: plus - control: +0.")


def test_every_two_are_compared_on_the_sources_that_both_have(tmp_path: Path) -> None:
    values = np.arange(5, dtype=float)
    folders = {name: scores(tmp_path / name, values + i) for i, name in enumerate(("l1", "base", "plus"))}
    folders["paper"] = scores(tmp_path / "paper", values, "reds")
    rows = compare(folders, 50, tmp_path / "out")
    pairs = {(row["variant"], row["against"]): row["difference"] for row in rows if row["metric"] == "ssim"}
    assert pairs == {("base", "l1"): 1.0, ("plus", "l1"): 2.0, ("plus", "base"): 1.0}


def test_scores_of_different_pictures_are_never_compared(tmp_path: Path) -> None:
    folders = {"l1": scores(tmp_path / "l1", np.ones(4)), "plus": scores(tmp_path / "plus", np.ones(4))}
    table = pd.read_parquet(tmp_path / "plus" / "images.parquet")
    table.loc[2, "input_psnr_rgb"] = 9.5
    table.to_parquet(tmp_path / "plus" / "images.parquet")
    with pytest.raises(
        DbganError, match=r"different pictures: the input gopro s/2 has 9.5000 dB(.|\n)*Next: dvc repro"
    ):
        compare(folders, 50, tmp_path / "out")


def test_missing_scores_are_named(tmp_path: Path) -> None:
    with pytest.raises(DbganError, match=r"images.parquet: no scores of l1.\nNext: dvc repro"):
        compare({"l1": tmp_path / "l1"}, 50, tmp_path / "out")
