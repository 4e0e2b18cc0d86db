"""Make a folder hold exactly the shards of a list of plans: reuse, prove, rehearse, build, fold."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from dbgan import files
from dbgan.corpus import receipts, tables
from dbgan.corpus.header import Header
from dbgan.corpus.layout import Finished, Plan, Reject
from dbgan.corpus.write import check_shard_name
from dbgan.engine import canary
from dbgan.engine.lock import ended, locked
from dbgan.engine.watch import Watch, metrics, metrics_file
from dbgan.engine.worker import ATTEMPTS, Builder, Pool, SerialPool, Task
from dbgan.errors import DbganError, StorageError
from dbgan.progress import progress
from dbgan.recipe import code_digest, digest

ROOM = 1.1
"""Free bytes that a rehearsed build asks for, per byte of its estimate."""
TIDY_S = 10.0
"""How long a build that ends early waits for its workers to end."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did. `failed` names shards and their last error; a report that is returned has none."""

    built: int
    reused: int
    removed: int
    samples: int
    rejects: int
    failed: dict[str, str] = field(default_factory=dict)


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
    at_once: int = 1,
    rehearse: bool = False,
) -> BuildReport:
    """Make the corpus in `out` hold exactly `plans`: reuse finished shards, build the others, fold the tables.

    Shards whose receipt has the plan's recipe are kept. Where the builder's code changed since they were made, one of
    them is rebuilt as a canary: equal bytes keep the rest, other bytes are an error. The worker count never changes
    bytes. What the build took is left in `.dbgan/builds/`.

    Args:
        out: folder of the corpus; made if absent.
        header: what holds for the whole corpus.
        builder: makes the samples.
        plans: one per shard, names unique. Built in this order, but those of one `group` after each other.
        rejects: inputs refused before they belonged to a shard.
        workers: 1: in this process; n: n Ray actors; 0: one actor per device of the Ray cluster.
        gpus_per_worker: GPUs that each Ray actor asks for.
        threads: torch threads of each worker; must be part of the recipes of a builder that computes with torch.
        at_once: shards beside each other where this process builds; see `worker.Task`.
        rehearse: before hours are spent, take one sample through the whole path and see whether the disk has room.

    Raises:
        DbganError: another process builds this corpus; the folder holds something else; plans failed three times (the
            finished shards stay for the next run); the code changed its bytes without a changed REVISION; the
            rehearsal failed.
        StorageError: a full disk, or one that will be.
        MissingPackageError: workers other than 1 without ray.
    """
    if workers < 0 or threads < 1:
        raise ValueError(f"workers must be at least 0 and threads at least 1, got {workers} and {threads}")
    _check_plans(plans)
    out = out.resolve()
    with locked(out, header.name, synthesized=header.synthesized) as orphans:
        present = receipts.finished(out)
        task = Task(builder, header, code_digest(*builder.modules), threads, orphans, at_once)
        kept = reusable(out, plans, present)
        pending = grouped([plan for plan in plans if plan.shard not in kept])
        proof = canary.choose(out, plans, kept, task.code)
        jobs = len(pending) + (proof is not None)
        with _tidied(out, orphans), _pool(task, workers, gpus_per_worker, jobs) as pool:
            if proof is not None:
                canary.prove(pool, proof, kept[proof.shard], builder, out)
            if rehearse and sum(len(plan.items) for plan in pending) > 1:
                _rehearse(pool, out, header.name, pending)
            built, failed = _run(pool, out, header.name, pending, workers, len(kept))
        if failed:
            files.remove_partials(out)
            raise DbganError(_failure(header.name, failed, len(built) + len(kept)))
        with files.writing(out):
            counts = tables.finish(out, header, [*kept.values(), *built.values()], rejects)
        canary.note_code(out, task.code)
    removed = len(present.keys() - {plan.shard for plan in plans})
    report = BuildReport(len(built), len(kept), removed, counts["samples"], counts["rejects"])
    print(
        f"{header.name}: {report.built} shards built, {report.reused} reused, {report.removed} removed; "
        f"{report.samples} samples, {report.rejects} rejects",
        flush=True,
    )
    return report


def reusable(out: Path, plans: Sequence[Plan], present: dict[str, Finished]) -> dict[str, Finished]:
    """Those of the finished shards that a build of `plans` keeps, by name. See `receipts.finished` for `present`."""
    return {plan.shard: present[plan.shard] for plan in plans if _reusable(out, plan, present.get(plan.shard))}


