"""Workers that train one network together: who one is, which samples are one's own, and what all must agree on.

The batch of a training is the same for any number of workers; each computes an equal run of its rows. Two rules keep
gradients equal to those of one worker with the whole batch:

- a loss that is a mean over samples is left as the mean over one's own: the mean over the workers is the whole;
- a loss that mixes samples (E[.] of the relativistic losses) is computed from the logits of all workers (`gather`), so
  every worker holds the same number; `gather` scales the gradient so that the mean over workers again is the whole.

After the backward pass `average` makes gradients equal everywhere. That is one all-reduce of the flattened gradients
and not torch's DistributedDataParallel: G and D take turns, D passes two batches before one backward, and it is frozen
while gradients go through it to G; each of these needs an exception in DDP's hooks. What DDP would win is the overlap
of communication with the backward pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

T = TypeVar("T")


class Team:
    """One worker alone: everything is its own, nothing is sent."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this worker looks at gauges, writes checkpoints and outs, and speaks."""
        return self.rank == 0

    def rows(self, count: int) -> range:
        """Which of the `count` samples of the whole batch are this worker's: an equal run of neighbours.

        Raises:
            ValueError: `count` cannot be divided by the number of workers.
        """
        each, rest = divmod(count, self.size)
        if rest:
            raise ValueError(f"a batch of {count} cannot be divided among {self.size} workers")
        return range(self.rank * each, (self.rank + 1) * each)

    def share(self, whole: Tensor) -> Tensor:
        """This worker's rows of a whole batch (first dimension)."""
        rows = self.rows(len(whole))
        return whole[rows.start : rows.stop]

    def gather(self, own: Tensor) -> Tensor:
        """The rows of all workers in the order of the whole batch, with gradients; for losses that mix samples."""
        return own

    def whole(self, own: Tensor) -> Tensor:
        """NCHW pictures of all workers in the order of the whole batch, without gradients, channels_last in memory as
        the batch of one worker is: sums over them have the same bits."""
        return own

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Set the gradients of `parameters` to their means over the workers."""

    def mean(self, values: Tensor) -> Tensor:
        """Means over the workers of numbers that each has computed from its own rows, equal everywhere."""
        return values

    def agree(self, value: T) -> T:
        """The first worker's `value`, everywhere: what only one may decide. Others may pass anything."""
        return value


ALONE = Team()
"""Today's path: one worker, in this process."""


class Workers(Team):
    """The processes of torch.distributed's default group, which must be initialised."""

    def __init__(self) -> None:
        self.rank, self.size = torch.distributed.get_rank(), torch.distributed.get_world_size()

    def gather(self, own: Tensor) -> Tensor:
        """See `Team.gather`."""
        return cast(Tensor, _Gather.apply(own, self.rank, self.size))

    @torch.no_grad()
    def whole(self, own: Tensor) -> Tensor:
        """See `Team.whole`."""
        rows = own.permute(0, 2, 3, 1).contiguous()
        parts = [torch.empty_like(rows) for _ in range(self.size)]
        torch.distributed.all_gather(parts, rows)
        return torch.cat(parts).permute(0, 3, 1, 2)

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """See `Team.average`. One message: the gradients as one flat tensor."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        if not gradients:
            return
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        torch.distributed.all_reduce(flat)
        _scatter(flat.div_(self.size), gradients)

    def mean(self, values: Tensor) -> Tensor:
        """See `Team.mean`."""
        total = values.detach().clone()
        torch.distributed.all_reduce(total)
        return total.div_(self.size)

    def agree(self, value: T) -> T:
        """See `Team.agree`. The value is pickled; tensors in it should be on the CPU."""
        box: list[Any] = [value if self.leads else None]
        torch.distributed.broadcast_object_list(box, src=0)
        return cast(T, box[0])


class _Gather(torch.autograd.Function):
    """All workers' rows, in order of rank; backward gives each its own rows, times the number of workers.

    torch.distributed.nn's all_gather sums the workers' gradients in backward. Here every worker computes the same loss
    from the same rows, so that sum is `size` times one's own: no message is needed, and `Team.average` divides it out.
    """

    @staticmethod
    def forward(ctx: Any, own: Tensor, rank: int, size: int) -> Tensor:
        ctx.rank, ctx.size = rank, size
        own = own.contiguous()
        parts = [torch.empty_like(own) for _ in range(size)]
        torch.distributed.all_gather(parts, own)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0].chunk(ctx.size)[ctx.rank] * ctx.size, None, None


def _scatter(flat: Tensor, targets: Sequence[Tensor]) -> None:
    offset = 0
    for target in targets:
        target.copy_(flat[offset : offset + target.numel()].view(target.shape))
        offset += target.numel()
