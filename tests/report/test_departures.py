"""What differs from the paper is said, and the preset that follows it differs in nothing."""

from __future__ import annotations

from pathlib import Path

from dbgan.params import load
from dbgan.report.departures import departures, grouped, in_words

PROJECT = Path(__file__).parents[2]


def test_the_papers_preset_differs_in_nothing() -> None:
    assert departures(load(PROJECT / "presets/paper.yaml")) == []


def test_the_demo_says_every_weight_network_crop_batch_and_feature_that_differs() -> None:
    params = load(PROJECT / "params.yaml")
    said = dict(in_words(departures(params)))
    assert "adversarial weight beta 0.3 (paper: 0.01)" in said["bgan.demo"]
    assert "low-pass content weight 1 (paper: 0)" in said["bgan.demo"]
    head = "generator trajectory head, paths to 20 px, 2 blocks of 32 channels (paper: 9 plain blocks of 64 channels)"
    assert head in said["bgan.demo"]
    for words in (
        "crop 64 px (paper: 128 px)",
        "batch 8 (paper: 4)",
        "perceptual features random, width 16",
        "16 rrdb",
    ):
        assert words in said["dbgan"]
    for variant in ("minus", "base", "control", "plus"):
        assert "content weight alpha 1 (paper: 0.005); adversarial weight beta 0.001" in said[f"dbgan.{variant}"]
        assert "perceptual weight 0.02 (paper: 1)" in said[f"dbgan.{variant}"]
    (alpha,) = [row for row in grouped(departures(params)) if "alpha" in row.setting]
    assert alpha.stage == "dbgan.minus, dbgan.base, dbgan.control, dbgan.plus"
