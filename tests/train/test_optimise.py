"""One update: the rate, the clipping, the stop."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from dbgan.params import ScheduleParams, TrainingParams
from dbgan.train.optimise import Annealing, NotFiniteError, adam, annealed, frozen, update


def test_the_rate_is_half_a_cosine_from_lr_to_lr_end() -> None:
    schedule = ScheduleParams(steps=5, lr=0.9, lr_end=0.1)
    # By hand: cos of 0, 45, 90, 135, 180 degrees is 1, 0.7071, 0, -0.7071, -1; middle 0.5, half the span 0.4.
    expected = [0.9, 0.5 + 0.4 * math.sqrt(0.5), 0.5, 0.5 - 0.4 * math.sqrt(0.5), 0.1]
    assert [annealed(step, schedule) for step in range(5)] == pytest.approx(expected)
    assert annealed(99, schedule) == pytest.approx(0.1)


def test_the_rate_rises_over_the_ramp() -> None:
    schedule = ScheduleParams(steps=100, lr=0.5, lr_end=0.5, ramp=4)
    assert [annealed(step, schedule) for step in range(6)] == pytest.approx([0.125, 0.25, 0.375, 0.5, 0.5, 0.5])


def test_a_single_step_has_the_first_rate() -> None:
    assert annealed(0, ScheduleParams(steps=1, lr=0.3, lr_end=0.1)) == pytest.approx(0.3)


def falling(**plateau: float) -> ScheduleParams:
    values = {"smoothing": 0.0, "patience": 3, "drop": 0.1, "factor": 0.1} | plateau
    return ScheduleParams.model_validate(
        {"steps": 100, "lr": 1.0, "lr_end": 0.02, "anneal": "plateau", "plateau": values}
    )


def rates(schedule: ScheduleParams, losses: list[float], memory: dict[str, float]) -> list[float]:
    found = []
    for step, loss in enumerate(losses):
        annealing = Annealing(schedule, memory, "content")
        found.append(annealing.rate(step))
        annealing.observe(loss)
    return found


def test_the_rate_falls_when_the_loss_has_stopped_falling_and_never_below_lr_end() -> None:
    # New lowest values at steps 0, 1 and 2; 7.5 and 7.0 are no tenth below 7.6; then patience runs out twice.
    losses = [10.0, 8.9, 7.6, 7.5, 7.0, 9.0, 9.0, 9.0, 9.0, 9.0]
    assert rates(falling(), losses, {}) == pytest.approx([1.0] * 6 + [0.1] * 3 + [0.02])


def test_the_plateau_is_seen_in_the_smoothed_loss() -> None:
    noisy = [5.0 - 0.1 * step + (-2.0 if step % 2 else 2.0) for step in range(20)]
    smoothed = rates(falling(smoothing=0.9, drop=0.0), noisy, {})
    assert smoothed == [1.0] * 20
    assert rates(falling(drop=0.0), [3.0, 7.0] * 10, {})[-1] < 1.0


def test_an_annealing_goes_on_from_its_memory() -> None:
    losses = [10.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.0]
    memory: dict[str, float] = {}
    first = rates(falling(), losses[:3], memory)
    assert first + rates(falling(), losses[3:], dict(memory)) == rates(falling(), losses, {})


def test_phases_wait_for_their_own_losses() -> None:
    memory: dict[str, float] = {}
    rates(falling(), [9.0] * 5, memory)
    other = Annealing(falling(), memory, "real")
    assert (Annealing(falling(), memory, "content").rate(5), other.rate(0)) == pytest.approx((0.1, 1.0))


def linear(value: float) -> nn.Linear:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, value)
    return network


def test_adams_first_step_is_the_rate_against_the_gradient() -> None:
    network = linear(1.0)
    loss = 3.0 * network(torch.ones(1, 1)).sum()
    values = update(network, adam(network, TrainingParams()), {"loss": loss, "other": loss * 2}, lr=0.25, clip=0.0)
    assert network.weight.item() == pytest.approx(0.75)  # Adam's first step has the size of the rate
    assert values == {"loss": 3.0, "other": 6.0}


def test_the_decays_of_adam_are_those_of_params() -> None:
    assert adam(linear(1.0), TrainingParams(betas=(0.5, 0.95))).param_groups[0]["betas"] == (0.5, 0.95)


def test_clipping_bounds_the_norm_of_the_whole_gradient() -> None:
    network = nn.Linear(2, 1, bias=False)
    loss = (network.weight * torch.tensor([[30.0, 40.0]])).sum()
    update(network, adam(network, TrainingParams()), {"loss": loss}, lr=1e-3, clip=1.0)
    assert network.weight.grad is not None
    assert network.weight.grad.flatten().tolist() == pytest.approx([0.6, 0.8], rel=1e-4)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_lost_number_in_any_term_stops_before_the_weights_change(bad: float) -> None:
    network = linear(1.0)
    terms = {"loss": network(torch.ones(1, 1)).sum(), "adversarial": torch.tensor(bad)}
    with pytest.raises(NotFiniteError, match="adversarial") as caught:
        update(network, adam(network, TrainingParams()), terms, lr=0.1, clip=0.0)
    assert caught.value.terms["loss"] == 1.0
    assert network.weight.item() == 1.0


def test_a_lost_number_in_the_gradient_alone_stops_before_the_weights_change() -> None:
    network = linear(0.0)
    loss = torch.sqrt(network.weight).sum()  # sqrt(0) is 0, its derivative infinite
    with pytest.raises(NotFiniteError, match="gradient"):
        update(network, adam(network, TrainingParams()), {"loss": loss}, lr=0.1, clip=1.0)
    assert network.weight.item() == 0.0


def test_a_frozen_network_passes_gradients_on_and_gets_none() -> None:
    network = linear(2.0)
    x = torch.ones(1, 1, requires_grad=True)
    with frozen(network):
        network(x).sum().backward()
    assert x.grad is not None
    assert float(x.grad) == 2.0
    assert network.weight.grad is None
    assert network.weight.requires_grad
