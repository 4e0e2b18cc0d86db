"""The pool of past logits: a ring, joined in E[.] without gradients, kept by the checkpoint."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch

from dbgan.params import AdversarialParams, BganParams
from dbgan.train.bgan import BganTask, open_data
from dbgan.train.loop import Record, get_state, set_state
from dbgan.train.losses import relativistic_discriminator_loss, relativistic_generator_loss
from dbgan.train.numerics import Numerics
from dbgan.train.pool import LogitPool


def held(pool: LogitPool) -> tuple[list[float], list[float]]:
    real, fake = pool.past()
    return sorted(real.tolist()), sorted(fake.tolist())


def test_the_pool_holds_the_last_of_each_kind() -> None:
    pool = LogitPool(3)
    assert held(pool) == ([], [])
    pool.push(torch.tensor([[1.0], [2.0]]), torch.tensor([[-1.0], [-2.0]]))
    assert held(pool) == ([1.0, 2.0], [-2.0, -1.0])
    pool.push(torch.tensor([3.0, 4.0]), torch.tensor([-3.0, -4.0]))
    assert held(pool) == ([2.0, 3.0, 4.0], [-4.0, -3.0, -2.0])
    pool.push(torch.arange(10.0), -torch.arange(10.0))
    assert held(pool) == ([7.0, 8.0, 9.0], [-9.0, -8.0, -7.0])


def test_past_logits_join_the_mean_by_hand() -> None:
    real, fake = torch.tensor([[2.0], [4.0]]), torch.tensor([[-1.0], [0.5]], requires_grad=True)
    past = torch.tensor([1.0]), torch.tensor([-2.0, -3.5])
    real_mean, fake_mean = (2 + 4 + 1) / 3, (-1 + 0.5 - 2 - 3.5) / 4

    def softplus(x: float) -> float:
        return math.log1p(math.exp(x))

    d_loss = sum(softplus(-(r - fake_mean)) for r in (2, 4)) / 2 + sum(softplus(f - real_mean) for f in (-1, 0.5)) / 2
    g_loss = sum(softplus(r - fake_mean) for r in (2, 4)) / 2 + sum(softplus(-(f - real_mean)) for f in (-1, 0.5)) / 2
    assert float(relativistic_discriminator_loss(real, fake.detach(), past)) == pytest.approx(d_loss, rel=1e-6)
    loss = relativistic_generator_loss(real, fake, past)
    assert float(loss.detach()) == pytest.approx(g_loss, rel=1e-6)
    loss.backward()
    assert fake.grad is not None
    assert (fake.grad != 0).all()


def test_what_was_said_before_is_in_the_next_verdict(datasets: Path, bgan_params: BganParams) -> None:
    torch.set_num_threads(1)
    params = bgan_params.model_copy(update={"pool": 5})
    numerics = Numerics("cpu", bf16=False, threads=1)
    critic = BganTask("toy", params, open_data(params, datasets), numerics)._critic
    pictures = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    real, fake = pictures[:2], pictures[2:]
    critic.learn(real, fake, lr=1e-3)
    past = critic.modules["pool"].past()
    with torch.no_grad():
        logits = critic.network(real), critic.network(fake)
    assert len(past[0]) == len(past[1]) == 2
    assert float(critic.verdict(real, fake)) == pytest.approx(float(relativistic_generator_loss(*logits, past)))
    expected = float(relativistic_discriminator_loss(*logits, past))
    assert critic.learn(real, fake, lr=1e-3)["d_loss"] == pytest.approx(expected, rel=1e-5)
    assert expected != pytest.approx(float(relativistic_discriminator_loss(*logits)), rel=1e-4)


def test_a_pool_for_the_classical_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="the classical loss has none"):
        AdversarialParams.model_validate({"loss": "classical", "pool": 8, "schedule": {"steps": 1}})


def test_a_resumed_pool_equals_an_undisturbed_one(datasets: Path, bgan_params: BganParams) -> None:
    torch.set_num_threads(1)
    params = bgan_params.model_copy(update={"pool": 5})

    def task() -> BganTask:
        return BganTask("toy", params, open_data(params, datasets), Numerics("cpu", bf16=False, threads=1))

    undisturbed, resumed = task(), task()
    for step in range(4):
        undisturbed.step(step)
    set_state(resumed, Record(), copy.deepcopy(get_state(undisturbed, Record())))
    for step in (4, 5):
        assert undisturbed.step(step) == resumed.step(step)
    for name, tensor in undisturbed.modules["pool"].state_dict().items():
        assert torch.equal(tensor, resumed.modules["pool"].state_dict()[name])
    assert int(undisturbed.modules["pool"].state_dict()["seen"]) == 2 * 6
