"""Work is resumed bit for bit, given back when finished, and not trusted when the code computes something else."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dbgan import locks
from dbgan.files import state_dir
from dbgan.params import AdversarialParams, BganParams, DbganCommon, PretrainParams, TrainingParams
from dbgan.recipe import digest
from dbgan.train import bgan as bgan_module
from dbgan.train import checkpoints, loop, optimise, work
from dbgan.train import dbgan as dbgan_module
from dbgan.train.bgan import BganTask, train_bgan
from dbgan.train.dbgan import REVISION, DbganTask, pretrain, train_adversarial
from dbgan.train.loop import DivergedError, Record, Row, Task, get_state, set_state, train
from dbgan.train.numerics import Numerics
from tests.train.processes import exit_code

OUTS = ("curves.csv", "samples.png", "summary.json", "weights.safetensors")
SCHEDULE = PretrainParams.model_validate({"schedule": {"steps": 7, "lr": 1e-3}})
CPU = Numerics("cpu", bf16=False, threads=1)


def outs(folder: Path) -> dict[str, bytes]:
    names = sorted(p.name for p in folder.iterdir())
    assert [name for name in names if name != "walk.png"] == list(OUTS)  # BGANs walk through their noise, too
    return {name: (folder / name).read_bytes() for name in names}


def work_folder() -> Path:
    (folder,) = (state_dir() / "train").iterdir()
    return folder


def bgan_task(params: BganParams, datasets: Path) -> BganTask:
    return BganTask("toy", params, bgan_module.open_data(params, datasets), CPU)


def tensors_of(task: BganTask) -> list[torch.Tensor]:
    return [tensor for module in task.modules.values() for tensor in module.state_dict().values()]


def test_one_step_from_a_checkpoint_equals_one_undisturbed_step(
    datasets: Path, bgan_params: BganParams, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    undisturbed = bgan_task(bgan_params, datasets)
    for step in range(5):
        undisturbed.step(step)
    checkpoints.save(tmp_path, 5, get_state(undisturbed, Record()))
    expected = undisturbed.step(5)
    resumed = bgan_task(bgan_params, datasets)
    restored = checkpoints.load_latest(tmp_path)
    assert restored is not None
    set_state(resumed, Record(), restored[1])
    assert resumed.step(5) == expected
    assert all(torch.equal(a, b) for a, b in zip(tensors_of(undisturbed), tensors_of(resumed), strict=True))


def killed_at(step: int, task: type[Task]) -> None:
    """Let this process be killed when a task is about to do a step."""
    do = task.step

    def killing(self: Task, number: int) -> dict[str, float]:
        if number == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return do(self, number)

    task.step = killing  # type: ignore[method-assign]  # in a process that ends with this


def train_bgan_until(step: int, params: BganParams, datasets: Path, out: Path) -> None:
    killed_at(step, BganTask)
    train_bgan("toy", params, datasets, out)


@pytest.mark.parametrize("step", [1, 7])
def test_killed_at_any_step_and_run_again_it_leaves_the_same_bytes(
    datasets: Path, bgan_params: BganParams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    train_bgan("toy", bgan_params, datasets, tmp_path / "undisturbed")
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path / "state"))
    assert exit_code(train_bgan_until, step, bgan_params, datasets, tmp_path / "resumed") == -signal.SIGKILL
    assert (checkpoints.latest_path(work_folder() / "checkpoints") is not None) == (step > 1)
    train_bgan("toy", bgan_params, datasets, tmp_path / "resumed")
    assert outs(tmp_path / "undisturbed") == outs(tmp_path / "resumed")


def train_dbgan_until(step: int, *arguments: Any) -> None:
    killed_at(step, DbganTask)
    train_adversarial("base", *arguments)


@pytest.mark.parametrize("step", [3, 8])
def test_average_pool_plateau_and_prefetch_survive_a_kill(
    datasets: Path, common: DbganCommon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    training = common.training.model_copy(update={"ema": 0.7, "prefetch": 2, "cache": "none", "checkpoint_every": 3})
    common = common.model_copy(update={"training": training})
    params = AdversarialParams.model_validate(
        {
            "pool": 5,
            "alpha": 1.0,
            "warmup": {"max_steps": 2, "accuracy": 1.0},
            "schedule": {
                "steps": 9,
                "lr": 1e-3,
                "anneal": "plateau",
                "plateau": {"smoothing": 0.5, "patience": 2, "drop": 0.5},
            },
        }
    )
    start = tmp_path / "l1" / "weights.safetensors"
    pretrain(common, SCHEDULE, datasets, start.parent)
    train_adversarial("base", common, params, start, datasets, tmp_path / "undisturbed")
    rates = [row.split(",")[2] for row in (tmp_path / "undisturbed" / "curves.csv").read_text().splitlines()[1:]]
    assert rates[-1] != rates[1]  # the plateau was reached
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path / "state"))
    arguments = (common, params, start, datasets, tmp_path / "resumed")
    assert exit_code(train_dbgan_until, step, *arguments) == -signal.SIGKILL
    assert checkpoints.latest_path(work_folder() / "checkpoints") is not None
    train_adversarial("base", common, params, start, datasets, tmp_path / "resumed")
    assert outs(tmp_path / "undisturbed") == outs(tmp_path / "resumed")


def test_finished_work_is_given_back_without_training(
    datasets: Path, common: DbganCommon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain(common, SCHEDULE, datasets, tmp_path / "first")
    monkeypatch.setattr(dbgan_module, "DbganTask", None)  # to build it again would fail
    started = time.monotonic()
    pretrain(common, SCHEDULE, datasets, tmp_path / "second")
    assert time.monotonic() - started < 1.0
    assert outs(tmp_path / "first") == outs(tmp_path / "second")


def test_finished_work_keeps_its_outs_and_drops_its_checkpoints(
    datasets: Path, common: DbganCommon, tmp_path: Path
) -> None:
    pretrain(common, SCHEDULE, datasets, tmp_path / "l1")
    names = {p.name for p in work_folder().iterdir()}
    assert names == {"done.json", "outs", "start.json", "times.json"}
    assert json.loads((work_folder() / "times.json").read_text())["steps"] == 7


def test_a_damaged_kept_out_is_not_given_back(datasets: Path, common: DbganCommon, tmp_path: Path) -> None:
    pretrain(common, SCHEDULE, datasets, tmp_path / "l1")
    expected = outs(tmp_path / "l1")
    (work_folder() / "outs" / "curves.csv").write_text("step\n")
    pretrain(common, SCHEDULE, datasets, tmp_path / "l1")
    assert outs(tmp_path / "l1") == expected


def test_how_often_it_is_saved_is_no_part_of_the_recipe_but_the_seed_is(
    datasets: Path, common: DbganCommon, tmp_path: Path
) -> None:
    def with_training(**changes: object) -> DbganCommon:
        return common.model_copy(update={"training": common.training.model_copy(update=changes)})

    pretrain(common, SCHEDULE, datasets, tmp_path / "a")
    pretrain(with_training(checkpoint_every=5, cache="none"), SCHEDULE, datasets, tmp_path / "b")
    assert len(list((state_dir() / "train").iterdir())) == 1
    pretrain(with_training(seed=3), SCHEDULE, datasets, tmp_path / "c")
    assert len(list((state_dir() / "train").iterdir())) == 2
    assert outs(tmp_path / "a")["weights.safetensors"] != outs(tmp_path / "c")["weights.safetensors"]


def test_other_code_with_the_same_bytes_passes_the_canary(
    datasets: Path, common: DbganCommon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain(common, SCHEDULE, datasets, tmp_path / "l1")
    monkeypatch.setattr(work, "code_digest", lambda *_: "other code")
    monkeypatch.setattr(work, "train", None)  # only the canary may run
    pretrain(common, SCHEDULE, datasets, tmp_path / "again")
    assert outs(tmp_path / "l1") == outs(tmp_path / "again")
    assert json.loads((work_folder() / "start.json").read_text())["code"] == "other code"


def test_other_code_with_other_bytes_fails_with_the_word_revision(
    datasets: Path, common: DbganCommon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretrain(common, SCHEDULE, datasets, tmp_path / "l1")
    monkeypatch.setattr(work, "code_digest", lambda *_: "other code")
    real = optimise.annealed
    monkeypatch.setattr(optimise, "annealed", lambda *a: 0.5 * real(*a))
    with pytest.raises(work.StaleRevisionError, match=rf"bump REVISION \(now {REVISION}\) in dbgan/train/dbgan\.py"):
        pretrain(common, SCHEDULE, datasets, tmp_path / "again")


def test_the_canary_leaves_no_trace(datasets: Path, bgan_params: BganParams) -> None:
    torch.set_num_threads(1)
    task = bgan_task(bgan_params, datasets)
    before = [tensor.clone() for tensor in tensors_of(task)]
    first = work.canary(task)
    assert all(torch.equal(a, b) for a, b in zip(before, tensors_of(task), strict=True))
    assert work.canary(task) == first


@pytest.mark.parametrize("bad_step", [0, 5])
def test_a_lost_number_names_the_step_the_terms_and_the_last_good_checkpoint(
    datasets: Path, common: DbganCommon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad_step: int
) -> None:
    real = dbgan_module.losses.content
    calls = iter(range(100))
    factors = {bad_step: float("nan")}
    monkeypatch.setattr(
        dbgan_module.losses, "content", lambda a, b, kind: real(a, b, kind) * factors.get(next(calls), 1.0)
    )
    data = dbgan_module.open_data(common, SCHEDULE, datasets)
    task = DbganTask("l1", "l1", common, SCHEDULE, None, "", data, CPU)
    with pytest.raises(DivergedError) as caught:
        train(task, TrainingParams(checkpoint_every=2, evaluate_every=50), tmp_path)
    message = str(caught.value)
    assert f"at step {bad_step} (loss nan)" in message
    assert ("step-00000004.pt" if bad_step else "none yet") in message
    assert all(bool(torch.isfinite(p).all()) for p in task.generator.parameters())


def test_a_number_lost_in_the_rehearsal_is_told_as_fully(
    datasets: Path, common: DbganCommon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary tries each phase before the first step: what starts from bad weights is lost there."""
    real = dbgan_module.losses.content
    monkeypatch.setattr(dbgan_module.losses, "content", lambda *of: real(*of) * float("nan"))
    words = r"train dbgan l1: loss term 'loss' is not finite in the steps tried before the first \(loss nan\)\.\n"
    with pytest.raises(DivergedError, match=words + "Last good checkpoint: none yet"):
        pretrain(common, SCHEDULE, datasets, tmp_path / "l1")


