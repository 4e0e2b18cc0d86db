"""Means by group with bootstrap intervals: against scipy, and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from dbgan.evaluate import groups


def test_intervals_over_images_are_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(1).normal(30, 3, (60, 2))
    found = groups.intervals(values, ["a"] * 60, 4000, "x")
    for column in range(2):
        expected = stats.bootstrap(
            (values[:, column],), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(0)
        ).confidence_interval
        assert found[column] == pytest.approx([expected.low, expected.high], abs=0.1)


def test_frames_of_a_sequence_are_drawn_together() -> None:
    """20 sequences of 10 equal frames tell as much as 20 frames, not as 200."""
    means = np.random.default_rng(2).normal(0, 1, 20)
    values, sequences = np.repeat(means, 10)[:, None], [str(i // 10) for i in range(200)]
    together, alone = (groups.intervals(values, names, 4000, "x")[0] for names in (sequences, ["one"] * 200))
    expected = groups.intervals(means[:, None], ["one"] * 20, 4000, "x")[0]
    assert np.ptp(together) == pytest.approx(np.ptp(expected), rel=0.1)
    assert np.ptp(alone) < 0.5 * np.ptp(together)
    assert (groups.unit(sequences), groups.unit(["one"] * 200)) == ("sequences", "images")


def test_one_picture_has_no_interval() -> None:
    assert np.isnan(groups.intervals(np.ones((1, 3)), ["a"], 100, "x")).all()


def test_the_same_question_has_the_same_answer() -> None:
    values = np.random.default_rng(3).random((250, 1))
    first, second = (groups.intervals(values, ["a"] * 250, 250, "x") for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, groups.intervals(values, ["a"] * 250, 250, "y"))


def test_bins_of_blur_strength() -> None:
    strengths = np.array([2.9, 3.0, 4.2, 4.5, 99.0, np.nan])
    names = ["under 3 px", "3 to 4.5 px", "3 to 4.5 px", "from 4.5 px", "from 4.5 px", "unknown"]
    assert groups.bins(strengths, [3.0, 4.5]) == names
    assert groups.bins(strengths, []) == ["all"] * 5 + ["unknown"]


def test_rows_hold_means_and_gains_of_each_group() -> None:
    table = pd.DataFrame(
        {
            "source": ["a"] * 4 + ["b"],
            "sequence": ["s", "s", "t", "t", "u"],
            "device": ["x", "y", "x", "y", "x"],
            "blur_px": [2.0, 5.0, 7.0, np.nan, 5.0],
            "psnr": [30.0, 28.0, 26.0, 24.0, 20.0],
            "input_psnr": [25.0, 25.0, 24.0, 24.0, 19.0],
        }
    )
    rows = groups.rows(table, ["psnr"], [3.0, 6.0], 50)
    by = {(row["source"], row["by"], row["group"]): row for row in rows}
    assert by["a", "all", ""]["psnr"] == 27.0
    assert by["a", "all", ""]["gain"] == 2.5
    assert (by["a", "device", "x"]["psnr"], by["a", "device", "x"]["input_psnr"]) == (28.0, 24.5)
    assert by["a", "sequence", "t"]["gain"] == 1.0
    assert [group for source, kind, group in by if (source, kind) == ("a", "blur")] == [
        "under 3 px",
        "3 to 6 px",
        "from 6 px",
        "unknown",
    ]
    assert by["a", "blur", "from 6 px"]["blur_px"] == 7.0
    assert by["b", "all", ""]["images"] == 1
    text = groups.to_csv(rows, groups.columns(["psnr"])).decode().splitlines()
    assert text[0].startswith("source,by,group,images,blur_px,drawn,psnr,psnr_low,psnr_high,input_psnr,gain")
    assert text[-1].endswith(",1.000000,,")
    assert len(text) == 1 + len(rows)
