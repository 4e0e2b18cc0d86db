"""Write one shard: a deterministic tar, renamed into place when whole, and its receipt after it."""

from __future__ import annotations

import contextlib
import hashlib
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from dbgan import files
from dbgan.corpus import receipts
from dbgan.corpus.columns import coerce, json_columns, manifest_columns, nullable_columns
from dbgan.corpus.layout import (
    ARRAYS,
    EXTENSIONS,
    FIELDS,
    KEY_PART,
    EncodedSample,
    Kind,
    Plan,
    Receipt,
    Reject,
    make_key,
)
from dbgan.recipe import canonical

TAR_BLOCK = 512


def write_shard(
    corpus: Path,
    plan: Plan,
    kind: Kind,
    ext: str,
    samples: Iterable[EncodedSample | Reject],
    *,
    arrays: Sequence[str] = (),
    code: str = "",
) -> Receipt:
    """Stream `samples` into `corpus/SHARD.tar`, then write its receipt.

    The bytes depend on the samples alone: USTAR, mtime 0, uid = gid = 0, no names, mode 0444, samples in the order of
    their keys, members of a sample adjacent, `json` last. Nothing is seen under the tar's name before it is whole.

    Args:
        corpus: folder of the corpus.
        plan: the shard's name, sequence and recipe; its items are not read.
        kind: which image fields every sample has.
        ext: file type of every image.
        samples: sorted strictly by key, all of `plan.sequence`; rejects may stand anywhere between.
        arrays: fields of `layout.ARRAYS` that every sample has as well.
        code: digest of the builder's code, noted in the receipt.

    Returns:
        The receipt. Without samples there is no tar: `bytes` 0, `sha256` empty.

    Raises:
        ValueError: a sample is out of order, of another sequence, or does not have exactly the fields and columns.
    """
    if ext not in EXTENSIONS:
        raise ValueError(f"image extension {ext!r} is not one of {', '.join(EXTENSIONS)}")
    check_shard_name(plan.shard)
    target = corpus / f"{plan.shard}.tar"
    rows: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    tar: _Tar | None = None
    with contextlib.ExitStack() as stack:
        for sample in samples:
            if isinstance(sample, Reject):
                rejects.append(sample)
                continue
            if tar is None:
                tar = _Tar(stack.enter_context(files.atomic_writer(target)))
            _check_key(sample.key, plan, rows[-1]["key"] if rows else "")
            rows.append(_add_sample(tar, sample, plan.shard, kind, ext, arrays))
        if tar is not None:
            tar.finish()
        if target.exists():
            receipts.retract(corpus, plan.shard)
        # Leaving the stack renames the tar into place.
    if tar is None:
        target.unlink(missing_ok=True)
    receipt = Receipt(
        shard=plan.shard,
        sequence=plan.sequence,
        recipe=plan.recipe,
        bytes=tar.size if tar else 0,
        sha256=tar.sha256 if tar else "",
        rows=tuple(rows),
        rejects=tuple(sorted(rejects, key=lambda r: (r.sequence, r.origin, r.reason, r.detail))),
        code=code,
    )
    receipts.write_receipt(corpus, receipt)
    return receipt


def check_shard_name(shard: str) -> None:
    """A shard's name has the letters of a key part, so that it is never a path or a URL. Raises `ValueError`."""
    if not KEY_PART.fullmatch(shard):
        raise ValueError(f"shard name {shard!r} does not match [A-Za-z0-9_-]+; make it with layout.shard_name()")


def _check_key(key: str, plan: Plan, last: str) -> None:
    sequence, _, frame = key.partition("/")
    make_key(sequence, frame)
    if sequence != plan.sequence:
        raise ValueError(f"shard {plan.shard} is of sequence {plan.sequence!r}, but got a sample {key!r}")
    if key <= last:
        raise ValueError(f"shard {plan.shard}: sample {key!r} came after {last!r}; samples must be sorted by key")


def _add_sample(
    tar: _Tar, sample: EncodedSample, shard: str, kind: Kind, ext: str, arrays: Sequence[str]
) -> dict[str, Any]:
    """Append the sample's members; returns its manifest row."""
    where = f"shard {shard}, sample {sample.key}"
    suffixes = {field: f"{field}.{ext}" for field in FIELDS[kind]} | {name: f"{name}.{ARRAYS[name]}" for name in arrays}
    if sample.fields.keys() != suffixes.keys():
        raise ValueError(f"{where}: a {kind} sample has fields {tuple(suffixes)}, found {sorted(sample.fields)}")
    synthesized = "variant" in sample.meta
    kept = {f"{field}_kept": field in sample.kept for field in FIELDS[kind]}
    meta = coerce({**sample.meta, **kept}, json_columns(kind, synthesized), (), f"{where}, json")
    if meta["key"] != sample.key or f"{meta['sequence']}/{meta['frame']}" != sample.key:
        raise ValueError(f"{where}: its json member is of {meta['key']!r} ({meta['sequence']!r}, {meta['frame']!r})")
    row: dict[str, Any] = {**meta, **sample.columns, "shard": shard, "warnings": " ".join(sorted(sample.warnings))}
    members = {field: (suffix, sample.fields[field]) for field, suffix in suffixes.items()}
    for field, (suffix, data) in {**members, "json": ("json", canonical(meta))}.items():
        row[f"{field}_offset"] = tar.add(f"{sample.key}.{suffix}", data)
        row[f"{field}_size"] = len(data)
        row[f"{field}_sha256"] = sample.sha256.get(field) or hashlib.sha256(data).digest()
    return coerce(row, manifest_columns(kind, synthesized, arrays), nullable_columns(kind), f"{where}, manifest row")


class _Tar:
    """A deterministic tar in an open file, hashed while it is written: the shard is never read again to be hashed.

    Members are written in one piece: `tarfile.addfile` copies in pieces of 16 kB, which costs more than hashing them.
    """

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self._hash = hashlib.sha256()
        self.size = 0
        """Bytes written."""

    def add(self, name: str, data: bytes) -> int:
        """Append a member; returns the offset of its data in the tar."""
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = len(data), 0o444, 0
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        self._write(member.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict"))
        offset = self.size
        self._write(data)
        self._write(bytes(-len(data) % TAR_BLOCK))
        return offset

    def finish(self) -> None:
        """Write the end of the archive: two empty blocks, and more up to a whole record."""
        self._write(bytes(2 * TAR_BLOCK))
        self._write(bytes(-self.size % tarfile.RECORDSIZE))

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes written."""
        return self._hash.hexdigest()

    def _write(self, data: bytes) -> None:
        self._handle.write(data)
        self._hash.update(data)
        self.size += len(data)
