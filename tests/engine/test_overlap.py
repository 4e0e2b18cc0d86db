"""Three overlapping steps: order, overlap, bounds, errors, and no thread left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from dbgan.engine.overlap import overlapped
from tests.conftest import PROJECT


def step_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("read", "make", "finish"))]


def test_results_come_in_order_whatever_takes_how_long() -> None:
    def slow(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item

    results = overlapped(
        range(30),
        slow,
        lambda item, read: (item, read),
        lambda item, read, made: (item, read, made, slow(item)),
        readers=3,
        makers=2,
        finishers=3,
    )
    assert list(results) == [(n, n, (n, n), n) for n in range(30)]


def test_the_steps_work_at_the_same_time() -> None:
    """Each step waits until the two others are in work as well: one after the other they would never meet."""
    meeting = threading.Barrier(3, timeout=10)

    def step(number: int, item: int) -> None:
        # Item k is read while k - 1 is made and k - 2 finished; the first and last two pictures have no company.
        if 2 <= item + number <= 5:
            meeting.wait()

    results = overlapped(
        range(6), lambda item: step(0, item), lambda item, _: step(1, item), lambda item, *_: step(2, item)
    )
    assert list(results) == [None] * 6


def test_what_is_under_way_is_bounded() -> None:
    seen: list[int] = []
    results = overlapped(
        range(100), seen.append, lambda item, _: item, lambda item, *_: item, readers=2, makers=1, finishers=2
    )
    for number in results:
        time.sleep(0.002)
        assert len(seen) <= number + 2 + 1 + 2 + 1
        if number == 30:
            break
    results.close()
    assert len(seen) <= 31 + 6
    assert not step_threads()


@pytest.mark.parametrize("broken", ["read", "make", "finish"])
def test_an_error_of_any_step_comes_in_its_place_and_leaves_no_thread(broken: str) -> None:
    def step(name: str, item: int) -> int:
        if name == broken and item == 3:
            raise OSError(f"{name} failed")
        return item

    results = overlapped(
        range(50), lambda i: step("read", i), lambda i, _: step("make", i), lambda i, *_: step("finish", i), readers=2
    )
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match=f"{broken} failed"):
        next(results)
    assert not step_threads()


def test_busy_seconds_are_those_of_the_work_and_not_of_the_waiting() -> None:
    results = overlapped(
        range(5), lambda i: time.sleep(0.001), lambda i, _: time.sleep(0.04), lambda i, *_: time.sleep(0.001)
    )
    while True:
        try:
            next(results)
        except StopIteration as end:
            busy = end.value
            break
    assert 0.2 <= busy["make"] < 1.0
    assert 0.005 <= busy["read"] < 0.1
    assert 0.005 <= busy["finish"] < 0.1


def test_makers_compute_on_the_callers_torch_threads() -> None:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    other = before + 1
    torch.set_num_threads(other)
    try:
        seen = overlapped([0], lambda i: None, lambda i, _: torch.get_num_threads(), lambda i, _, made: made)
        assert list(seen) == [other]
    finally:
        torch.set_num_threads(before)


def test_ctrl_c_ends_the_process_at_once() -> None:
    code = """
import signal
import time
signal.signal(signal.SIGINT, signal.default_int_handler)  # who was started in the background ignores it
from dbgan.engine.overlap import overlapped
def step(*_):
    time.sleep(0.05)
print("started", flush=True)
try:
    for _ in overlapped(range(10**6), step, step, step, readers=2, finishers=2):
        pass
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert output == "interrupted\n"
    assert process.returncode == 0
