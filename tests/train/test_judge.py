"""A fresh discriminator's verdict: high on what it can tell apart, chance on what it cannot, on unseen pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dbgan.corpus.selection import read_selection, write_selection
from dbgan.errors import CorpusError
from dbgan.networks import discriminator
from dbgan.params import BganParams, JudgeParams, TrainingParams
from dbgan.train import bgan
from dbgan.train.bgan import open_data, train_bgan
from dbgan.train.gauges import bgan_warnings
from dbgan.train.judge import Seen, judged
from dbgan.train.loop import DivergedError
from dbgan.train.numerics import Numerics
from dbgan.train.optimise import NotFiniteError

NUMERICS = Numerics("cpu", bf16=False, threads=1)
PARAMS = JudgeParams(steps=20, lr=2e-3, batches=16)


def noise_of(spread_real: float, spread_fake: float, purpose: int) -> Seen:
    """Grey pictures with noise of these standard deviations."""

    def seen(number: int) -> tuple[Tensor, Tensor]:
        draw = torch.Generator().manual_seed(1000 * purpose + number)
        real, fake = torch.randn(2, 4, 3, 32, 32, generator=draw)
        return 0.5 + spread_real * real, 0.5 + spread_fake * fake

    return seen


def verdict(spread_fake: float) -> dict[str, float]:
    network = discriminator(width=4, crop=32, seed=1)
    learnt, asked = (noise_of(0.2, spread_fake, purpose) for purpose in (1, 2))
    with NUMERICS.active():
        return judged(network, learnt, asked, PARAMS, TrainingParams(crop=32), NUMERICS)


def test_what_differs_is_told_apart_and_what_does_not_is_not() -> None:
    apart, alike = verdict(0.05), verdict(0.2)
    assert apart["fresh_accuracy"] > 0.95
    assert apart["fresh_loss"] < 0.3
    assert alike["fresh_accuracy"] == pytest.approx(0.5, abs=0.18)  # 4 standard deviations of 128 crops
    assert alike["fresh_loss"] > 1.2


def test_bgan_asks_it_at_the_end_about_val_pictures_alone_where_that_is_wanted(
    bgan_params: BganParams, datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_bgan("plain", bgan_params, datasets, tmp_path / "plain")
    asking = bgan_params.model_copy(update={"judge": JudgeParams(steps=3, batches=2)})
    train_bgan("asking", asking, datasets, tmp_path / "asking")
    plain, asked = (
        json.loads((tmp_path / name / "summary.json").read_text())["gauges"] for name in ("plain", "asking")
    )
    assert {name: value for name, value in asked.items() if name in plain} == plain
    assert set(asked) - set(plain) == {"fresh_accuracy", "fresh_loss"}
    assert 0.0 <= asked["fresh_accuracy"] <= 1.0
    weights = [(tmp_path / name / "weights.safetensors").read_bytes() for name in ("plain", "asking")]
    assert weights[0] == weights[1], "to judge changes nothing"


def test_without_pictures_that_training_has_not_seen_it_is_refused(
    bgan_params: BganParams, datasets: Path, tmp_path: Path
) -> None:
    (tmp_path / "train").mkdir()
    for name in ("pairs", "phones"):
        (tmp_path / "train" / name).symlink_to(datasets / "train" / name)
        rows = read_selection(datasets / "train" / f"{name}.selection.parquet")
        rows["split"] = "train" if name == "phones" else rows["split"]
        write_selection(tmp_path / "train" / f"{name}.selection.parquet", rows)
    asking = bgan_params.model_copy(update={"judge": JudgeParams(steps=3)})
    with pytest.raises(CorpusError, match=r"no kept sample of split 'val' in phones; `judge` asks about what"):
        open_data(asking, tmp_path)
    assert len(open_data(bgan_params, tmp_path).captures) == 9


def test_a_judge_that_loses_a_number_says_which_rate_to_lower(
    bgan_params: BganParams, datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> dict[str, float]:
        raise NotFiniteError("the gradient", {"loss": 0.5})

    monkeypatch.setattr(bgan, "judged", lost)
    asking = bgan_params.model_copy(update={"judge": JudgeParams(steps=3, batches=2)})
    words = r"is not finite in the discriminator that judges at the end \(loss 0\.5\)(.|\n)*Next: lower judge\.lr"
    with pytest.raises(DivergedError, match=words):
        train_bgan("toy", asking, datasets, tmp_path / "toy")


def test_a_blur_that_is_told_apart_is_warned_of() -> None:
    fine = {"psnr_to_sharp": 25.0, "z_sensitivity": 0.01, "z_low": 0.001, "z_high": 0.01, "colour_shift": 0.0}
    fine |= {"laplacian": 0.002, "laplacian_sharp": 0.007, "d_loss": 1.3, "d_accuracy": 0.7}
    assert bgan_warnings({**fine, "fresh_accuracy": 0.7}) == []
    (warning,) = bgan_warnings({**fine, "fresh_accuracy": 0.97})
    assert "a fresh discriminator tells BGAN's blur from real captures" in warning
    assert "0.97" in warning
