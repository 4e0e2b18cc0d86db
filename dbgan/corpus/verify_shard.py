"""The check of one tar against its rows of the manifest: members, bytes, metadata, pixels."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbgan.corpus import motion, tables
from dbgan.corpus.columns import coerce, json_columns
from dbgan.corpus.header import Header
from dbgan.corpus.layout import LOSSLESS, pixel_digest
from dbgan.corpus.privacy import metadata_in
from dbgan.errors import ImageError
from dbgan.recipe import canonical, codec_versions


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (a file of the corpus, a member, a sample) and what."""

    where: str
    what: str


class ShardCheck:
    """One tar and the manifest rows that name it.

    Args:
        path: folder of the corpus, of this header. shard: row of shards.parquet. rows: of the manifest, sorted by key.
        quick: neither hash nor decode.
    """

    def __init__(self, path: Path, header: Header, shard: dict[str, Any], rows: list[dict[str, Any]], quick: bool):
        self.file = path / f"{shard['name']}.tar"
        self.header, self.shard, self.rows, self.quick = header, shard, rows, quick
        # Which row and field a member's name stands for; what is left at the end is not in the tar.
        self.expected = {
            f"{row['key']}.{suffix}": (row, field) for row in rows for field, suffix in header.suffixes.items()
        }
        self.pixels = not quick and (header.ext in LOSSLESS or dict(header.codecs) == codec_versions())

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong, in the order of the tar; to be called once."""
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
        kinds = {"json": self._json, "motion": self._motion}
        check = kinds[field](data, row) if field in kinds else self._image(data, row, field)
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

    def _motion(self, data: bytes, row: dict[str, Any]) -> Iterator[str]:
        """The arrays of the format and no others, in their canonical bytes, of the pictures' size."""
        try:
            found = motion.decode(data)
        except ValueError as error:
            yield str(error)
            return
        if not self.quick and motion.encode(found) != data:
            yield "is not in canonical form (stored, fixed dates, nothing beside the arrays)"
        if not found.covers(row["height"], row["width"]):
            yield f"its cells do not cover {row['width']}x{row['height']} px"

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
