"""Prove that a corpus is whole, private and what its tables say; or list everything that is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dbgan.corpus import receipts, tables
from dbgan.corpus.columns import coerce, json_columns
from dbgan.corpus.croissant import CROISSANT, described
from dbgan.corpus.header import Header
from dbgan.corpus.layout import KEY_PART, REJECT_REASONS, make_key, pixel_digest
from dbgan.corpus.privacy import metadata_in
from dbgan.corpus.read import read_header
from dbgan.errors import CorpusError, ImageError
from dbgan.files import TEMPORARY_SUFFIX
from dbgan.recipe import canonical, codec_versions

TABLES = (tables.MANIFEST, tables.SHARDS, tables.REJECTS, tables.CORPUS, tables.CARD, CROISSANT)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (a file of the corpus, a member, a sample) and what."""

    where: str
    what: str


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
        manifest = _table(path, tables.MANIFEST, tables.manifest_schema(header.kind, header.synthesized))
        shards = _table(path, tables.SHARDS, tables.SHARDS_SCHEMA)
        rejects = _table(path, tables.REJECTS, tables.REJECTS_SCHEMA)
    except CorpusError as error:
        return [Problem(path.name, str(error).splitlines()[0].removeprefix(f"{path}/").removeprefix(f"{path}: "))]
    problems = [*_folder(path, shards), *_keys(manifest), *_counts(path, manifest, shards, rejects)]
    if (path / CROISSANT).is_file() and not quick and (path / CROISSANT).read_bytes() != described(path, header):
        problems.append(Problem(CROISSANT, "does not describe these tables; `dbgan corpus card` writes it anew"))
    shard_rows = {row["name"]: row for row in shards.to_pylist() if KEY_PART.fullmatch(row["name"])}
    expected = _rows_by_shard(manifest)
    problems += [
        Problem(tables.MANIFEST, f"names {len(rows)} samples of shard {shard!r}, which shards.parquet does not have")
        for shard, rows in sorted(expected.items())
        if shard not in shard_rows
    ]

    def check(shard: str) -> list[Problem]:
        rows = expected[shard].to_pylist() if shard in expected else []
        found = list(_Shard(path, header, shard_rows[shard], rows, quick).problems())
        if done is not None:
            done(shard)
        return found

    with ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool:
        for found in pool.map(check, sorted(shard_rows)):
            problems += found
    return problems


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
    table = tables.read_parquet(path / name)
    if not table.schema.equals(schema):
        differing = sorted(set(map(str, table.schema)) ^ set(map(str, schema)))
        raise CorpusError(
            f"{path / name}: has not the columns of this format; differing: {', '.join(differing) or 'order'}"
        )
    return table


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
        else:
            yield Problem(name, "no table of the corpus names this file")


def _keys(manifest: pa.Table) -> Iterator[Problem]:
    """Keys are sorted, unique and made of their sequence and frame."""
    last = ""
    parts = (manifest.column(name).to_pylist() for name in ("key", "sequence", "frame"))
    for key, sequence, frame in zip(*parts, strict=True):
        if key == last:
            yield Problem(tables.MANIFEST, f"the key {key} comes twice")
        elif key < last:
            yield Problem(tables.MANIFEST, f"the key {key} comes after {last}: rows must be sorted")
        last = key
        try:
            if make_key(sequence, frame) != key:
                yield Problem(tables.MANIFEST, f"the key {key} is not its sequence {sequence} and frame {frame}")
        except ValueError as error:
            yield Problem(tables.MANIFEST, str(error))


def _counts(path: Path, manifest: pa.Table, shards: pa.Table, rejects: pa.Table) -> Iterator[Problem]:
    """Tables against each other and against the counts of corpus.json."""
    counts = json.loads((path / tables.CORPUS).read_bytes()).get("counts")
    samples, rejected = manifest.column("shard").to_pylist(), rejects.column("shard").to_pylist()
    rows = shards.to_pylist()
    found = {
        "samples": len(samples),
        "shards": sum(1 for row in rows if row["samples"]),
        "bytes": sum(row["bytes"] for row in rows),
        "rejects": len(rejected),
        "sequences": len(pc.unique(manifest.column("sequence"))),
    }
    for name, number in found.items():
        said = counts.get(name) if isinstance(counts, dict) else None
        if said != number:
            yield Problem(tables.CORPUS, f"counts {said} {name}, the tables have {number}")
    of_samples, of_rejects = _tally(samples), _tally(rejected)
    for row in rows:
        for what, tally in (("samples", of_samples), ("rejects", of_rejects)):
            if row[what] != tally.get(row["name"], 0):
                here = f"says {row[what]} {what} for shard {row['name']}, the rows are {tally.get(row['name'], 0)}"
                yield Problem(tables.SHARDS, here)
        if not KEY_PART.fullmatch(row["name"]):
            yield Problem(tables.SHARDS, f"{row['name']!r} is no name of a shard")
    for reason in sorted(set(rejects.column("reason").to_pylist()) - set(REJECT_REASONS)):
        yield Problem(tables.REJECTS, f"the reason {reason!r} is not of the closed list")


def _tally(values: list[str]) -> dict[str, int]:
    names, counts = np.unique(np.asarray(values, dtype=object), return_counts=True) if values else ((), ())
    return {str(name): int(count) for name, count in zip(names, counts, strict=True)}


