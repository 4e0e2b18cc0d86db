"""Run one function per shard plan, in this process or on Ray: kill it anywhere, run it again, get the same bytes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dbgan import engine_canary, files
from dbgan.corpus import receipts, tables
from dbgan.corpus.header import Header
from dbgan.corpus.layout import EncodedSample, Finished, Plan, Reject
from dbgan.corpus.write import check_shard_name, write_shard
from dbgan.errors import DbganError, StorageError
from dbgan.progress import progress
from dbgan.recipe import code_digest, digest

ATTEMPTS = 3
"""A plan that raised, or whose worker died, this often is failed."""

ORPHANS_S = 60.0
"""How long a build waits for workers of a killed one to end."""

Build = Callable[[Plan], Iterator[EncodedSample | Reject]]


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
class BuildReport:
    """What a build did. `failed` names shards and their last error; a report that is returned has none."""

    built: int
    reused: int
    removed: int
    samples: int
    rejects: int
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker needs beside a plan. `lock` is held (shared) by every worker process that is not the driver."""

    builder: Builder
    header: Header
    code: str
    threads: int
    lock: Path


Done = Callable[[str], None]


class Pool(Protocol):
    """Workers that build plans into a folder. Returns what is finished and last errors, by shard."""

    def run(self, folder: Path, plans: Sequence[Plan], done: Done) -> tuple[dict[str, Finished], dict[str, str]]:
        """Build every plan, up to `ATTEMPTS` times; `done(shard)` is called for each that ended.

        A full disk or a folder that may not be written (`StorageError`) ends it at once: no other plan fares better.
        """


def build_corpus(
    out: Path,
    header: Header,
    builder: Builder,
    plans: Sequence[Plan],
    *,
    rejects: Sequence[Reject] = (),
    workers: int = 1,
    gpus_per_worker: float = 0,
    threads: int = 1,
) -> BuildReport:
    """Make the corpus in `out` hold exactly `plans`: reuse finished shards, build the others, fold the tables.

    Shards whose receipt has the plan's recipe are kept. Where the builder's code changed since they were made, one of
    them is rebuilt as a canary: equal bytes keep the rest, other bytes are an error. The worker count never changes
    bytes.

    Args:
        out: folder of the corpus; made if absent.
        header: what holds for the whole corpus.
        builder: makes the samples.
        plans: one per shard, names unique.
        rejects: inputs refused before they belonged to a shard.
        workers: 1: in this process; n: n Ray actors; 0: one actor per device of the Ray cluster.
        gpus_per_worker: GPUs that each Ray actor asks for.
        threads: torch threads of each worker; must be part of the recipes of a builder that computes with torch.

    Raises:
        DbganError: another process builds this corpus; the folder holds something else; plans failed three times (the
            finished shards stay for the next run); the code changed its bytes without a changed REVISION.
        MissingPackageError: workers other than 1 without ray.
    """
    if workers < 0 or threads < 1:
        raise ValueError(f"workers must be at least 0 and threads at least 1, got {workers} and {threads}")
    _check_plans(plans)
    out = out.resolve()
    with _locked(out, header.name) as orphans:
        with files.writing(out):
            _claim(out)
        present = receipts.finished(out)
        task = Task(builder, header, code_digest(*builder.modules), threads, orphans)
        kept = {plan.shard: present[plan.shard] for plan in plans if _reusable(out, plan, present.get(plan.shard))}
        pending = [plan for plan in plans if plan.shard not in kept]
        canary = engine_canary.choose(out, plans, kept, task.code)
        with _pool(task, workers, gpus_per_worker, len(pending) + (canary is not None)) as pool:
            if canary is not None:
                engine_canary.prove(pool, canary, kept[canary.shard], builder, out)
            built, failed = _run(pool, out, header.name, pending)
        if failed:
            files.remove_partials(out)
            raise DbganError(_failure(header.name, failed, len(built) + len(kept)))
        with files.writing(out):
            counts = tables.finish(out, header, [*kept.values(), *built.values()], rejects)
        engine_canary.note_code(out, task.code)
    removed = len(present.keys() - {plan.shard for plan in plans})
    report = BuildReport(len(built), len(kept), removed, counts["samples"], counts["rejects"])
    print(
        f"{header.name}: {report.built} shards built, {report.reused} reused, {report.removed} removed; "
        f"{report.samples} samples, {report.rejects} rejects",
        flush=True,
    )
    return report


class Worker:
    """One opened builder: what runs in this process, or inside a Ray actor."""

    def __init__(self, task: Task) -> None:
        self._task = task
        with _threads(task.threads):
            self._build = task.builder.open()

    def build(self, folder: Path, plan: Plan) -> Finished:
        """Write the plan's shard and receipt into `folder`. The rows stay there: a driver that kept those of all shards
        would grow with the corpus."""
        header = self._task.header
        with _threads(self._task.threads):
            samples = self._build(plan)
            return write_shard(folder, plan, header.kind, header.ext, samples, code=self._task.code).summary


