"""The generator's side of a training: its optimizer, its rate, and the running average that is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dbgan.networks.registry import Generator
from dbgan.train.numerics import Numerics, compiled
from dbgan.train.optimise import Annealing, adam, update
from dbgan.train.spans import span

if TYPE_CHECKING:
    from dbgan.params import ScheduleParams, TrainingParams


class Learner:
    """A generator that learns.

    Args:
        network: in its initial state.
        training: betas, clipping, and `ema`: with it an exponential moving average of the weights is kept beside the
            network (torch's AveragedModel); the first update copies them, so that the start leaves no trace.
        numerics: where it is placed.
        memory: the task's numbers that outlive a step; the state of `anneal: plateau` is kept in it.
    """

    def __init__(
        self, network: Generator, *, training: TrainingParams, numerics: Numerics, memory: dict[str, float]
    ) -> None:
        self.network = cast(Generator, numerics.place(network))
        self.optimizer = adam(self.network, training)
        self._clip, self._memory, self._team = training.clip_gradient, memory, numerics.team
        self._average: AveragedModel | None = None
        if training.ema > 0:
            average = get_ema_multi_avg_fn(training.ema)  # type: ignore[no-untyped-call]
            self._average = AveragedModel(self.network, multi_avg_fn=average)
            self._average.requires_grad_(False)
        compiled(self.network, training)  # after the average was copied from it, which is never compiled

    @property
    def product(self) -> Generator:
        """What is evaluated and kept: the average where there is one, else the network."""
        return self.network if self._average is None else cast(Generator, self._average.module)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint holds: `generator`, and `average` where there is one."""
        kept: dict[str, nn.Module] = {"generator": self.network}
        return kept if self._average is None else {**kept, "average": self._average}

    def rate(self, phase: str, within: int, schedule: ScheduleParams) -> float:
        """Learning rate of step `within` of a phase."""
        return Annealing(schedule, self._memory, phase).rate(within)

    def learn(
        self, terms: Mapping[str, Tensor], *, phase: str, within: int, schedule: ScheduleParams
    ) -> dict[str, float]:
        """Minimise `terms["loss"]` by one step: all terms as floats, and `lr`. Raises `NotFiniteError` as `update`."""
        annealing = Annealing(schedule, self._memory, phase)
        lr = annealing.rate(within)
        with span("G backward"):
            values = update(self.network, self.optimizer, terms, lr=lr, clip=self._clip, team=self._team)
        annealing.observe(values["loss"])
        if self._average is not None:
            self._average.update_parameters(self.network)
        return {"lr": lr, **values}

    @torch.no_grad()
    def infer(self, numerics: Numerics, *inputs: Tensor) -> Tensor:
        """The product's float32 output in evaluation mode; it is put back to training."""
        self.product.eval()
        with numerics.autocast():
            output = self.product(*inputs)
        self.product.train()
        return cast(Tensor, output.float())
