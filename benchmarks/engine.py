"""What the driver and Ray cost per plan, with actors that do nothing: the pairs/s at which one driver is the limit.

`$DBGAN_BENCH_PLANS` lists the plan counts, `$DBGAN_BENCH_SHARD` the pairs that a shard stands for.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dbgan.corpus.header import Header
from dbgan.corpus.layout import EncodedSample, Plan, Reject
from dbgan.engine.actors import ray_pool
from dbgan.engine.watch import Watch
from dbgan.engine.worker import SerialPool, Task

PLANS = [int(count) for count in os.environ.get("DBGAN_BENCH_PLANS", "100,1000,10000").split(",")]
SHARD = int(os.environ.get("DBGAN_BENCH_SHARD", "100"))


@dataclass(frozen=True)
class Nothing:
    """A builder of shards without samples: what is left is a receipt."""

    name: str = "nothing"
    revision: int = 1
    modules: tuple[str, ...] = ()

    def open(self) -> Callable[[Plan], Iterable[EncodedSample | Reject]]:
        return lambda plan: ()


def run() -> None:
    """Print one table: plans per second in this process and over two actors, and the pairs/s that they stand for."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    table = Table("plans", "workers", "ms per plan", f"pairs/s of shards of {SHARD}", box=None)
    with tempfile.TemporaryDirectory() as folder:
        task = Task(Nothing(), Header("paired", "png", "none", {}, {}), "", 1, Path(folder) / "lock")
        for count in PLANS:
            plans = [Plan(f"s-{n:06d}", "s", f"{n:064d}") for n in range(count)]
            for workers in (1, 2):
                seconds = timed(task, plans, workers, Path(folder) / f"{count}-{workers}")
                each = seconds / count
                table.add_row(f"{count:,}", str(workers), f"{each * 1e3:.2f}", f"{SHARD / each:,.0f}")
    Console().print(table)


def timed(task: Task, plans: list[Plan], workers: int, out: Path) -> float:
    """Seconds to build the plans, the start of Ray and of its actors left out."""
    (out / ".receipts").mkdir(parents=True)
    with contextlib.redirect_stdout(io.StringIO()), pool_of(task, workers) as pool:
        pool.run(out, [Plan("warm", "s", "0")], Watch())
        started = time.perf_counter()
        made, failed = pool.run(out, plans, Watch())
        seconds = time.perf_counter() - started
    if failed or len(made) != len(plans):
        raise RuntimeError(f"{len(failed)} plans failed: {failed}")
    return seconds


def pool_of(task: Task, workers: int) -> contextlib.AbstractContextManager[Any]:
    """This process, or that many actors."""
    if workers == 1:
        return contextlib.nullcontext(SerialPool(task))
    return ray_pool(task, workers, 0, workers)
