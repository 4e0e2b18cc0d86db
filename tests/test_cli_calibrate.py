"""`dbgan calibrate` from the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from dbgan.blur.calibration import read_calibration
from dbgan.cli import app
from tests.tiny_corpora import Tiny, write


def captures(folder: Path) -> Path:
    """Two devices: slopes of grey with noise of 4 and of 8 levels; and a third whose picture is too small."""
    rng = np.random.default_rng(0)
    slope = np.linspace(40, 220, 512)[None, :, None] * np.ones((320, 1, 3))
    pictures = {"Acme P1": slope + rng.normal(0, 4, slope.shape), "Acme P2": slope + rng.normal(0, 8, slope.shape)}
    samples = [
        Tiny(f"{name[-2:]}/0", {"blur": np.clip(p + 0.5, 0, 255).astype(np.uint8)}, name)
        for name, p in pictures.items()
    ]
    write(folder, "blurry", [*samples, Tiny("P3/0", {"blur": np.zeros((48, 48, 3), np.uint8)}, "Acme P3")])
    return folder


def test_calibrate_writes_the_constants_of_each_device_and_says_what_it_left_out(tmp_path: Path) -> None:
    corpus, out = captures(tmp_path / "phones"), tmp_path / "phones.json"

    done = CliRunner().invoke(app, ["calibrate", str(corpus), "--out", str(out)])

    found = read_calibration(out)
    assert done.exit_code == 0, done.output
    assert list(found) == ["Acme P1", "Acme P2"]
    assert "left out, for too few smooth blocks: Acme P3" in done.stdout

    def noise(name: str) -> float:
        return found[name].shot * 0.2 + found[name].read

    # Twice the noise in stored values is four times the variance of light.
    assert 3.4 < noise("Acme P2") / noise("Acme P1") < 4.6


def test_calibrate_of_an_unknown_device_exits_1_and_lists_those_there_are(tmp_path: Path) -> None:
    corpus = captures(tmp_path / "phones")

    done = CliRunner().invoke(app, ["calibrate", str(corpus), "--out", str(tmp_path / "x.json"), "--device", "Acme"])

    assert done.exit_code == 1
    assert "found those of: Acme P1, Acme P2, Acme P3" in done.output
    assert not (tmp_path / "x.json").exists()
