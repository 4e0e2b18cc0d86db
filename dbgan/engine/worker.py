"""One opened builder that writes shards: what runs in this process, or inside a Ray actor."""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dbgan.corpus.header import Header
from dbgan.corpus.layout import EncodedSample, Finished, Plan, Reject
from dbgan.corpus.write import write_shard
from dbgan.engine.memory import keep_freed_memory
from dbgan.errors import DbganError, StorageError

if TYPE_CHECKING:
    from dbgan.engine.watch import Watch

ATTEMPTS = 3
"""A plan that raised, or whose worker died, this often is failed."""

Build = Callable[[Plan], Iterable[EncodedSample | Reject]]
"""Makes a plan's samples, sorted by key. A generator may return step -> seconds it was busy (`overlap.Overlap`)."""


@runtime_checkable
class Foreseeing(Protocol):
    """A `Build` that begins the next plan while the last samples of one are finished and its shard is written."""

    def foresee(self, upcoming: Callable[[], Plan | None]) -> None:
        """`upcoming` tells which plan comes next: None where there is none, or it is not known yet."""

    def forget(self) -> None:
        """Drop what is begun and join the threads that work on it."""


class Builder(Protocol):
    """What turns a plan into samples. Picklable; holds settings and paths, never open files or weights."""

    @property
    def name(self) -> str:
        """Part of every recipe, such as "ingest"."""

    @property
    def revision(self) -> int:
        """The REVISION integer, raised by hand when the builder's bytes change."""

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules and packages whose code decides the bytes; see `recipe.code_digest`."""

    def open(self) -> Build:
        """Load what is needed (weights), once per worker; returns the function that makes a shard's samples."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs beside a plan.

    Attributes:
        lock: held (shared) by every worker process that is not the driver.
        at_once: shards that one process makes beside each other; over 1 only of builders whose `Build` is thread-safe.
    """

    builder: Builder
    header: Header
    code: str
    threads: int
    lock: Path
    at_once: int = 1


@dataclass(frozen=True, slots=True)
class Built:
    """A finished shard and what it took.

    Attributes:
        finished: the shard. wall_s: seconds from start to receipt.
        busy_s: step (`write` and those of the builder) -> seconds in which it worked; steps that overlap may sum to
            more than `wall_s`, and a step of several threads may take more than `wall_s` alone.
    """

    finished: Finished
    wall_s: float
    busy_s: Mapping[str, float] = field(default_factory=dict)


class Worker:
    """One opened builder.

    Attributes:
        made: samples of the shard in work that were handed to its writer.
        upcoming: the plan that will be built next, as far as is known. It may be told at any time, by any thread.
    """

    def __init__(self, task: Task, build: Build | None = None) -> None:
        """`build`: of a builder that another worker of this process has opened."""
        self._task = task
        self.made = 0
        self.upcoming: Plan | None = None
        keep_freed_memory()
        with threads(task.threads):
            self._build = build or task.builder.open()
        opened: object = self._build
        self._foreseeing = opened if build is None and isinstance(opened, Foreseeing) else None
        if self._foreseeing:
            self._foreseeing.foresee(lambda: self.upcoming)

    def beside(self) -> Worker:
        """A worker for another shard at the same time, in this process."""
        return Worker(self._task, self._build)

    def build(self, folder: Path, plan: Plan, tick: Callable[[int], None] = lambda made: None) -> Built:
        """Write the plan's shard and receipt into `folder`; `tick` is told how many samples are made.

        The rows stay on disk: a driver that kept those of all shards would grow with the corpus. Whatever ends this,
        also an error or Ctrl-C, the threads that work on this plan are joined before.
        """
        header, started = self._task.header, time.perf_counter()
        busy: dict[str, float] = {}
        if self.upcoming == plan:
            self.upcoming = None
        with threads(self._task.threads), contextlib.closing(self._samples(plan, busy, tick)) as samples:
            receipt = write_shard(
                folder, plan, header.kind, header.ext, samples, arrays=header.arrays, code=self._task.code
            )
        return Built(receipt.summary, time.perf_counter() - started, busy)

    def forget(self) -> None:
        """Drop what is begun of the upcoming plan, and join the threads that work on it."""
        if self._foreseeing:
            self._foreseeing.forget()

    def _samples(
        self, plan: Plan, busy: dict[str, float], tick: Callable[[int], None]
    ) -> Generator[EncodedSample | Reject, None, None]:
        """The builder's samples, counted and timed."""
        self.made, writing = 0, 0.0
        samples = iter(self._build(plan))
        try:
            while True:
                try:
                    sample = next(samples)
                except StopIteration as end:
                    busy |= end.value or {}
                    return
                handed = time.perf_counter()
                yield sample
                writing += time.perf_counter() - handed
                busy["write"] = writing
                self.made += 1
                tick(self.made)
        finally:
            close = getattr(samples, "close", None)
            if close is not None:
                close()


