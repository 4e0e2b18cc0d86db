"""DBGAN's stages: what they start from, what they minimise, what they see."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
import torch

from dbgan.corpus.selection import read_selection, write_selection
from dbgan.errors import WeightsError
from dbgan.files import sha256_file
from dbgan.networks import load_weights
from dbgan.params import AdversarialParams, DbganCommon, FinetuneParams, PretrainParams
from dbgan.train import losses
from dbgan.train.dbgan import DbganTask, finetune, pretrain, train_adversarial
from dbgan.train.mix import MixedBatches
from dbgan.train.numerics import Numerics
from dbgan.train.pairs import open_data

CPU = Numerics("cpu", bf16=False, threads=1)
L1 = PretrainParams.model_validate({"schedule": {"steps": 4, "lr": 1e-3}})
MINUS = AdversarialParams.model_validate({"loss": "classical", "schedule": {"steps": 3, "lr": 1e-4}})
BASE = AdversarialParams.model_validate({"alpha": 1.0, "beta": 0.002, "schedule": {"steps": 3, "lr": 1e-4}})
PLUS = FinetuneParams.model_validate(
    {"corpus": "toy", "reads": "datasets/synthetic/toy", "mix": 0.5, "schedule": {"steps": 3, "lr": 1e-4}}
)
CONTROL = FinetuneParams.model_validate({"schedule": {"steps": 3, "lr": 1e-4}})


def task(
    common: DbganCommon, params: PretrainParams | AdversarialParams, datasets: Path, start: Path | None = None
) -> DbganTask:
    torch.set_num_threads(1)
    return DbganTask("toy", "stage", common, params, start, "", open_data(common, params, datasets), CPU)


def test_all_stages_run_and_say_what_they_did(common: DbganCommon, datasets: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / name / "weights.safetensors" for name in ("l1", "minus", "base", "control", "plus")}
    pretrain(common, L1, datasets, tmp_path / "l1")
    train_adversarial("minus", common, MINUS, files["l1"], datasets, tmp_path / "minus")
    train_adversarial("base", common, BASE, files["l1"], datasets, tmp_path / "base")
    finetune("control", common, CONTROL, files["base"], datasets, tmp_path / "control")
    finetune("plus", common, PLUS, files["base"], datasets, tmp_path / "plus")
    assert len({path.read_bytes() for path in files.values()}) == 5
    summaries = {name: json.loads((tmp_path / name / "summary.json").read_text()) for name in files}
    assert {name: s["variant"] for name, s in summaries.items()} == {name: name for name in files}
    assert summaries["l1"]["start"] == ""
    assert summaries["base"]["start"] == sha256_file(files["l1"])
    assert summaries["plus"]["start"] == sha256_file(files["base"])
    assert summaries["l1"]["perceptual"] == "none (content loss alone)"
    assert "random" in summaries["plus"]["perceptual"]
    assert [s["steps"] for s in summaries.values()] == [4, 3, 3, 3, 3]
    for path in files.values():
        assert load_weights(path)(torch.rand(1, 3, 20, 20)).shape == (1, 3, 20, 20)
    header = (tmp_path / "l1" / "curves.csv").read_text().splitlines()[0]
    assert header.split(",") == ["step", "phase", *DbganTask.columns]
    picture = cv2.imread(str(tmp_path / "l1" / "samples.png"))
    assert picture.shape == (3 * 40 + 2 * 4, 3 * 40 + 2 * 4, 3)  # 3 held-out pairs; blurry, restored, sharp


def test_a_zero_last_layer_starts_at_the_inputs_psnr(common: DbganCommon, datasets: Path) -> None:
    gauges = task(common, L1, datasets).evaluate()
    assert gauges["psnr"] == gauges["psnr_input"]


def test_it_learns_to_deblur(common: DbganCommon, datasets: Path) -> None:
    # mse: most of a picture of flat rectangles is not changed by blur, and there L1 punishes every first attempt.
    generator = common.generator.model_copy(update={"block": "rdb", "width": 16, "growth": 8})
    params = PretrainParams.model_validate({"content": "mse", "schedule": {"steps": 150, "lr": 3e-3, "lr_end": 1e-4}})
    trained = task(common.model_copy(update={"generator": generator}), params, datasets)
    for step in range(trained.total_steps):
        trained.step(step)
    gauges = trained.evaluate()
    assert gauges["psnr"] > gauges["psnr_input"] + 0.2


def test_the_loss_is_the_weighted_sum_of_the_papers_terms(common: DbganCommon, datasets: Path, tmp_path: Path) -> None:
    pretrain(common, L1, datasets, tmp_path)
    trained = task(
        common, BASE.model_copy(update={"perceptual_weight": 0.7}), datasets, tmp_path / "weights.safetensors"
    )
    terms = trained.step(0)
    expected = 0.7 * terms["perceptual"] + 1.0 * terms["content"] + 0.002 * terms["adversarial"]
    assert terms["loss"] == pytest.approx(expected, rel=1e-5)


def test_the_perceptual_loss_compares_with_the_sharp_target(
    common: DbganCommon, datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain(common, L1, datasets, tmp_path)
    trained, seen = task(common, BASE, datasets, tmp_path / "weights.safetensors"), []
    real = losses.perceptual
    monkeypatch.setattr(losses, "perceptual", lambda *pictures: seen.append(pictures[2]) or real(*pictures))
    trained.step(0)
    assert torch.equal(seen[0], trained._batches(0)[1])


def test_content_is_l1_or_mse(common: DbganCommon, datasets: Path) -> None:
    l1, mse = (task(common, L1.model_copy(update={"content": kind}), datasets) for kind in ("l1", "mse"))
    blurry, sharp = l1._batches(0)
    assert l1.step(0)["loss"] == pytest.approx(float((blurry - sharp).abs().mean()), rel=1e-5)
    assert mse.step(0)["loss"] == pytest.approx(float((blurry - sharp).square().mean()), rel=1e-5)


@pytest.mark.parametrize(("params", "name"), [(MINUS, "classical"), (BASE, "relativistic")])
def test_minus_is_classical_and_base_relativistic(
    common: DbganCommon, datasets: Path, tmp_path: Path, params: AdversarialParams, name: str
) -> None:
    pretrain(common, L1, datasets, tmp_path)
    trained = task(common, params, datasets, tmp_path / "weights.safetensors")
    blurry, sharp = trained._batches(0)
    assert trained._critic is not None
    with torch.no_grad():
        real, fake = trained._critic.network(sharp), trained._critic.network(trained.generator(blurry))
    expected = float(getattr(losses, f"{name}_generator_loss")(real, fake))
    assert trained.step(0)["adversarial"] == pytest.approx(expected, rel=1e-4)


def test_plus_mixes_synthetic_pairs_in_and_control_does_not(
    common: DbganCommon, datasets: Path, tmp_path: Path
) -> None:
    pretrain(common, L1, datasets, tmp_path)
    start = tmp_path / "weights.safetensors"
    plus, control = task(common, PLUS, datasets, start)._batches, task(common, CONTROL, datasets, start)._batches
    assert isinstance(plus, MixedBatches)
    assert not isinstance(control, MixedBatches)
    same = [torch.equal(plus(s)[1][i], control(s)[1][i]) for s in range(20) for i in range(2)]
    mixed = [bool(plus.corpus(s, i)) for s in range(20) for i in range(2)]
    assert same == [not synthetic for synthetic in mixed]


def test_a_missing_start_says_which_stage_makes_it(common: DbganCommon, datasets: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="dvc repro pretrain_dbgan"):
        train_adversarial("base", common, BASE, tmp_path / "l1" / "weights.safetensors", datasets, tmp_path / "base")


def test_a_start_of_another_architecture_is_refused(common: DbganCommon, datasets: Path, tmp_path: Path) -> None:
    pretrain(common, L1, datasets, tmp_path / "l1")
    wider = common.model_copy(update={"generator": common.generator.model_copy(update={"width": 12})})
    with pytest.raises(WeightsError, match=r"'width': 12.*'width': 8"):
        train_adversarial("base", wider, BASE, tmp_path / "l1" / "weights.safetensors", datasets, tmp_path / "base")


def test_what_is_held_out_is_of_other_sequences_and_datasets_test_is_not_opened(
    common: DbganCommon, datasets: Path
) -> None:
    data = open_data(common, L1, datasets)
    sequences = [{row[1].split("/")[0] for row in s.digests()} for s in (data.pairs, data.held_out)]
    assert sequences == [{"A", "B"}, {"V"}]
    assert not (datasets / "test").exists()  # nothing asked for it


def test_without_a_validation_split_the_summary_says_so(common: DbganCommon, datasets: Path, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "pairs").symlink_to(datasets / "train" / "pairs")
    rows = read_selection(datasets / "train" / "pairs.selection.parquet")
    rows["split"] = "train"
    write_selection(tmp_path / "train" / "pairs.selection.parquet", rows)
    pretrain(common, L1, tmp_path, tmp_path / "l1")
    notes = json.loads((tmp_path / "l1" / "summary.json").read_text())["notes"]
    assert notes == ["no validation split in pairs: psnr in curves.csv is of training pairs"]


def test_worse_than_the_input_is_warned_of(common: DbganCommon, datasets: Path) -> None:
    trained = task(common, L1, datasets)
    assert "worse than the blurry ones" in trained.warnings({"phase": "content", "psnr": 24.0, "psnr_input": 25.0})[0]
    assert trained.warnings({"phase": "content", "psnr": 24.8, "psnr_input": 25.0}) == []
