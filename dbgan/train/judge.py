"""A fresh discriminator's verdict on a finished BGAN: it learns on train pictures and is asked about others.

The discriminator of the training is no judge: it has lost to this very generator, and is only ever asked about crops
that it learns from. A fresh one that cannot tell either says that the blur is like the real.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from dbgan.train import losses
from dbgan.train.critic import Critic, relativistic_accuracy
from dbgan.train.numerics import Numerics

if TYPE_CHECKING:
    from dbgan.params import JudgeParams, TrainingParams

Seen = Callable[[int], tuple[Tensor, Tensor]]
"""Number of a batch -> (real, fake) pictures as a discriminator sees them, NCHW float."""


def judged(
    network: nn.Module, learnt: Seen, asked: Seen, params: JudgeParams, training: TrainingParams, numerics: Numerics
) -> dict[str, float]:
    """Train `network` on batches 0, 1, ... of `learnt`, then ask it about `params.batches` of `asked`.

    Args:
        network: a discriminator in its initial state; it is thrown away.
        learnt: crops of train pictures.
        asked: crops of pictures that are in none of `learnt`.
        params: steps, rate, and how much is asked.
        training: betas and clipping.
        numerics: of this worker alone.

    Returns:
        `fresh_accuracy`: share of the asked crops on the right side of the other kind's mean logit, 0.5 is chance;
        `fresh_loss`: the relativistic loss on them, 2 ln 2 is chance.

    Raises:
        dbgan.train.optimise.NotFiniteError: the network diverged.
    """
    critic = Critic(
        network,
        generator_loss=losses.relativistic_generator_loss,
        discriminator_loss=losses.relativistic_discriminator_loss,
        lr=params.lr,
        training=training,
        numerics=numerics,
        memory={},
    )
    for step in range(params.steps):
        critic.learn(*learnt(step), lr=params.lr)
    batches = [asked(number) for number in range(params.batches)]
    with torch.no_grad(), numerics.autocast():
        real, fake = (torch.cat([critic.network(batch[n]).float() for batch in batches]) for n in range(2))
    return {
        "fresh_accuracy": float(relativistic_accuracy(real, fake)),
        "fresh_loss": float(losses.relativistic_discriminator_loss(real, fake)),
    }
