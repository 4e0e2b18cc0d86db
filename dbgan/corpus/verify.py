"""Prove that a corpus is whole, private and what its tables say; or list everything that is wrong."""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pyarrow as pa

from dbgan.corpus import receipts, tables
from dbgan.corpus.croissant import CROISSANT, described
from dbgan.corpus.layout import KEY_PART, REJECT_REASONS
from dbgan.corpus.read import read_header
from dbgan.corpus.verify_manifest import Outline, by_shard, outline
from dbgan.corpus.verify_shard import Problem as Problem
from dbgan.corpus.verify_shard import ShardCheck
from dbgan.errors import CorpusError
from dbgan.files import NFS_LEFTOVER, TEMPORARY_SUFFIX

TABLES = (tables.MANIFEST, tables.SHARDS, tables.REJECTS, tables.CORPUS, tables.CARD, CROISSANT)


def shard_count(path: Path) -> int:
    """How many shards `verify` will check: for a progress bar, so 0 where shards.parquet cannot tell."""
    try:
        return int(tables.read_parquet(path / tables.SHARDS, ["name"]).num_rows)
    except CorpusError:
        return 0


def verify(
    path: Path, *, quick: bool = False, workers: int | None = None, done: Callable[[str], None] | None = None
) -> list[Problem]:
    """Everything that is wrong with the corpus in `path`, in a fixed order; empty when it is sound.

    Checked: tables against each other and against corpus.json; every tar's size and sha256; every member against the
    manifest and every manifest row against its tar; json members; metadata in pictures; stray files; and that every
    picture decodes to the pixels of the manifest. A JPEG's pixels are compared only under the codecs that wrote them.

    Args:
        path: folder of the corpus. Damage of any kind is a problem in the list and never an exception.
        quick: skip what hashes or decodes: sha256 of tars and members, pixels.
        workers: threads; None: one per core, at most 8.
        done: called with the name of every shard that was checked.
    """
    try:
        header = read_header(path)
        _same_columns(path, tables.MANIFEST, tables.manifest_schema(header.kind, header.synthesized, header.arrays))
        shards = _table(path, tables.SHARDS, tables.SHARDS_SCHEMA)
        rejects = _table(path, tables.REJECTS, tables.REJECTS_SCHEMA)
        manifest = outline(path)
    except CorpusError as error:
        return [_unreadable(path, error)]
    problems = [*_folder(path, shards), *manifest.problems, *_counts(path, manifest, shards, rejects)]
    if (path / CROISSANT).is_file() and not quick and (path / CROISSANT).read_bytes() != described(path, header):
        problems.append(Problem(CROISSANT, "does not describe these tables; `dbgan corpus card` writes it anew"))
    shard_rows = {row["name"]: row for row in shards.to_pylist() if KEY_PART.fullmatch(row["name"])}
    problems += [
        Problem(tables.MANIFEST, f"names {count} samples of shard {shard!r}, which shards.parquet does not have")
        for shard, count in sorted(manifest.samples.items())
        if shard not in shard_rows
    ]

    def check(shard: str, rows: pa.Table | None) -> list[Problem]:
        # Rows become Python objects only while their shard is checked.
        expected = rows.to_pylist() if rows is not None else []
        found = list(ShardCheck(path, header, shard_rows[shard], expected, quick).problems())
        if done is not None:
            done(shard)
        return found

    of_shards: dict[str, list[Problem]] = {}
    empty = ((shard, None) for shard in shard_rows if shard not in manifest.samples)
    known = ((shard, rows) for shard, rows in by_shard(path, manifest.samples) if shard in shard_rows)
    try:
        for shard, found in _in_threads(check, chain(empty, known), workers or min(8, os.cpu_count() or 1)):
            of_shards[shard] = found
    except CorpusError as error:
        problems.append(_unreadable(path, error))
    return problems + [problem for _, found in sorted(of_shards.items()) for problem in found]


