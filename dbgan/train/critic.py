"""The discriminator's side of an adversarial training: its updates, its lead before G moves, its verdict for G."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dbgan.train.losses import Past
from dbgan.train.numerics import Numerics, compiled
from dbgan.train.optimise import adam, frozen, update
from dbgan.train.pool import LogitPool
from dbgan.train.spans import span

if TYPE_CHECKING:
    from dbgan.params import ScheduleParams, TrainingParams, WarmupParams

LogitLoss = Callable[..., Tensor]
"""(real_logits, fake_logits) -> scalar; the relativistic pair takes `past` as well (`dbgan.train.losses.Past`)."""

SMOOTHING = 0.9
"""Decay of the smoothed accuracy: about the last ten steps."""


class Critic:
    """A discriminator, its optimizer and its losses.

    Args:
        network: pictures NCHW in [0, 1] -> logits (N, 1).
        generator_loss: what G minimises, from (real_logits, fake_logits).
        discriminator_loss: what D minimises.
        memory: the task's numbers that outlive a step; `accuracy` and `warmup_steps` are kept in it.
        lr: D's rate where G's is `schedule.lr`; annealed in the same proportion.
        warmup: how long D trains alone; None: it does not.
        pool: past predictions of each kind that join the batch in E[.] of the relativistic losses; 0: none.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        generator_loss: LogitLoss,
        discriminator_loss: LogitLoss,
        lr: float,
        training: TrainingParams,
        numerics: Numerics,
        memory: dict[str, float],
        warmup: WarmupParams | None = None,
        pool: int = 0,
    ) -> None:
        self.network = compiled(numerics.place(network), training)
        self._pool = LogitPool(pool).to(numerics.device) if pool else None
        self.optimizer = adam(self.network, training)
        self._generator_loss, self._discriminator_loss = generator_loss, discriminator_loss
        self._warmup, self._lr, self._clip = warmup, lr, training.clip_gradient
        self._numerics, self._memory, self._team = numerics, memory, numerics.team
        memory.setdefault("accuracy", 0.5)
        memory.setdefault("warmup_steps", -1.0 if warmup and warmup.max_steps else 0.0)

    @property
    def modules(self) -> dict[str, nn.Module]:
        """What a checkpoint holds: `discriminator`, and `pool` where there is one."""
        kept: dict[str, nn.Module] = {"discriminator": self.network}
        return kept if self._pool is None else {**kept, "pool": self._pool}

    @property
    def warmup_steps(self) -> int:
        """Length of the warm-up: its limit as long as it lasts, its true length once it has ended."""
        ended = int(self._memory["warmup_steps"])
        return self._warmup.max_steps if self._warmup and ended < 0 else ended

    def leads(self, step: int) -> bool:
        """Whether D is ahead at the start of `step`; the first time this is so ends the warm-up."""
        over = self._warmup and (self._memory["accuracy"] >= self._warmup.accuracy or step >= self._warmup.max_steps)
        if self._memory["warmup_steps"] < 0 and over:
            self._memory["warmup_steps"] = float(step)
        return step >= self.warmup_steps and self._memory["warmup_steps"] >= 0

    def learn(self, real: Tensor, fake: Tensor, *, lr: float) -> dict[str, float]:
        """One step of D on a batch of real and fake pictures. Returns `d_loss` and `d_accuracy`."""
        with span("D"):
            return self._learn(real, fake, lr)

    def _learn(self, real: Tensor, fake: Tensor, lr: float) -> dict[str, float]:
        with self._numerics.autocast():
            real_logits, fake_logits = self.network(real).float(), self.network(fake.detach()).float()
        real_logits, fake_logits = self._team.gather(real_logits), self._team.gather(fake_logits)
        terms = {
            "loss": self._discriminator_loss(real_logits, fake_logits, **self._past()),
            "accuracy": relativistic_accuracy(real_logits, fake_logits),
        }
        values = update(self.network, self.optimizer, terms, lr=lr, clip=self._clip, team=self._team)
        if self._pool is not None:
            self._pool.push(real_logits, fake_logits)
        self._memory["accuracy"] = SMOOTHING * self._memory["accuracy"] + (1 - SMOOTHING) * values["accuracy"]
        return {"d_loss": values["loss"], "d_accuracy": values["accuracy"]}

    def warm(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        """`learn` at the warm-up's rate."""
        return self.learn(real, fake, lr=self._warmup.lr if self._warmup else self._lr)

    def rate(self, lr: float, schedule: ScheduleParams) -> float:
        """D's learning rate where G's is `lr` in a phase of `schedule`."""
        return self._lr * lr / schedule.lr

    def verdict(self, real: Tensor, fake: Tensor) -> Tensor:
        """What G minimises to fool D: gradients reach `fake` alone."""
        with span("D"), frozen(self.network), self._numerics.autocast():
            with torch.no_grad():
                real_logits = self.network(real)
            fake_logits = self.network(fake)
        real_logits, fake_logits = self._team.gather(real_logits.float()), self._team.gather(fake_logits.float())
        return self._generator_loss(real_logits, fake_logits, **self._past())

    def _past(self) -> dict[str, Past]:
        return {} if self._pool is None else {"past": self._pool.past()}


@torch.no_grad()
def relativistic_accuracy(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Share of pictures that D places on the right side of the other kind's mean logit; 0.5 is chance."""
    right = torch.cat(((real_logits > fake_logits.mean()).float(), (fake_logits < real_logits.mean()).float()))
    return right.mean()
