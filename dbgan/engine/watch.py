"""What a build tells while it runs, and what is known of it after: progress, the state of each worker, metrics."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbgan import files
from dbgan.corpus.layout import Plan
from dbgan.recipe import digest

if TYPE_CHECKING:
    from dbgan.engine.worker import Built
    from dbgan.progress import Progress

SHOWN_WORKERS = 8
"""Workers whose state fits into a line."""


class Watch:
    """Counts what a pool reports. Without a progress bar it only counts.

    Attributes:
        samples: made so far, those of shards in work included. shards: ended. retries: attempts after the first.
        wall_s: seconds that workers spent on shards, summed. busy_s: step -> seconds, summed over workers.
        state: worker -> what it does.
    """

    def __init__(self, bar: Progress | None = None, shards: int = 0) -> None:
        self._bar, self._of = bar, shards
        self._started = time.monotonic()
        self._inside: Counter[str] = Counter()
        self.samples = self.shards = self.retries = 0
        self.wall_s = 0.0
        self.busy_s: Counter[str] = Counter()
        self.state: dict[int, str] = {}

    def works(self, worker: int, plan: Plan, made: int) -> None:
        """`worker` has made so many samples of `plan`. Attempts that fail take theirs back."""
        self.state[worker] = f"{plan.shard} {made}/{len(plan.items)}"
        self._count(plan, made)

    def waits(self, worker: int, what: str) -> None:
        """`worker` builds nothing: it starts, or its node is gone."""
        self.state[worker] = what
        self._show(0)

    def again(self) -> None:
        """An attempt failed and is repeated."""
        self.retries += 1

    def ended(self, worker: int, plan: Plan, built: Built | None) -> None:
        """A plan is finished, or given up (None)."""
        self.shards += 1
        self.state[worker] = f"{plan.shard} {'done' if built else 'failed'}"
        if built is not None:
            self.wall_s += built.wall_s
            self.busy_s.update(built.busy_s)
        self._count(plan, len(plan.items) if built else 0)
        del self._inside[plan.shard]

    @property
    def seconds(self) -> float:
        """Since this watch began."""
        return time.monotonic() - self._started

    def _count(self, plan: Plan, made: int) -> None:
        step = made - self._inside[plan.shard]
        self._inside[plan.shard] = made
        self.samples += step
        self._show(step)

    def _show(self, step: int) -> None:
        if self._bar is None:
            return
        rate = self.samples / max(self.seconds, 1e-9)
        states = [f"{worker}: {what}" for worker, what in sorted(self.state.items())]
        more = f" and {len(states) - SHOWN_WORKERS} more" if len(states) > SHOWN_WORKERS else ""
        note = f"{rate:.2f}/s, {self.shards} of {self._of} shards; {', '.join(states[:SHOWN_WORKERS])}{more}"
        self._bar.advance(step, note=note)


def metrics_file(out: Path) -> Path:
    """Where the metrics of the last build of the corpus in `out` lie: in `.dbgan/`, never in the corpus."""
    return files.state_dir() / "builds" / f"{out.name}-{digest(str(out.resolve()))[:16]}.json"


def metrics(watch: Watch, *, name: str, workers: int, reused: int, failed: int) -> dict[str, Any]:
    """What a build did, JSON-able.

    Returns:
        corpus, workers, shards_built, shards_reused, shards_failed, samples, retries, seconds, samples_per_s;
        busy_s: step -> seconds, summed over threads and workers;
        utilisation: step -> those seconds divided by the seconds that workers spent on shards. 1.0 is one thread that
        never rested; a step of several threads can pass 1.
    """
    built = watch.shards - failed
    return {
        "corpus": name,
        "workers": workers,
        "shards_built": built,
        "shards_reused": reused,
        "shards_failed": failed,
        "samples": watch.samples,
        "retries": watch.retries,
        "seconds": round(watch.seconds, 3),
        "samples_per_s": round(watch.samples / max(watch.seconds, 1e-9), 4),
        "busy_s": {step: round(seconds, 3) for step, seconds in sorted(watch.busy_s.items())},
        "utilisation": {
            step: round(seconds / max(watch.wall_s, 1e-9), 4) for step, seconds in sorted(watch.busy_s.items())
        },
    }
