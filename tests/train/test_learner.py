"""The generator's side: the average against the formula, what is kept, what the checkpoint holds."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from dbgan.networks import generator, load_weights
from dbgan.networks.registry import Generator
from dbgan.params import DbganCommon, PretrainParams, ScheduleParams, TrainingParams
from dbgan.train.dbgan import DbganTask, pretrain
from dbgan.train.learner import Learner
from dbgan.train.loop import Record, get_state, set_state
from dbgan.train.numerics import Numerics
from dbgan.train.pairs import open_data

CPU = Numerics("cpu", bf16=False, threads=1)
SCHEDULE = ScheduleParams(steps=10, lr=1e-2, lr_end=1e-2)


def learner(ema: float) -> Learner:
    network = generator("dbgan", block="plain", blocks=1, width=4, seed=3)
    return Learner(network, training=TrainingParams(ema=ema), numerics=CPU, memory={})


def weights(network: Generator) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def learn(taught: Learner, step: int) -> None:
    x = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(step))
    taught.learn({"loss": (taught.network(x) - 0.3).abs().mean()}, phase="p", within=step, schedule=SCHEDULE)


def test_the_average_is_the_decayed_sum_of_the_weights() -> None:
    taught = learner(0.75)
    expected = None
    for step in range(5):
        learn(taught, step)
        now = weights(taught.network)
        expected = now.clone() if expected is None else 0.75 * expected + 0.25 * now
    assert expected is not None
    assert torch.allclose(weights(taught.product), expected, atol=1e-7)
    assert not torch.equal(weights(taught.product), weights(taught.network))


def test_without_an_average_the_network_itself_is_kept() -> None:
    taught = learner(0.0)
    assert taught.product is taught.network
    assert list(taught.modules) == ["generator"]


def test_its_weights_lie_in_memory_as_channels_last() -> None:
    assert learner(0.0).network.head.weight.is_contiguous(memory_format=torch.channels_last)


def test_averaging_does_not_change_what_is_learnt() -> None:
    plain, averaged = learner(0.0), learner(0.9)
    for step in range(3):
        learn(plain, step)
        learn(averaged, step)
    assert torch.equal(weights(plain.network), weights(averaged.network))


def ema_task(common: DbganCommon, datasets: Path) -> DbganTask:
    torch.set_num_threads(1)
    training = common.training.model_copy(update={"ema": 0.8})
    params = PretrainParams.model_validate({"schedule": {"steps": 6, "lr": 1e-2}})
    with_ema = common.model_copy(update={"training": training})
    return DbganTask("l1", "l1", with_ema, params, None, "", open_data(with_ema, params, datasets), CPU)


def test_a_resumed_average_equals_an_undisturbed_one(common: DbganCommon, datasets: Path) -> None:
    undisturbed, resumed = ema_task(common, datasets), ema_task(common, datasets)
    for step in range(3):
        undisturbed.step(step)
    set_state(resumed, Record(), copy.deepcopy(get_state(undisturbed, Record())))
    for step in range(3, 6):
        undisturbed.step(step)
        resumed.step(step)
    assert torch.equal(weights(undisturbed.product), weights(resumed.product))


def test_the_average_is_what_is_evaluated_and_written(common: DbganCommon, datasets: Path, tmp_path: Path) -> None:
    trained = ema_task(common, datasets)
    for step in range(6):
        trained.step(step)
    params = PretrainParams.model_validate({"schedule": {"steps": 6, "lr": 1e-2}})
    training = common.training.model_copy(update={"ema": 0.8})
    pretrain(common.model_copy(update={"training": training}), params, datasets, tmp_path)
    written = load_weights(tmp_path / "weights.safetensors")
    assert torch.equal(weights(written), weights(trained.product))  # type: ignore[arg-type]
    before = trained.evaluate()
    with torch.no_grad():
        for parameter in trained.generator.parameters():
            parameter.add_(1.0)
    assert trained.evaluate() == before


def test_a_decay_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="ema"):
        TrainingParams(ema=1.0)
