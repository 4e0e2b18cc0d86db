"""Names for the parts of a step, so that a profile can say where its time goes; else they cost nothing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import torch

PARTS = ("data", "copy", "G forward", "perceptual", "D", "G backward")
"""`D`: its verdict on G's pictures and its own step. `G backward`: through perceptual features and D as well, with the
optimizer's step."""


class Stopwatch:
    """Seconds spent in each part by the thread that started it. On CUDA it waits for the device at every border."""

    def __init__(self, device: str) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self._cuda, self._thread, self._within = device == "cuda", threading.get_ident(), False

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what happens inside as `name`; within another part it counts as that one."""
        if self._within or threading.get_ident() != self._thread:
            yield
            return
        self._within, started = True, self._now()
        try:
            yield
        finally:
            self.seconds[name] += self._now() - started
            self._within = False

    def _now(self) -> float:
        if self._cuda:
            torch.cuda.synchronize()
        return time.perf_counter()


_running: list[Stopwatch] = []


@contextlib.contextmanager
def measured(watch: Stopwatch) -> Iterator[None]:
    """Let `watch` count the parts of the steps inside."""
    _running.append(watch)
    try:
        yield
    finally:
        _running.remove(watch)


def span(name: str) -> contextlib.AbstractContextManager[None]:
    """The part of a step called `name`, one of `PARTS`."""
    return _running[-1].part(name) if _running else contextlib.nullcontext()