def test_a_warning_is_said_once_whatever_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    said: set[str] = set()
    for step, text in ((3, "BGAN tints (by 2 %)"), (6, "BGAN tints (by 3 %)"), (9, "BGAN sharpens (by 2 %)")):
        loop._say([text], "train bgan toy", step, said)
    assert capsys.readouterr().out.splitlines() == [
        "train bgan toy, step 3: warning: BGAN tints (by 2 %)",
        "train bgan toy, step 9: warning: BGAN sharpens (by 2 %)",
    ]


def test_curve_floats_have_six_digits_and_gaps_are_empty() -> None:
    rows = [{"step": 3, "phase": "warmup", "d_loss": 1.0 / 3.0}, {"step": 6, "phase": "real", "loss": 1e-7}]
    assert work.curves_csv(rows, ["loss", "d_loss"]) == (b"step,phase,loss,d_loss\n3,warmup,,0.333333\n6,real,1e-07,\n")


def test_networks_are_put_back_to_training_after_an_evaluation(datasets: Path, bgan_params: BganParams) -> None:
    task = bgan_task(bgan_params, datasets)
    task.evaluate()
    assert isinstance(task.generator, nn.Module)
    assert task.generator.training


@pytest.mark.parametrize("name", ["done.json", "start.json"])
@pytest.mark.parametrize("content", [b"{", b"\xff\x00", b"[1]"])
def test_a_damaged_note_about_finished_work_has_it_done_again(
    datasets: Path, common: DbganCommon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    pretrain(common, SCHEDULE, datasets, tmp_path / "l1")
    (work_folder() / name).write_bytes(content)
    trained: list[Task] = []
    monkeypatch.setattr(work, "train", lambda task, *a, **k: trained.append(task) or train(task, *a, **k))
    pretrain(common, SCHEDULE, datasets, tmp_path / "again")
    assert len(trained) == 1
    assert outs(tmp_path / "l1") == outs(tmp_path / "again")


def test_who_waits_for_another_process_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def second() -> None:
        with work._locked(tmp_path / "recipe", "train dbgan l1"):
            entered.set()

    entered = threading.Event()
    with work._locked(tmp_path / "recipe", "train dbgan l1"):
        assert capsys.readouterr().out == ""
        waiting = threading.Thread(target=second)
        waiting.start()
        assert not entered.wait(0.3)
        said = capsys.readouterr().out
    waiting.join(10)
    assert entered.is_set()
    assert said.startswith(f"train dbgan l1: process {os.getpid()} (")
    assert "does this same training; waiting for it to end, to be given what it makes" in said
    assert "train-recipe.lock" in said


def test_two_trainings_of_one_recipe_at_once_are_computed_once(
    common: DbganCommon,
    datasets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    begun, waited = threading.Event(), threading.Event()
    trained: list[Task] = []

    def gated(task: Task, *rest: Any, **more: Any) -> list[Row]:
        trained.append(task)
        begun.set()
        assert waited.wait(60)
        return train(task, *rest, **more)

    monkeypatch.setattr(work, "train", gated)
    exclusive = locks.exclusive

    def noticed(path: Path, busy: Callable[[str], None] = lambda holder: None) -> AbstractContextManager[None]:
        return exclusive(path, lambda holder: (busy(holder), waited.set())[0])

    monkeypatch.setattr(locks, "exclusive", noticed)
    first = threading.Thread(target=pretrain, args=(common, SCHEDULE, datasets, tmp_path / "first"))
    first.start()
    assert begun.wait(60)
    pretrain(common, SCHEDULE, datasets, tmp_path / "second")
    first.join(60)
    assert len(trained) == 1
    assert outs(tmp_path / "first") == outs(tmp_path / "second")
    said = capsys.readouterr().out
    assert "does this same training; waiting for it to end" in said
    assert "nothing changed, finished work given back" in said


def test_outs_of_two_trainings_do_not_mix(tmp_path: Path) -> None:
    """Another recipe for the same place waits until one has written all of its files."""
    for name in ("a", "b"):
        for file in OUTS:
            (tmp_path / name / "outs").mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "outs" / file).write_text(name)
    lock = state_dir() / "locks" / f"out-{digest(str((tmp_path / 'out').absolute()))[:16]}.lock"
    with locks.exclusive(lock):
        other = threading.Thread(target=work._give, args=(tmp_path / "b", tmp_path / "out"))
        other.start()
        other.join(0.3)
        assert other.is_alive()
        assert not (tmp_path / "out").exists()
    other.join(10)
    assert {path.read_text() for path in (tmp_path / "out").iterdir()} == {"b"}
