"""One optimizer update: the annealed rate, gradient clipping, and the stop within the step where a number is lost."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dbgan.errors import DbganError
from dbgan.train.team import ALONE, Team

if TYPE_CHECKING:
    from dbgan.params import ScheduleParams, TrainingParams


class NotFiniteError(DbganError):
    """A loss term or gradient is NaN or infinite; the weights are still those from before the step."""

    def __init__(self, what: str, terms: Mapping[str, float]) -> None:
        super().__init__(f"{what} is not finite")
        self.what = what
        self.terms = dict(terms)


def adam(network: nn.Module, training: TrainingParams) -> torch.optim.Adam:
    """Adam over the parameters that train; the rate is set at every step by `update`."""
    return torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=0.0, betas=training.betas)


def annealed(step: int, schedule: ScheduleParams) -> float:
    """Learning rate of step 0 .. steps-1: half a cosine from `lr` (first step) to `lr_end` (last step).

    In the first `ramp` steps it is scaled by 1/ramp, 2/ramp, ...: Adam's first steps at a full rate are as large as
    all later ones, whatever the gradient, and can switch all ReLUs of a small net off for good.

    >>> from dbgan.params import ScheduleParams
    >>> schedule = ScheduleParams(steps=3, lr=0.3, lr_end=0.1)
    >>> [round(annealed(s, schedule), 6) for s in range(3)]
    [0.3, 0.2, 0.1]
    """
    done = min(1.0, step / max(1, schedule.steps - 1))
    rate = schedule.lr_end + 0.5 * (schedule.lr - schedule.lr_end) * (1.0 + math.cos(math.pi * done))
    return rate * min(1.0, (step + 1) / max(1, schedule.ramp))


class Annealing:
    """The learning rate of one phase, by its schedule.

    `cosine` is `annealed`. `plateau` holds the rate until the smoothed loss has had no new lowest value for `patience`
    steps, then multiplies it by `factor`, down to `lr_end`: "1e-4, 1e-6 after convergence" (section 3.4). Its state is
    four numbers in `memory`, so that a resumed training falls where an undisturbed one does.

    Args:
        schedule: the phase's.
        memory: the task's numbers that outlive a step.
        phase: keeps apart the numbers of several phases.
    """

    def __init__(self, schedule: ScheduleParams, memory: dict[str, float], phase: str) -> None:
        self._schedule, self._memory, self._prefix = schedule, memory, f"{phase}.plateau"

    def rate(self, step: int) -> float:
        """Learning rate of step `step` of the phase."""
        schedule = self._schedule
        if schedule.anneal == "cosine":
            return annealed(step, schedule)
        held: float = max(schedule.lr_end, schedule.lr * schedule.plateau.factor ** self._recall("falls", 0.0))
        return held * min(1.0, (step + 1) / max(1, schedule.ramp))

    def observe(self, loss: float) -> None:
        """Take note of the loss of one step; nothing for `cosine`."""
        if self._schedule.anneal == "cosine":
            return
        plateau = self._schedule.plateau
        smoothed = plateau.smoothing * self._recall("loss", loss) + (1.0 - plateau.smoothing) * loss
        lowest, waited = self._recall("lowest", math.inf), self._recall("waited", 0.0) + 1.0
        if lowest == math.inf or smoothed < lowest - plateau.drop * abs(lowest):
            lowest, waited = smoothed, 0.0
        if waited >= plateau.patience:
            self._keep("falls", self._recall("falls", 0.0) + 1.0)
            waited = 0.0
        self._keep("loss", smoothed)
        self._keep("lowest", lowest)
        self._keep("waited", waited)

    def _recall(self, name: str, otherwise: float) -> float:
        return self._memory.get(f"{self._prefix}.{name}", otherwise)

    def _keep(self, name: str, value: float) -> None:
        self._memory[f"{self._prefix}.{name}"] = value


def update(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    terms: Mapping[str, Tensor],
    *,
    lr: float,
    clip: float,
    team: Team = ALONE,
) -> dict[str, float]:
    """Minimise `terms["loss"]` by one step and return all terms as floats: means over the workers, equal on each.

    Args:
        network: whose parameters the optimizer holds.
        terms: scalar losses; "loss" is the one that is minimised, the others are reported.
        lr: learning rate of this step.
        clip: maximal L2 norm of the whole gradient; 0 switches clipping off.
        team: the workers that do this step together; gradients are averaged over them before they are clipped.

    Raises:
        NotFiniteError: before the weights are touched.
    """
    means = team.mean(torch.stack([t.detach().float() for t in terms.values()]))
    values = dict(zip(terms, means.tolist(), strict=True))
    for name, value in values.items():
        if not math.isfinite(value):
            raise NotFiniteError(f"loss term {name!r}", values)
    optimizer.zero_grad(set_to_none=True)
    terms["loss"].backward()  # type: ignore[no-untyped-call]
    parameters = [p for p in network.parameters() if p.grad is not None]
    team.average(parameters)
    norm = torch.nn.utils.clip_grad_norm_(parameters, clip if clip > 0 else math.inf)
    if not math.isfinite(float(norm)):
        raise NotFiniteError("the gradient", values)
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    return values


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Gradients flow through `network` but not into its weights (the discriminator while the generator learns)."""
    before = [(p, p.requires_grad) for p in network.parameters()]
    network.requires_grad_(False)
    try:
        yield
    finally:
        for parameter, required in before:
            parameter.requires_grad_(required)
