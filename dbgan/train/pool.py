"""Past predictions of the discriminator, for the batch mean E[.] of the relativistic losses.

With the paper's batch of four, E[C(fake)] is the mean of four logits and as noisy. A pool of the last n of each kind
joins them in the mean; gradients go through the present batch alone.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LogitPool(nn.Module):
    """The last `size` logits of real and of fake pictures, in buffers, so that a checkpoint holds them.

    Args:
        size: logits kept of each kind, at least 1.
    """

    real: Tensor
    fake: Tensor
    seen: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("real", torch.zeros(size))
        self.register_buffer("fake", torch.zeros(size))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def past(self) -> tuple[Tensor, Tensor]:
        """(real, fake): what was pushed last, at most `size` of each; empty at first."""
        held = min(int(self.seen), self.size)
        return self.real[:held].clone(), self.fake[:held].clone()

    @torch.no_grad()
    def push(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        """Take in the logits of one batch, (N, 1) or (N,) each; the oldest give way."""
        real, fake = real_logits.detach().reshape(-1).float(), fake_logits.detach().reshape(-1).float()
        places = (torch.arange(len(real), device=self.seen.device) + self.seen) % self.size
        keep = slice(-self.size, None)  # of a batch larger than the pool, the last: no place is written twice
        self.real[places[keep]], self.fake[places[keep]] = real[keep], fake[keep]
        self.seen += len(real)

    def forward(self) -> tuple[Tensor, Tensor]:
        """As `past`."""
        return self.past()