def grouped(plans: Sequence[Plan]) -> list[Plan]:
    """Plans of one group after each other, groups and their plans in the order in which they come.

    >>> [plan.shard for plan in grouped([Plan("a", "s", "", (), "x"), Plan("b", "s", ""), Plan("c", "s", "", (), "x")])]
    ['a', 'c', 'b']
    """
    first: dict[str, int] = {}
    for position, plan in enumerate(plans):
        first.setdefault(plan.group or plan.shard, position)
    return sorted(plans, key=lambda plan: first[plan.group or plan.shard])


@contextlib.contextmanager
def _tidied(out: Path, orphans: Path) -> Iterator[None]:
    """On Ctrl-C and errors: no half-written shard of an actor stays, which Ray ends in the middle of its work."""
    try:
        yield
    except BaseException:
        # It is told to end and does so a moment later; until then it writes on.
        ended(orphans, TIDY_S)
        files.remove_partials(out)
        files.remove_partials(out / receipts.FOLDER)
        raise


@contextlib.contextmanager
def _pool(task: Task, workers: int, gpus_per_worker: float, jobs: int) -> Iterator[Pool]:
    """Workers for `jobs` plans. Ray costs seconds to start: a single plan on the CPU runs in this process."""
    if workers == 1 or (jobs <= 1 and gpus_per_worker == 0):
        yield SerialPool(task)
        return
    from dbgan.engine.actors import ray_pool

    with ray_pool(task, min(workers, max(1, jobs)), gpus_per_worker, jobs) as actors:
        yield actors


def _run(
    pool: Pool, out: Path, name: str, plans: Sequence[Plan], workers: int, reused: int
) -> tuple[dict[str, Finished], dict[str, str]]:
    if not plans:
        return {}, {}
    with progress(f"{name}: samples", sum(len(plan.items) for plan in plans)) as bar:
        watch = Watch(bar, len(plans))
        failed: dict[str, str] = {}
        try:
            built, failed = pool.run(out, plans, watch)
        finally:
            told = metrics(watch, name=name, workers=workers, reused=reused, failed=len(failed))
            files.write_json(metrics_file(out), told)
    return built, failed


def _rehearse(pool: Pool, out: Path, name: str, pending: Sequence[Plan]) -> None:
    """One sample of a plan, by the real workers and the real writer, into a folder aside.

    A single broken plan must not stop the others, so up to `ATTEMPTS` plans are tried.

    Raises:
        DbganError: they all failed.
        StorageError: by the sample's size, the disk of `out` cannot hold what is to be built.
    """
    folder = files.state_dir().resolve() / "rehearsal" / digest(str(out))[:16]
    failed: dict[str, str] = {}
    tried = dict.fromkeys(len(pending) * k // ATTEMPTS for k in range(ATTEMPTS))
    for plan in (pending[position] for position in tried):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            made, errors = pool.run(folder, [replace(plan, items=plan.items[:1])], Watch())
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if plan.shard in made:
            _check_room(out, made[plan.shard].bytes, sum(len(plan.items) for plan in pending))
            return
        failed |= errors
    lines = "\n".join(_named(failed))
    raise DbganError(
        f"{name}: before the build single samples of {len(failed)} shards were taken through the whole path, and that "
        f"failed:\n{lines}\nNext: mend what the errors name and run the same command again; nothing was built yet."
    )


def _check_room(out: Path, each: int, samples: int) -> None:
    needed = int(ROOM * samples * each)
    free = shutil.disk_usage(out).free
    if free < needed:
        raise StorageError(
            f"{out}: {samples} samples of about {each / 1e6:.2f} MB each need {needed / 1e9:.3g} GB with some reserve; "
            f"this disk has {free / 1e9:.3g} GB free.\n"
            "Next: make room on this disk, choose another, or ask for fewer; nothing was built yet."
        )


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
    lines += [*_named(failed), "Next: mend what the errors name and run the same command again; only these are built."]
    return "\n".join(lines)


def _named(failed: dict[str, str]) -> list[str]:
    """A line per shard and error; further lines of an error, such as its own next step, stand below it."""
    return [f"  {shard}: {error}".replace("\n", "\n    ") for shard, error in sorted(failed.items())]
