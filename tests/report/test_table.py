"""The results table: every metric of every source, the input once, gaps named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbgan.report.inputs import Inputs
from dbgan.report.table import print_table, read_scores, results_table


def evaluated(reports: Path, variant: str, metrics: dict[str, float]) -> None:
    folder = reports / "evaluate" / variant
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(metrics))


def test_rows_hold_input_and_variants_in_training_order(tmp_path: Path) -> None:
    evaluated(tmp_path, "plus", {"b.psnr_rgb": 30.004, "b.ssim": 0.9, "a.psnr_rgb": 21.0, "b.input.psnr_rgb": 25.5})
    header, *rows = results_table(tmp_path)
    assert header == (
        "", "a psnr_rgb", "a ssim", "a ssim_matlab3d", "b psnr_rgb", "b ssim", "b ssim_matlab3d",
    )  # fmt: skip
    assert [row[0] for row in rows] == ["blurry input", "l1", "minus", "base", "control", "plus"]
    assert rows[0] == ("blurry input", "missing", "missing", "missing", "25.50", "missing", "missing")
    assert rows[5] == ("plus", "21.00", "missing", "missing", "30.00", "0.9000", "missing")


def test_somebody_elses_restorer_has_its_row(tmp_path: Path) -> None:
    evaluated(tmp_path, "l1", {"a.psnr_rgb": 21.0, "a.input.psnr_rgb": 20.25})
    evaluated(tmp_path, "nafnet", {"a.psnr_rgb": 33.5, "a.input.psnr_rgb": 20.25})
    rows = results_table(tmp_path, ("l1", "nafnet"))
    assert [row[:2] for row in rows[1:]] == [("blurry input", "20.25"), ("l1", "21.00"), ("nafnet", "33.50")]


def test_nothing_evaluated_leaves_a_bare_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert results_table(tmp_path)[0] == ("",)
    print_table(tmp_path)
    assert "nothing was evaluated yet" in capsys.readouterr().out


def test_the_table_is_printed_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluated(tmp_path, "l1", {"a.psnr_rgb": 21.0, "a.ssim": 0.75, "a.ssim_matlab3d": 0.8, "a.input.psnr_rgb": 20.25})
    print_table(tmp_path)
    printed = capsys.readouterr().out
    assert all(text in printed for text in ("blurry input", "20.25", "21.00", "0.7500", "0.8000"))


def test_variants_that_saw_different_inputs_are_reported(tmp_path: Path) -> None:
    evaluated(tmp_path, "l1", {"a.psnr_rgb": 21.0, "a.input.psnr_rgb": 20.25})
    evaluated(tmp_path, "base", {"a.psnr_rgb": 21.0, "a.input.psnr_rgb": 20.5})
    (conflict,) = read_scores(Inputs(tmp_path, tmp_path, tmp_path)).conflicts
    assert "20.2500" in conflict
    assert "20.5000" in conflict
    assert "base" in conflict


def test_other_keys_are_no_metrics(tmp_path: Path) -> None:
    evaluated(tmp_path, "l1", {"a.images": 12, "a.psnr_rgb": 21.0, "a.device.psnr_rgb": 3.0, "note": 4.0})
    scores = read_scores(Inputs(tmp_path, tmp_path, tmp_path))
    assert scores.values == {("l1", "a", "psnr_rgb"): 21.0}
    assert scores.images == {"a": 12}
