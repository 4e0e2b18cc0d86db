"""Ray Train around the loop: two workers leave what one leaves, a killed one costs steps, refusals come in words."""

from __future__ import annotations

import csv
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dbgan.cluster import require_room
from dbgan.errors import DbganError
from dbgan.files import state_dir
from dbgan.networks import load_weights
from dbgan.params import AdversarialParams, DbganCommon, PretrainParams, TrainingParams
from dbgan.train import dbgan as dbgan_module
from dbgan.train import distributed, work
from dbgan.train.dbgan import DbganTask, pretrain, train_adversarial
from dbgan.train.numerics import Numerics
from dbgan.train.optimise import NotFiniteError
from tests.train.conftest import NETWORKS, TRAINING

STEPS = 6
L1 = PretrainParams.model_validate({"schedule": {"steps": STEPS, "lr": 1e-3}})
BASE = AdversarialParams.model_validate(
    {"alpha": 1.0, "beta": 0.01, "schedule": {"steps": STEPS, "lr": 1e-4}, "discriminator_lr": 1e-4}
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One cluster for all tests of this file: it takes seconds to start. Its two GPUs are a claim, nothing more."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(address="local", num_cpus=2, num_gpus=2, include_dashboard=False, log_to_driver=False)
        yield ray
        ray.shutdown()


def common(**training: Any) -> DbganCommon:
    generator = {"block": "plain", "blocks": 1, "width": 8}
    networks = {**NETWORKS, "training": {**TRAINING, "batch": 4, **training}}
    return DbganCommon.model_validate({"pairs": ["pairs"], "generator": generator, **networks})


@pytest.fixture
def start(datasets: Path, tmp_path: Path) -> Path:
    """Weights of stage 0, by one worker."""
    pretrain(common(), L1, datasets, tmp_path / "l1")
    return tmp_path / "l1" / "weights.safetensors"


def curves(folder: Path) -> list[dict[str, float]]:
    rows = csv.DictReader(io.StringIO((folder / "curves.csv").read_text()))
    return [{name: float(value) for name, value in row.items() if name != "phase" and value} for row in rows]


def difference(one: Path, other: Path) -> float:
    """Largest difference of any weight of two files."""
    first, second = (load_weights(path).state_dict() for path in (one, other))
    return max(float((first[key] - second[key]).abs().max()) for key in first)


def killing(marker: Path) -> type[DbganTask]:
    """A task whose second worker is killed at step 3, the first time."""

    class Killing(DbganTask):
        def step(self, step: int) -> dict[str, float]:
            if step == 3 and self._numerics.team.rank == 1 and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().step(step)

    return Killing


def losing(tries: Path) -> type[DbganTask]:
    """A task that loses a number at step 3, and counts how often it is tried."""

    class Losing(DbganTask):
        def step(self, step: int) -> dict[str, float]:
            if step == 3:
                with tries.open("a") as handle:
                    handle.write(f"{self._numerics.team.rank}\n")
                raise NotFiniteError("the gradient", {"loss": 0.5})
            return super().step(step)

    return Losing


@pytest.mark.slow
def test_two_workers_leave_what_one_leaves_and_a_killed_one_changes_no_byte(
    cluster: Any,
    datasets: Path,
    start: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    one, two, killed = (tmp_path / name for name in ("one", "two", "killed"))
    train_adversarial("base", common(), BASE, start, datasets, one)
    capsys.readouterr()
    train_adversarial("base", common(workers=2), BASE, start, datasets, two)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "train dbgan base: 2 workers"
    assert said[-1].startswith("train dbgan base: 6 of 6 done")
    assert curves(two) == [pytest.approx(row, rel=1e-3) for row in curves(one)]
    moved = difference(one / "weights.safetensors", start)
    assert difference(one / "weights.safetensors", two / "weights.safetensors") < 0.05 * moved
    folders = list((state_dir() / "train").iterdir())
    assert len(folders) == 3, "the number of workers is in the recipe"
    assert all({p.name for p in f.iterdir()} == {"done.json", "outs", "start.json", "times.json"} for f in folders)

    train_adversarial("base", common(workers=2), BASE, start, datasets, tmp_path / "again")
    assert capsys.readouterr().out == "train dbgan base: nothing changed, finished work given back\n"

    monkeypatch.setenv("DBGAN_STATE", str(tmp_path / "other-state"))
    monkeypatch.setattr(dbgan_module, "DbganTask", killing(tmp_path / "marker"))
    train_adversarial("base", common(workers=2), BASE, start, datasets, killed)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("train ")]  # Ray speaks as well
    assert [line for line in said if line.endswith("workers")] == [
        f"train dbgan base: {'a worker died; started again with ' * n}2 workers" for n in (0, 1)
    ]
    assert said[-1].startswith("train dbgan base (resumed at step 2): 4 of 4 done")
    assert {p.name: p.read_bytes() for p in killed.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}


@pytest.mark.slow
def test_a_lost_number_ends_it_in_words_and_is_not_tried_again(
    cluster: Any, datasets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbgan_module, "DbganTask", losing(tmp_path / "tries"))
    with pytest.raises(DbganError, match="train dbgan l1: the gradient is not finite at step 3") as caught:
        pretrain(common(workers=2), L1, datasets, tmp_path / "l1")
    assert "step-00000002.pt" in str(caught.value)
    assert sorted((tmp_path / "tries").read_text().split()) in (["0", "1"], ["0"], ["1"])
    (folder,) = (state_dir() / "train").iterdir()
    assert {p.name for p in folder.iterdir()} == {"start.json", "checkpoints"}


def test_more_workers_than_the_cluster_can_hold_are_refused_before_the_start(
    cluster: Any, datasets: Path, tmp_path: Path
) -> None:
    with pytest.raises(DbganError, match="4 workers of 1 CPUs each were asked for; the cluster has 2 CPUs"):
        pretrain(common(workers=4), L1, datasets, tmp_path / "l1")
    assert require_room(cluster, workers=2, cpus=1, gpus=1) == 2
    with pytest.raises(DbganError, match="3 workers of 1 CPUs and 1 GPUs each were asked for"):
        require_room(cluster, workers=3, cpus=1, gpus=1)


@pytest.mark.parametrize(("device", "backend"), [("cpu", "gloo"), ("cuda", "nccl")])
def test_each_worker_takes_its_threads_and_on_cuda_one_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, backend: str
) -> None:
    monkeypatch.setattr(distributed, "_kind", lambda numerics: {})  # asks the GPU for its capability
    training = TrainingParams(batch=4, workers=2, threads=3)
    numerics = Numerics(device, bf16=False, threads=3)
    todo = work.Work("dbgan", "l1", 1, {}, {}, training, numerics, build=lambda numerics: None)
    trainer = distributed._trainer(todo, tmp_path, tmp_path)
    scaling = trainer.scaling_config
    assert (scaling.num_workers, scaling.use_gpu) == (2, device == "cuda")
    assert scaling.resources_per_worker == {"CPU": 3, **({"GPU": 1} if device == "cuda" else {})}
    assert trainer.backend_config.backend == backend
    assert trainer.run_config.failure_config.max_failures == distributed.RESTARTS


def test_a_machine_of_another_kind_is_refused_by_what_differs() -> None:
    kind = {"device": "cpu", "isa": "avx2", "torch": "2.14.1"}
    distributed._require_alike(kind, dict(kind))
    with pytest.raises(DbganError, match=r"\(isa: expected amx, found avx2\)") as caught:
        distributed._require_alike(kind, {**kind, "isa": "amx"})
    assert "torch" not in str(caught.value)
