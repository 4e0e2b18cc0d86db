"""Three overlapping steps: order, overlap, bounds, errors, and no thread left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from dbgan.engine.overlap import Overlap
from tests.conftest import PROJECT


def step_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(("read", "make", "finish"))]


def test_results_come_in_order_whatever_takes_how_long() -> None:
    def slow(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item

    results = Overlap(
        slow,
        lambda item, read: (item, read),
        lambda item, read, made: (item, read, made, slow(item)),
        readers=3,
        makers=2,
        finishers=3,
    ).run(range(30))
    assert list(results) == [(n, n, (n, n), n) for n in range(30)]


def test_the_steps_work_at_the_same_time() -> None:
    """Each step waits until the two others are in work as well: one after the other they would never meet."""
    meeting = threading.Barrier(3, timeout=10)

    def step(number: int, item: int) -> None:
        # Item k is read while k - 1 is made and k - 2 finished; the first and last two pictures have no company.
        if 2 <= item + number <= 5:
            meeting.wait()

    steps = Overlap(lambda item: step(0, item), lambda item, _: step(1, item), lambda item, *_: step(2, item))
    results = steps.run(range(6))
    assert list(results) == [None] * 6


def test_what_is_under_way_is_bounded() -> None:
    seen: list[int] = []
    steps = Overlap(seen.append, lambda item, _: item, lambda item, *_: item, readers=2, makers=1, finishers=2)
    results = steps.run(range(100))
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

    steps = Overlap(lambda i: step("read", i), lambda i, _: step("make", i), lambda i, *_: step("finish", i), readers=2)
    results = steps.run(range(50))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match=f"{broken} failed"):
        next(results)
    assert not step_threads()


def test_busy_seconds_are_those_of_the_work_and_not_of_the_waiting() -> None:
    steps = Overlap(lambda i: time.sleep(0.001), lambda i, _: time.sleep(0.04), lambda i, *_: time.sleep(0.001))
    results = steps.run(range(5))
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
        steps = Overlap(lambda i: None, lambda i, _: torch.get_num_threads(), lambda i, _, made: made)
        assert list(steps.run([0])) == [other]
    finally:
        torch.set_num_threads(before)


def test_ctrl_c_ends_the_process_at_once() -> None:
    code = """
import signal
import time
signal.signal(signal.SIGINT, signal.default_int_handler)  # who was started in the background ignores it
from dbgan.engine.overlap import Overlap
def step(*_):
    time.sleep(0.05)
print("started", flush=True)
try:
    for _ in Overlap(step, step, step, readers=2, finishers=2).run(range(10**6)):
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


def _three_runs(begun: list[str]) -> Overlap[str, str, str, str]:
    return Overlap(
        lambda item: begun.append(item) or item, lambda item, _: item, lambda item, *_: item, readers=1, finishers=1
    )


def test_the_next_run_is_begun_while_the_last_results_of_one_are_taken() -> None:
    begun: list[str] = []
    steps = _three_runs(begun)
    first = steps.run(["a0", "a1"], name="a", then=lambda: ("b", [f"b{n}" for n in range(9)]))

    assert next(first) == "a0"
    assert next(first) == "a1"
    assert list(first) == []
    deadline = time.monotonic() + 5
    while len(begun) < 6 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert begun == ["a0", "a1", "b0", "b1", "b2", "b3"], "at most 1 + 1 + 1 + 1 are under way"
    assert list(steps.run(iter(["never asked"]), name="b")) == [f"b{n}" for n in range(9)]
    assert begun == ["a0", "a1", *(f"b{n}" for n in range(9))], "each once"
    assert not step_threads()


def test_what_is_begun_of_a_run_that_does_not_come_is_dropped() -> None:
    steps = _three_runs([])
    assert list(steps.run(["a0"], name="a", then=lambda: ("b", ["b0", "b1"]))) == ["a0"]
    assert step_threads()
    assert list(steps.run(["c0", "c1"], name="c")) == ["c0", "c1"]
    assert list(steps.run(["b0", "b1"], name="b")) == ["b0", "b1"]
    assert list(steps.run(["a0"], name="a", then=lambda: ("b", ["b0"]))) == ["a0"]
    steps.close()
    assert not step_threads()


def test_the_next_run_may_become_known_late() -> None:
    begun: list[str] = []
    told: list[tuple[str, list[str]]] = []
    steps = _three_runs(begun)
    results = steps.run(["a0", "a1", "a2"], name="a", then=lambda: told[0] if told else None)
    assert next(results) == "a0"
    told.append(("b", ["b0"]))
    assert list(results) == ["a1", "a2"]
    assert list(steps.run(["b0"], name="b")) == ["b0"]
    assert begun.count("b0") == 1


def test_an_error_drops_the_next_run_and_one_of_the_next_run_waits_for_its_place() -> None:
    def fails(item: str) -> str:
        if item in ("a1", "c0"):
            raise OSError(item)
        return item

    steps = Overlap(fails, lambda item, _: item, lambda item, *_: item)
    results = steps.run(["a0", "a1"], name="a", then=lambda: ("b", ["b0"]))
    assert next(results) == "a0"
    with pytest.raises(OSError, match="a1"):
        next(results)
    assert not step_threads()
    assert list(steps.run(["b0"], name="b", then=lambda: ("c", ["c0"]))) == ["b0"]
    with pytest.raises(OSError, match="c0"):
        list(steps.run(["c0"], name="c"))
    assert not step_threads()
