"""A profile: parts make up the step, operations are counted, nothing is left behind."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from dbgan.files import state_dir
from dbgan.params import BganParams, DbganCommon, PretrainParams
from dbgan.train.bgan import BganTask, open_data
from dbgan.train.dbgan import DbganTask
from dbgan.train.numerics import Numerics
from dbgan.train.pairs import open_data as open_pairs
from dbgan.train.profile import Profile, matmul_peak, profile
from dbgan.train.spans import PARTS, Stopwatch, measured, span

CPU = Numerics("cpu", bf16=False, threads=1)
L1 = PretrainParams.model_validate({"schedule": {"steps": 3, "lr": 1e-4}})


def test_a_stopwatch_counts_outer_parts_and_nothing_twice() -> None:
    watch = Stopwatch("cpu")
    with measured(watch), span("D"):
        time.sleep(0.03)
        with span("copy"):
            time.sleep(0.03)
    with span("data"):  # not measured any more
        time.sleep(0.03)
    assert watch.seconds["D"] >= 0.06
    assert watch.seconds["copy"] == watch.seconds["data"] == 0.0


def test_bgan_parts_make_up_the_step_of_its_last_phase(datasets: Path, bgan_params: BganParams) -> None:
    task = BganTask("toy", bgan_params, open_data(bgan_params, datasets), CPU)
    phases: list[str] = []
    real = task._step
    task._step = lambda phase, *rest: phases.append(phase) or real(phase, *rest)  # type: ignore[method-assign]
    found = profile(task, CPU, seconds=1.0)
    assert set(phases) == {"real"}
    assert list(found.parts) == [*PARTS, "other, idle"]
    assert all(found.parts[name] > 0 for name in ("data", "G forward", "perceptual", "D", "G backward"))
    assert found.parts["other, idle"] < 0.5 * sum(found.parts.values())
    assert not (state_dir() / "train").exists()
    assert "TFLOP/s" in found.table()


def test_operations_are_those_of_the_convolutions(common: DbganCommon, datasets: Path) -> None:
    task = DbganTask("toy", "l1", common, L1, None, "", open_pairs(common, L1, datasets), CPU)
    found = profile(task, CPU, seconds=0.2)
    # By hand: every 3x3 convolution at full resolution, once forward, twice backward (its weights, and its input, of
    # which the first layer needs none), two operations per multiply-add, on two crops of 32 px.
    layers = [m.weight.numel() for m in task.generator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert found.flops == 2 * 2 * 32 * 32 * (3 * sum(layers) - layers[0])


def test_the_table_names_shares_and_the_peak() -> None:
    found = Profile("train bgan x", 10, 0.5, {"data": 0.1, "other, idle": 0.3}, 10**12, 4e12, "CPU")
    lines = found.table().splitlines()
    assert lines[0] == "train bgan x: 500.0 ms per step over 10 steps on CPU"
    assert lines[1].split() == ["data", "100.00", "ms", "25.0%"]
    assert "2.000 TFLOP/s" in lines[-1]
    assert "50% of the 4.000 TFLOP/s" in lines[-1]


def test_the_peak_is_plausible() -> None:
    assert 1e8 < matmul_peak(CPU, rounds=1) < 1e15
