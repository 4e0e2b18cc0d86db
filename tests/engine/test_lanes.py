"""Shards beside each other in this process: the same bytes, and nothing left whatever ends one of them."""

from __future__ import annotations

import errno
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dbgan.corpus import receipts
from dbgan.corpus.layout import EncodedSample, Plan, Reject
from dbgan.engine import build_corpus
from dbgan.errors import DbganError, StorageError
from dbgan.files import storage_error
from tests.corpus.tiny import HEADER, TinyBuilder, contents, plan, plans

WAIT_S = 20


@dataclass(frozen=True)
class MeetingBuilder(TinyBuilder):
    """Two shards wait for each other inside their first samples; a third would wait in vain."""

    meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))

    def _build(self, plan: Plan) -> Iterator[EncodedSample | Reject]:
        self.meeting.wait(WAIT_S)
        yield from TinyBuilder._build(self, plan)


def test_two_shards_are_in_work_at_once_and_the_bytes_are_those_of_one_after_the_other(tmp_path: Path) -> None:
    build_corpus(tmp_path / "one", HEADER, TinyBuilder(), plans())
    report = build_corpus(tmp_path / "two", HEADER, MeetingBuilder(), plans(), at_once=2)
    assert (report.built, report.samples, report.rejects) == (4, 5, 2)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_a_poisoned_shard_stops_no_other(tmp_path: Path) -> None:
    with pytest.raises(DbganError, match=r"1 shards failed 3 times; 3 shards are finished and kept"):
        build_corpus(tmp_path / "c", HEADER, TinyBuilder(poison="a-001"), plans(), at_once=2)
    assert sorted(receipts.finished(tmp_path / "c")) == ["a-000", "b-000", "c-000"]
    assert not list((tmp_path / "c").glob(".*.partial"))
    assert build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans(), at_once=2).built == 1


@dataclass(frozen=True)
class EndingBuilder(TinyBuilder):
    """Shard `a-000` does `ends` once `b-000` is in work; `b-000` goes on for ever."""

    ends: Callable[[], None] = lambda: None
    begun: threading.Event = field(default_factory=threading.Event)
    made: list[str] = field(default_factory=list)

    def _build(self, plan: Plan) -> Iterator[EncodedSample | Reject]:
        samples = list(TinyBuilder._build(self, plan))
        if plan.shard == "a-000":
            assert self.begun.wait(WAIT_S)
            self.ends()
        yield samples[0]
        self.begun.set()
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            self.made.append(plan.shard)
            time.sleep(0.01)
            yield Reject("0" * 64, "truncated", "again", plan.sequence)


def _disk_full() -> None:
    refused = storage_error(Path("c"), OSError(errno.ENOSPC, "No space left on device"))
    assert refused is not None
    raise refused


def _ctrl_c() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Whoever was started in the background ignores SIGINT, and so would its tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("ends", "error"), [(_disk_full, StorageError), (_ctrl_c, KeyboardInterrupt)])
def test_what_ends_one_ends_all_and_leaves_nothing_half(
    tmp_path: Path, ends: Callable[[], None], error: type[BaseException]
) -> None:
    out, builder = tmp_path / "c", EndingBuilder(ends=ends)
    two = [plan("a", {"001": 10}), plan("b", {"001": 50}), plan("z", {"001": 3})]
    before, started = {*threading.enumerate()}, time.monotonic()
    with pytest.raises(error):
        build_corpus(out, HEADER, builder, two, at_once=2)
    assert time.monotonic() - started < WAIT_S / 2
    # others' threads, such as a library's that watches, may come and go
    assert not [thread for thread in {*threading.enumerate()} - before if thread.name.startswith("shard")]
    assert "b-000" in builder.made
    assert not list(out.glob("*.tar"))
    assert not list(out.glob(".*.partial"))
    assert build_corpus(out, HEADER, TinyBuilder(), two, at_once=2).built == 3
