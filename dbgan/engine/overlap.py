"""Three steps over a sequence at the same time: read, make, finish. Results keep the order, memory is bounded."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

I = TypeVar("I")  # noqa: E741
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


def overlapped(
    items: Iterable[I],
    read: Callable[[I], A],
    make: Callable[[I, A], B],
    finish: Callable[[I, A, B], C],
    *,
    readers: int = 1,
    makers: int = 1,
    finishers: int = 1,
) -> Generator[C, None, dict[str, float]]:
    """Yield finish(item, read, made) for every item, in order, each step on threads of its own.

    At most `readers + makers + finishers + 1` items are between being read and being yielded, so that a slow step holds
    the others back and the slowest never waits. With one maker, `make` is called in order and by one thread, as a
    device needs it. Makers compute on as many torch threads as the caller.

    Args:
        items: taken lazily.
        read, make, finish: safe to run beside each other, and beside themselves where they have several threads.
        readers, makers, finishers: threads.

    Returns:
        Seconds in which each step worked, summed over its threads: `read`, `make`, `finish`.

    Raises:
        Whatever a step raised, where its item stands in the order. Then, and when the generator is closed, what waits
        is dropped and the threads are joined: no longer than the calls that run at that moment.
    """
    busy: dict[str, list[float]] = {"read": [], "make": [], "finish": []}
    torch: Any = sys.modules.get("torch")
    count = torch.get_num_threads() if torch else 0

    def timed(step: str, call: Callable[..., Any], *arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            busy[step].append(time.perf_counter() - started)

    def as_caller() -> None:
        # A thread's own setting decides how its sums are split; a new thread starts with torch's default.
        if torch:
            torch.set_num_threads(count)

    def made(item: I, first: Future[A]) -> B:
        value: A = first.result()
        result: B = timed("make", make, item, value)
        return result

    def finished(item: I, first: Future[A], second: Future[B]) -> C:
        blurred = second.result()
        result: C = timed("finish", finish, item, first.result(), blurred)
        return result

    pools = (
        ThreadPoolExecutor(readers, "read"),
        ThreadPoolExecutor(makers, "make", initializer=as_caller),
        ThreadPoolExecutor(finishers, "finish"),
    )
    window = readers + makers + finishers + 1
    waiting: deque[Future[C]] = deque()
    try:
        for item in items:
            first: Future[A] = pools[0].submit(timed, "read", read, item)
            second = pools[1].submit(made, item, first)
            waiting.append(pools[2].submit(finished, item, first, second))
            if len(waiting) >= window:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        for pool in pools:
            pool.shutdown(wait=True)
    return {step: sum(seconds) for step, seconds in busy.items()}