class Pool(Protocol):
    """Workers that build plans into a folder. Returns what is finished and last errors, by shard."""

    def run(self, folder: Path, plans: Sequence[Plan], watch: Watch) -> tuple[dict[str, Finished], dict[str, str]]:
        """Build every plan, up to `ATTEMPTS` times, and tell `watch`.

        A full disk or a folder that may not be written (`StorageError`) ends it at once: no other plan fares better.
        """


class SerialPool:
    """Builds in this process: one plan after the other, or `Task.at_once` beside each other.

    The end of a shard (its last samples, the sync to disk, the receipt) leaves cores idle that the next one can use.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._workers: list[Worker] = []

    def run(self, folder: Path, plans: Sequence[Plan], watch: Watch) -> tuple[dict[str, Finished], dict[str, str]]:
        """See `Pool.run`."""
        if not plans:
            return {}, {}
        lanes = min(self._task.at_once, len(plans))
        while len(self._workers) < lanes:
            self._workers.append(self._workers[0].beside() if self._workers else Worker(self._task))
        work = _Lanes(folder, plans, watch)
        with threads(self._task.threads):  # for all lanes: each sets them again, and must not end the others' setting
            try:
                work.run(self._workers[:lanes])
            finally:
                self._workers[0].forget()
        return work.made, work.failed


class _Lanes:
    """Plans that are built in their order by threads beside each other."""

    def __init__(self, folder: Path, plans: Sequence[Plan], watch: Watch) -> None:
        self._folder, self._waiting, self._watch = folder, deque(plans), watch
        self._stopped = False
        self._telling = threading.Lock()
        self.made: dict[str, Finished] = {}
        self.failed: dict[str, str] = {}

    def run(self, workers: Sequence[Worker]) -> None:
        """A lane per worker. Whatever ends one of them, or Ctrl-C here, ends the others at their next sample."""
        if len(workers) == 1:
            self.lane(0, workers[0], alone=True)
            return
        begin = threading.Event()

        def begun(number: int, worker: Worker) -> None:
            begin.wait()
            self.lane(number, worker)

        with ThreadPoolExecutor(len(workers), "shard") as pool:
            try:
                # None works before all are started: Ctrl-C while the pool starts a thread leaves that one unjoined.
                lanes = [pool.submit(begun, number, worker) for number, worker in enumerate(workers)]
                begin.set()
                done, _ = wait(lanes, return_when=FIRST_EXCEPTION)
                for lane in done:
                    lane.result()
            finally:
                self._stopped = True
                begin.set()

    def lane(self, number: int, worker: Worker, *, alone: bool = False) -> None:
        """Build what waits, up to `ATTEMPTS` times each, until nothing does. `alone`: the next plan is this lane's."""
        while not self._stopped and self._waiting:
            try:
                plan = self._waiting.popleft()
            except IndexError:  # another lane was faster
                return
            worker.upcoming = self._waiting[0] if alone and self._waiting else None
            try:
                self._build(number, worker, plan)
            except _StoppedError:
                return

    def _build(self, number: int, worker: Worker, plan: Plan) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                built = worker.build(self._folder, plan, functools.partial(self._tick, number, plan))
                self.made[plan.shard] = built.finished
                self._tell(self._watch.ended, number, plan, built)
                return
            except (StorageError, _StoppedError):
                raise
            except Exception as error:
                if attempt < ATTEMPTS:
                    self._tell(self._watch.again)
                    continue
                self.failed[plan.shard] = describe(error)
                self._tell(self._watch.ended, number, plan, None)

    def _tick(self, number: int, plan: Plan, made: int) -> None:
        if self._stopped:
            raise _StoppedError
        self._tell(self._watch.works, number, plan, made)

    def _tell(self, call: Callable[..., None], *arguments: Any) -> None:
        with self._telling:
            call(*arguments)


class _StoppedError(Exception):
    """Another lane ended the build, or Ctrl-C did."""


def describe(error: BaseException) -> str:
    """An error in a line: its type, its text, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = str(error).strip() or "no message"
    return text if isinstance(error, DbganError) else f"{type(error).__name__}: {text}{where}"


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Numerics must not depend on how many cores a machine has; what was set before is set again after."""
    torch: Any = sys.modules.get("torch")
    cv2: Any = sys.modules.get("cv2")
    before = (torch.get_num_threads() if torch else 0, cv2.getNumThreads() if cv2 else 0)
    if torch:
        torch.set_num_threads(count)
    if cv2:
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before[0])
        if cv2:
            cv2.setNumThreads(before[1])