def _in_threads(
    check: Callable[[str, pa.Table | None], list[Problem]], work: Iterable[tuple[str, pa.Table | None]], workers: int
) -> Iterator[tuple[str, list[Problem]]]:
    """(shard, its problems), where it has some; the rows of at most two shards per thread wait."""
    waiting: deque[tuple[str, Future[list[Problem]]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for shard, rows in work:
            waiting.append((shard, pool.submit(check, shard, rows)))
            if len(waiting) >= 2 * workers:
                shard, future = waiting.popleft()
                if found := future.result():
                    yield shard, found
        yield from ((shard, found) for shard, future in waiting if (found := future.result()))


def _unreadable(path: Path, error: CorpusError) -> Problem:
    return Problem(path.name, str(error).splitlines()[0].removeprefix(f"{path}/").removeprefix(f"{path}: "))


def damaged_shards(path: Path, problems: list[Problem]) -> list[str]:
    """Names of the shards of shards.parquet whose tars the problems are about, in order. Strange files are not among
    them; where shards.parquet cannot be read, nobody can tell."""
    named = {problem.where.partition(":")[0] for problem in problems}
    try:
        shards = tables.read_parquet(path / tables.SHARDS, ["name"]).column("name").to_pylist()
    except CorpusError:
        return []
    return sorted(name for name in shards if KEY_PART.fullmatch(name) and f"{name}.tar" in named)


def remove_shards(path: Path, shards: list[str]) -> None:
    """Remove these shards' tars: the next build of the corpus makes exactly them again. Kept are shards by size."""
    for shard in shards:
        (path / f"{shard}.tar").unlink(missing_ok=True)


def _table(path: Path, name: str, schema: pa.Schema) -> pa.Table:
    _same_columns(path, name, schema)
    return tables.read_parquet(path / name)


def _same_columns(path: Path, name: str, schema: pa.Schema) -> None:
    found = tables.read_schema(path / name)
    # measures that an older version did not take may be absent
    told = pa.schema([field for field in schema if not field.nullable or field.name in found.names])
    if not found.equals(told):
        differing = sorted(set(map(str, found)) ^ set(map(str, schema)))
        raise CorpusError(
            f"{path / name}: has not the columns of this format; differing: {', '.join(differing) or 'order'}"
        )


def _folder(path: Path, shards: pa.Table) -> Iterator[Problem]:
    """Files that are missing, and files that nothing names."""
    tars = {f"{row['name']}.tar" for row in shards.to_pylist() if row["samples"]}
    present = {entry.name for entry in path.iterdir()}
    for name in sorted({tables.CARD, CROISSANT} - present):
        yield Problem(name, "is missing; `dbgan corpus card` writes it")
    for name in sorted(present - tars - set(TABLES)):
        if name == receipts.FOLDER:
            yield Problem(name, "the corpus is half built: run the build again")
        elif name.endswith(TEMPORARY_SUFFIX):
            yield Problem(name, "left by a killed build: run the build again")
        elif name.startswith(NFS_LEFTOVER):
            yield Problem(name, "a removed file that a process still has open on NFS: it goes when that one ends")
        else:
            yield Problem(name, "no table of the corpus names this file")


def _counts(path: Path, manifest: Outline, shards: pa.Table, rejects: pa.Table) -> Iterator[Problem]:
    """Tables against each other and against the counts of corpus.json."""
    counts = json.loads((path / tables.CORPUS).read_bytes()).get("counts")
    rejected, rows = Counter(rejects.column("shard").to_pylist()), shards.to_pylist()
    found = {
        "samples": manifest.samples.total(),
        "shards": sum(1 for row in rows if row["samples"]),
        "bytes": sum(row["bytes"] for row in rows),
        "rejects": rejected.total(),
        "sequences": len(manifest.sequences),
    }
    for name, number in found.items():
        said = counts.get(name) if isinstance(counts, dict) else None
        if said != number:
            yield Problem(tables.CORPUS, f"counts {said} {name}, the tables have {number}")
    for row in rows:
        for what, tally in (("samples", manifest.samples), ("rejects", rejected)):
            if row[what] != tally[row["name"]]:
                here = f"says {row[what]} {what} for shard {row['name']}, the rows are {tally[row['name']]}"
                yield Problem(tables.SHARDS, here)
        if not KEY_PART.fullmatch(row["name"]):
            yield Problem(tables.SHARDS, f"{row['name']!r} is no name of a shard")
    for reason in sorted(set(rejects.column("reason").to_pylist()) - set(REJECT_REASONS)):
        yield Problem(tables.REJECTS, f"the reason {reason!r} is not of the closed list")
