"""Batches made ahead of time by threads, while the networks compute.

A batch is a function of its step, so what was made ahead changes no byte; it only has been waited for already.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from torch import Tensor

from dbgan.train.spans import span

BatchOf = Callable[[int], tuple[Tensor, ...]]
"""Step -> one NCHW float32 tensor per field."""


class Prefetched:
    """`batches`, with those of the next steps already in the making.

    Args:
        batches: step -> batch; a function of the step alone, or (one thread) asked in the order of steps.
        ahead: batches made ahead, at least 1.
        threads: that make them.
    """

    def __init__(self, batches: BatchOf, ahead: int, *, threads: int = 1) -> None:
        self.batches, self._ahead = batches, ahead
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="batches")
        self._pending: dict[int, Future[tuple[Tensor, ...]]] = {}
        self.waited_s = 0.0
        """Seconds for which callers have waited so far."""

    def __call__(self, step: int) -> tuple[Tensor, ...]:
        """Batch `step`. Raises what making it raised."""
        wanted = range(step, step + self._ahead + 1)
        for passed in [s for s in self._pending if s not in wanted]:
            self._pending.pop(passed).cancel()
        for coming in wanted:
            if coming not in self._pending:
                self._pending[coming] = self._pool.submit(self.batches, coming)
        started = time.perf_counter()
        with span("data"):
            batch = self._pending.pop(step).result()
        self.waited_s += time.perf_counter() - started
        return batch
