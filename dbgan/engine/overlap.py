"""Three steps that work at the same time, each on its own threads, over bounded queues: read, make, finish.

Shards follow each other without a pause: while the last items of one are finished and its file is written and synced,
the first of the next are begun.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

I = TypeVar("I")  # noqa: E741
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


@dataclass(slots=True)
class _Run(Generic[I, C]):
    """A run: its name, results to come, and the items that are not begun."""

    name: object
    waiting: deque[Future[C]]
    rest: Iterator[I]


class Overlap(Generic[I, A, B, C]):
    """Runs of items through three steps: finish(item, read, made) for every item, each step on threads of its own.

    At most `readers + makers + finishers + 1` items are between being read and being yielded, so that a slow step holds
    the others back and the slowest never waits. With one maker, `make` is called in order and by one thread, as a
    device needs it. Makers compute on as many torch threads as the caller.

    Args:
        read, make, finish: safe to run beside each other, and beside themselves where they have several threads.
        readers, makers, finishers: threads.
    """

    def __init__(
        self,
        read: Callable[[I], A],
        make: Callable[[I, A], B],
        finish: Callable[[I, A, B], C],
        *,
        readers: int = 1,
        makers: int = 1,
        finishers: int = 1,
    ) -> None:
        self._read, self._make, self._finish = read, make, finish
        self._counts = (readers, makers, finishers)
        self._pools: tuple[ThreadPoolExecutor, ...] = ()
        self._begun: _Run[I, C] | None = None
        self._busy: dict[str, list[float]] = {"read": [], "make": [], "finish": []}

    def run(
        self,
        items: Iterable[I],
        *,
        name: object = None,
        then: Callable[[], tuple[object, Iterable[I]] | None] = lambda: None,
    ) -> Generator[C, None, dict[str, float]]:
        """Yield the results of all items, in order.

        Args:
            items: taken lazily.
            name: of this run; what an earlier one began under it is not begun again.
            then: asked, once all items are begun, for name and items of the next run (None: not known yet). These are
                begun as the queues have room. They are dropped where the next run has another name.

        Returns:
            Seconds in which each step worked, summed over its threads: `read`, `make`, `finish`.

        Raises:
            Whatever a step raised, where its item stands in the order. Then, and when the generator is closed, what
            waits is dropped, also of the next run, and the threads are joined: no longer than the calls that run at
            that moment.
        """
        begun, self._begun = self._begun, None
        if begun is None or begun.name != name:
            self.close()
            begun = _Run(name, deque(), iter(items))
        following = _Run[I, C](None, deque(), iter(()))
        whole = False
        try:
            while True:
                while len(begun.waiting) + len(following.waiting) <= sum(self._counts):
                    if not (self._begin(begun) or self._begin(following, then)):
                        break
                if not begun.waiting:
                    break
                yield begun.waiting.popleft().result()
            whole = True
        finally:
            if whole and following.waiting:
                self._begun = following
            else:
                self.close()
        return self._worked()

    def close(self) -> None:
        """Drop what was begun and join the threads."""
        pools, self._pools, self._begun = self._pools, (), None
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in pools:
            pool.shutdown(wait=True)

    def _begin(self, run: _Run[I, C], told: Callable[[], tuple[object, Iterable[I]] | None] = lambda: None) -> bool:
        """Begin the next item of a run, which `told` names where it has no name yet. False: there is none."""
        if run.name is None and (found := told()) is not None:
            run.name, run.rest = found[0], iter(found[1])
        for item in run.rest:
            run.waiting.append(self._submit(item))
            return True
        return False

    def _submit(self, item: I) -> Future[C]:
        if not self._pools:
            self._pools = self._opened()
        read, make, finish = self._pools
        first = read.submit(self._timed, "read", self._read, item)
        second = make.submit(self._made, item, first)
        return finish.submit(self._finished, item, first, second)

    def _opened(self) -> tuple[ThreadPoolExecutor, ...]:
        torch: Any = sys.modules.get("torch")
        count = torch.get_num_threads() if torch else 0

        def as_caller() -> None:
            # A thread's own setting decides how its sums are split; a new thread starts with torch's default.
            if torch:
                torch.set_num_threads(count)

        readers, makers, finishers = self._counts
        return (
            ThreadPoolExecutor(readers, "read"),
            ThreadPoolExecutor(makers, "make", initializer=as_caller),
            ThreadPoolExecutor(finishers, "finish"),
        )

    def _made(self, item: I, first: Future[A]) -> B:
        value = first.result()
        made: B = self._timed("make", self._make, item, value)
        return made

    def _finished(self, item: I, first: Future[A], second: Future[B]) -> C:
        made = second.result()
        finished: C = self._timed("finish", self._finish, item, first.result(), made)
        return finished

    def _timed(self, step: str, call: Callable[..., Any], *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            self._busy[step].append(time.perf_counter() - started)

    def _worked(self) -> dict[str, float]:
        """Seconds since this was asked last."""
        told = {}
        for step, seconds in self._busy.items():
            count = len(seconds)  # others may be added meanwhile
            told[step] = sum(seconds[:count])
            del seconds[:count]
        return told