class SerialPool:
    """Builds in this process, one plan after the other."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._worker: Worker | None = None

    def run(self, folder: Path, plans: Sequence[Plan], done: Done) -> tuple[dict[str, Finished], dict[str, str]]:
        """See `Pool.run`."""
        made: dict[str, Finished] = {}
        failed: dict[str, str] = {}
        for plan in plans:
            if self._worker is None:
                self._worker = Worker(self._task)
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    made[plan.shard] = self._worker.build(folder, plan)
                    break
                except StorageError:
                    raise
                except Exception as error:
                    if attempt == ATTEMPTS:
                        failed[plan.shard] = describe(error)
            done(plan.shard)
        return made, failed


@contextlib.contextmanager
def _pool(task: Task, workers: int, gpus_per_worker: float, jobs: int) -> Iterator[Pool]:
    """Workers for `jobs` plans. Ray costs seconds to start: a single plan on the CPU runs in this process."""
    if workers == 1 or (jobs <= 1 and gpus_per_worker == 0):
        yield SerialPool(task)
        return
    from dbgan.engine_ray import ray_pool

    with ray_pool(task, min(workers, max(1, jobs)), gpus_per_worker, jobs) as actors:
        yield actors


def _run(pool: Pool, out: Path, name: str, plans: Sequence[Plan]) -> tuple[dict[str, Finished], dict[str, str]]:
    if not plans:
        return {}, {}
    with progress(f"{name}: shards", len(plans)) as bar:
        return pool.run(out, plans, lambda shard: bar.advance(note=shard))


def _check_plans(plans: Sequence[Plan]) -> None:
    seen: set[str] = set()
    for plan in plans:
        check_shard_name(plan.shard)
        # Names that differ only in case are one file on macOS and on many network shares.
        if plan.shard.casefold() in seen:
            raise DbganError(f"two plans have the shard name {plan.shard!r} (upper and lower case count as equal)")
        seen.add(plan.shard.casefold())


def _reusable(out: Path, plan: Plan, receipt: Finished | None) -> bool:
    """Done means: receipt present, recipe equal, size equal."""
    if receipt is None or receipt.recipe != plan.recipe or receipt.sequence != plan.sequence:
        return False
    tar = out / f"{plan.shard}.tar"
    size = tar.stat().st_size if tar.is_file() else 0
    return size == receipt.bytes


def _failure(name: str, failed: dict[str, str], finished: int) -> str:
    lines = [f"{name}: {len(failed)} shards failed {ATTEMPTS} times; {finished} shards are finished and kept."]
    lines += [f"  {shard}: {error}" for shard, error in sorted(failed.items())]
    return "\n".join([*lines, "Next: mend what the errors name and run the same command again; only these are built."])


def describe(error: BaseException) -> str:
    """An error in a line: its type, its text, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = str(error).strip() or "no message"
    return text if isinstance(error, DbganError) else f"{type(error).__name__}: {text}{where}"


def _claim(out: Path) -> None:
    """Make `out` a corpus being built; refuses a folder that holds something else, whose files would be removed."""
    files.refuse_file(out)
    out.mkdir(parents=True, exist_ok=True)
    if not (out / tables.CORPUS).exists() and not (out / receipts.FOLDER).exists():
        found = sorted(path.name for path in out.iterdir())
        if found:
            raise DbganError(
                f"{out}: expected an empty folder or a corpus, found other files ({', '.join(found[:3])}).\n"
                "Next: choose another folder, or move these files away: tars that no plan names are removed."
            )
        (out / receipts.FOLDER).mkdir()
    files.remove_partials(out)
    files.remove_partials(out / receipts.FOLDER)


@contextlib.contextmanager
def _locked(out: Path, name: str) -> Iterator[Path]:
    """Hold the lock of `out`. Yields the file that workers lock while they may still write into it."""
    folder = files.state_dir().resolve() / "locks"
    with files.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock, orphans = (folder / f"{digest(str(out))[:16]}.{what}" for what in ("lock", "workers"))
    with lock.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "an unknown process"
            raise DbganError(
                f"{out}: {holder} is building this corpus ({name}) right now.\n"
                f"Next: wait for it to end, or stop it and run the same command again."
            ) from None
        handle.truncate(0)
        handle.write(f"process {os.getpid()} ({' '.join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]})")
        handle.flush()
        _await_orphans(orphans, out)
        yield orphans


def _await_orphans(orphans: Path, out: Path) -> None:
    """Wait until no worker of a killed build is left: it could still rename a tar of an older recipe into place."""
    deadline = time.monotonic() + ORPHANS_S
    with orphans.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DbganError(
                        f"{out}: workers of an earlier, killed build still run after {ORPHANS_S:.0f} s.\n"
                        "Next: stop them (`ray stop`) and run the same command again."
                    ) from None
                time.sleep(0.1)


@contextlib.contextmanager
def _threads(threads: int) -> Iterator[None]:
    """Numerics must not depend on how many cores a machine has; what was set before is set again after."""
    torch: Any = sys.modules.get("torch")
    cv2: Any = sys.modules.get("cv2")
    before = (torch.get_num_threads() if torch else 0, cv2.getNumThreads() if cv2 else 0)
    if torch:
        torch.set_num_threads(threads)
    if cv2:
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(before[0])
        if cv2:
            cv2.setNumThreads(before[1])
