"""Progress of long steps: a bar with an estimate on a terminal, plain lines otherwise."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

PLAIN_LINE_EVERY_S = 10.0


class Progress:
    """Counts steps of one task. Use through `progress(...)`."""

    def __init__(
        self, label: str, total: int, bar: RichProgress | None = None, task: TaskID | None = None, *, shown: bool = True
    ) -> None:
        self.label, self.total, self.done, self._shown = label, total, 0, shown
        self._bar, self._task = bar, task
        self._started = self._last = time.monotonic()

    def advance(self, steps: int = 1, note: str = "") -> None:
        """`steps` more are done; `note` (a loss, a file name) is shown beside the count."""
        self.done += steps
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=self.done, note=note)
            return
        now = time.monotonic()
        if self._shown and now - self._last >= PLAIN_LINE_EVERY_S:
            self._last = now
            left = (now - self._started) / max(1, self.done) * max(0, self.total - self.done)
            print(f"{self.label}: {self.done} of {self.total}, about {left:.0f} s left {note}".rstrip(), flush=True)


@contextlib.contextmanager
def progress(label: str, total: int, *, shown: bool = True) -> Iterator[Progress]:
    """`with progress("train l1", steps) as p: p.advance(note="loss 0.03")`. Not `shown`: it counts in silence."""
    started = time.monotonic()
    if not shown:
        yield Progress(label, total, shown=False)
        return
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with RichProgress(*columns, console=Console(stderr=True)) as bar:
            yield Progress(label, total, bar, bar.add_task(label, total=total, note=""))
        return
    tracker = Progress(label, total)
    yield tracker
    print(f"{label}: {tracker.done} of {total} done in {time.monotonic() - started:.1f} s", flush=True)