def _rows_by_shard(manifest: pa.Table) -> dict[str, pa.Table]:
    """Slices of the manifest: rows become Python objects only while their shard is checked."""
    ordered = manifest.take(pc.sort_indices(manifest, sort_keys=[("shard", "ascending"), ("key", "ascending")]))
    slices, start = {}, 0
    for shard, count in sorted(_tally(ordered.column("shard").to_pylist()).items()):
        slices[shard] = ordered.slice(start, count)
        start += count
    return slices


class _Shard:
    """The check of one tar against its rows."""

    def __init__(self, path: Path, header: Header, shard: dict[str, Any], rows: list[dict[str, Any]], quick: bool):
        self.file = path / f"{shard['name']}.tar"
        self.header, self.shard, self.rows, self.quick = header, shard, rows, quick
        # Which row and field a member's name stands for; what is left at the end is not in the tar.
        self.expected = {
            f"{row['key']}.{suffix}": (row, field)
            for row in rows
            for field, suffix in [*((field, f"{field}.{header.ext}") for field in header.fields), ("json", "json")]
        }
        self.pixels = not quick and (header.ext == "png" or dict(header.codecs) == codec_versions())

    def problems(self) -> Iterator[Problem]:
        name = self.file.name
        if not self.rows and not self.file.exists():
            if self.shard["samples"] == 0 and self.shard["bytes"]:
                yield Problem(tables.SHARDS, f"says {self.shard['bytes']} bytes for {name}, which has no samples")
            return
        if not self.file.is_file():
            yield Problem(name, f"is missing; the manifest has {len(self.rows)} samples of it")
            return
        size = self.file.stat().st_size
        if size != self.shard["bytes"]:
            yield Problem(name, f"expected {self.shard['bytes']} bytes, found {size}")
        try:
            if not self.quick:
                yield from self._digest()
            with tarfile.open(self.file, "r:") as tar:
                for member in tar:
                    yield from self._member(tar, member)
        except (tarfile.TarError, OSError, EOFError) as error:
            yield Problem(name, f"cannot be read to its end ({error})")
        for missing in self.expected:
            yield Problem(f"{name}: {missing}", "is in the manifest, but not in the tar")

    def _digest(self) -> Iterator[Problem]:
        with self.file.open("rb") as handle:
            found = hashlib.file_digest(handle, "sha256").hexdigest()
        if found != self.shard["sha256"]:
            yield Problem(self.file.name, f"expected sha256 {self.shard['sha256']}, found {found}")

    def _member(self, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[Problem]:
        where = f"{self.file.name}: {member.name}"
        yield from (Problem(where, what) for what in _unlike_ours(member))
        if not member.isreg():
            return  # never followed: a link leads wherever its writer wants
        row, field = self.expected.pop(member.name, (None, ""))
        if row is None:
            yield Problem(where, "is in the tar, but not in the manifest")
            return
        at = (row[f"{field}_offset"], row[f"{field}_size"])
        if (member.offset_data, member.size) != at:
            yield Problem(where, f"expected {at[1]} bytes at {at[0]}, found {member.size} at {member.offset_data}")
        handle = tar.extractfile(member)
        data = handle.read() if handle else b""
        if len(data) != member.size:
            yield Problem(where, f"is cut off after {len(data)} of {member.size} bytes")
            return
        if not self.quick and hashlib.sha256(data).digest() != row[f"{field}_sha256"]:
            yield Problem(where, "its sha256 is not the manifest's")
        check = self._json(data, row) if field == "json" else self._image(data, row, field)
        yield from (Problem(where, what) for what in check)

    def _json(self, data: bytes, row: dict[str, Any]) -> Iterator[str]:
        """The member has exactly the schema's keys, in canonical bytes, with the manifest's values."""
        columns = json_columns(self.header.kind, self.header.synthesized)
        try:
            found = json.loads(data)
            if not isinstance(found, dict):
                raise ValueError("not a JSON object")
            values = coerce(found, columns, (), "json")
        except (ValueError, RecursionError) as error:
            yield str(error)
            return
        if canonical(values) != data:
            yield "is not in canonical form (sorted keys, no spaces, floats written as floats)"
        for name in columns:
            if values[name] != row[name]:
                yield f"{name} is {values[name]!r}, the manifest has {row[name]!r}"

    def _image(self, data: bytes, row: dict[str, Any], field: str) -> Iterator[str]:
        for part in metadata_in(data, self.header.ext):
            yield f"carries {part}: only pixels and colours may be stored"
        if not self.pixels:
            return
        from dbgan.image.codec import decode

        try:
            image = decode(data, max_pixels=self.header.max_pixels)
        except ImageError as error:
            yield f"does not decode ({error})"
            return
        if image.shape != (row["height"], row["width"], 3):
            yield f"expected {row['width']}x{row['height']} px, found {image.shape[1]}x{image.shape[0]}"
        elif pixel_digest(image) != row[f"{field}_pixels_sha256"]:
            yield "its pixels are not those of the manifest"


def _unlike_ours(member: tarfile.TarInfo) -> Iterator[str]:
    """What another writer leaves in a tar header: times, owners, extended headers."""
    if not member.isreg():
        yield "is no regular file"
    if member.pax_headers:
        yield f"has extended headers ({', '.join(sorted(member.pax_headers))})"
    odd = {"mtime": member.mtime, "uid": member.uid, "gid": member.gid, "uname": member.uname, "gname": member.gname}
    odd = {name: value for name, value in odd.items() if value}
    if odd or member.mode != 0o444:
        values = ", ".join(f"{name} {value!r}" for name, value in odd.items())
        yield f"its tar header has mode {member.mode:o} {values}".rstrip()
