"""Put several corpora of one kind into one. No picture is decoded: members keep their bytes, tars mostly too."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbgan.corpus import tables
from dbgan.corpus.columns import json_columns, manifest_columns
from dbgan.corpus.header import Header
from dbgan.corpus.layout import MAX_KEY, EncodedSample, Plan, Reject, shard_name, slug
from dbgan.corpus.read import Corpus
from dbgan.corpus.rows import between, rows
from dbgan.engine import BuildReport, build_corpus
from dbgan.errors import CorpusError, ParamsError
from dbgan.recipe import recipe

REVISION = 1
"""Raised by hand when the bytes that a merge writes change."""


@dataclass(frozen=True, slots=True)
class Part:
    """What of one source shard goes into one shard of the merged corpus.

    Attributes:
        source: folder of the corpus it is in.
        shard: its name there.
        first: its first key there.
        last: its last key there; both empty for a shard without samples.
        sequence: its sequence in the merged corpus.
        skip: keys that are left out, because an earlier corpus has the same samples.
        rejects: inputs that were refused while the shard was made.
    """

    source: Path
    shard: str
    first: str
    last: str
    sequence: str
    skip: frozenset[str]
    rejects: tuple[Reject, ...]


@dataclass(slots=True)
class _Merged:
    """The plan as it grows: what is taken, and what has to be said.

    `owners` tells by sequence of the merged corpus which sequences of which corpora it is made of.
    """

    plans: list[Plan] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    shards: set[str] = field(default_factory=set)
    owners: dict[str, list[tuple[Path, str]]] = field(default_factory=lambda: defaultdict(list))


def merge(corpora: Sequence[Path], out: Path) -> BuildReport:
    """Make the corpus `out` hold the samples of `corpora`; finished shards are kept, as by every build.

    A sequence that only one corpus has is taken over with its shards, byte for byte. Where several corpora have one:
    a sample that an earlier corpus has too, with equal bytes, is taken once; if any sample of the sequence has an equal
    key and other bytes, the later corpus's whole sequence is renamed to `SEQUENCE-NAME`, NAME being that corpus's.
    Both are printed and noted on the card.

    Args:
        corpora: folders of at least two finished corpora of one kind, file type and origin (ingested or synthesized).
        out: folder of the merged corpus.

    Raises:
        ParamsError: fewer than two corpora, or `out` is one of them.
        CorpusError: the corpora are of different kinds, or one is damaged.
    """
    sources = [Corpus.open(path.resolve()) for path in corpora]
    if len({source.path for source in sources}) < 2 or out.resolve() in {source.path for source in sources}:
        raise ParamsError(f"merge: expected two or more different corpora and another --out, found {len(corpora)}.")
    _check_alike(sources)
    merged = _Merged()
    for source in sources:
        _add(merged, source)
    for note in merged.notes:
        print(f"{out.name}: {note}", flush=True)
    header = _header(out.resolve().name, sources, merged.notes)
    return build_corpus(out, header, Merge(), merged.plans, rejects=merged.rejects)


@dataclass(frozen=True)
class Merge:
    """The builder: reads samples out of finished corpora; `dbgan.engine` runs it."""

    name: str = "merge"
    revision: int = REVISION
    modules: tuple[str, ...] = ("dbgan.merge",)

    def open(self) -> Callable[[Plan], Iterator[EncodedSample | Reject]]:
        """Corpora are opened when their first shard is wanted."""
        opened: dict[Path, Corpus] = {}

        def build(plan: Plan) -> Iterator[EncodedSample | Reject]:
            (part,) = plan.items
            if part.source not in opened:
                opened[part.source] = Corpus.open(part.source)
            return _samples(opened[part.source], part)

        return build


def _samples(source: Corpus, part: Part) -> Iterator[EncodedSample | Reject]:
    """The part's samples, under the keys of the merged corpus."""
    yield from part.rejects
    header = source.header
    columns = set(manifest_columns(header.kind, header.synthesized, header.arrays))
    columns -= {"shard", *json_columns(header.kind, header.synthesized)}
    columns -= {f"{name}_{what}" for name in header.suffixes for what in _WRITTEN}
    for row in between(source.path, part.first, part.last):
        if row["shard"] != part.shard or row["key"] in part.skip:
            continue
        members = {name: _member(source, row, name) for name in header.suffixes}
        meta = json.loads(members.pop("json"))
        key = f"{part.sequence}/{row['frame']}"
        meta |= {"key": key, "sequence": part.sequence}
        yield EncodedSample(key, members, meta, {name: row.get(name) for name in sorted(columns)})


_WRITTEN = ("offset", "size", "sha256")


def _member(source: Corpus, row: dict[str, Any], name: str) -> bytes:
    data = source.encoded(row["key"], name)
    if hashlib.sha256(data).digest() != row[f"{name}_sha256"]:
        raise CorpusError(
            f"{source.path}: sample {row['key']}: the bytes of {name} are not those of the manifest.\n"
            "Next: `dbgan corpus verify --repair`, then `dvc pull` or build the corpus again."
        )
    return data


def _check_alike(sources: Sequence[Corpus]) -> None:
    kinds = {(s.kind, s.header.ext, s.header.synthesized, s.header.arrays): s.path for s in sources}
    if len(kinds) > 1:
        found = [
            f"{path}: {', '.join((kind, ext, _made(made), *(f'with {name}' for name in arrays)))}"
            for (kind, ext, made, arrays), path in kinds.items()
        ]
        raise CorpusError(
            "corpora of different kinds cannot be merged, because every sample of a corpus has the same fields:\n"
            + "\n".join(f"  {line}" for line in found)
            + "\nNext: merge those that are alike."
        )


def _made(synthesized: bool) -> str:
    return "synthesized" if synthesized else "ingested"


def _header(name: str, sources: Sequence[Corpus], notes: Sequence[str]) -> Header:
    headers = [source.header for source in sources]
    # Versions that differ are named all: a JPEG's pixels can then not be checked against one decoder.
    names = sorted({codec for header in headers for codec in header.codecs})
    codecs = {n: " or ".join(sorted({header.codecs.get(n, "absent") for header in headers})) for n in names}
    classes = [header.device_class for header in headers]
    said = list(dict.fromkeys(note for header in headers for note in header.notes))
    if any(other != classes[0] for other in classes):
        said.append("The merged corpora were computed on different device classes.")
    if len({header.quality for header in headers}) > 1:
        said.append("Quality measures are null for samples of corpora that were made without them.")
    return Header(
        kind=headers[0].kind,
        ext=headers[0].ext,
        name=name,
        params={"merged": [{"name": h.name, "params": dict(h.params)} for h in headers]},
        codecs=codecs,
        device_class=classes[0] if all(other == classes[0] for other in classes) else None,
        synthesized=headers[0].synthesized,
        arrays=headers[0].arrays,
        quality=all(header.quality for header in headers),
        max_pixels=max(header.max_pixels for header in headers),
        notes=(*said, *notes),
    )


def _add(merged: _Merged, source: Corpus) -> None:
    """Plan the shards of one more corpus."""
    refused: dict[str, list[Reject]] = defaultdict(list)
    for row in tables.read_parquet(source.path / tables.REJECTS).to_pylist():
        refused[row.pop("shard")].append(Reject(**row))
    merged.rejects += (reject for reject in refused[""] if reject not in merged.rejects)
    ends = _ends(source.path)
    shards: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in tables.read_parquet(source.path / tables.SHARDS).to_pylist():
        shards[row["sequence"]].append(row)
    for sequence, of_sequence in sorted(shards.items()):
        target, skip = _placed(merged, source, sequence)
        merged.owners[target].append((source.path, sequence))
        for row in of_sequence:
            first, last, count = ends.get(row["name"], ("", "", 0))
            skipped = skip.get(row["name"], frozenset())
            if count and len(skipped) == count:
                continue
            rejects = tuple(
                Reject(r.origin, r.reason, r.detail, target if r.sequence == sequence else r.sequence)
                for r in refused[row["name"]]
            )
            part = Part(source.path, row["name"], first, last, target, skipped, rejects)
            merged.plans.append(_plan(merged, part, row))


def _ends(path: Path) -> dict[str, tuple[str, str, int]]:
    """First key, last key and number of samples of every shard."""
    ends: dict[str, tuple[str, str, int]] = {}
    for row in rows(path, ["key", "shard"]):
        first, _, count = ends.get(row["shard"], (row["key"], "", 0))
        ends[row["shard"]] = (first, row["key"], count + 1)
    return ends


def _placed(merged: _Merged, source: Corpus, sequence: str) -> tuple[str, dict[str, frozenset[str]]]:
    """The sequence's name in the merged corpus, and by shard the keys that are there already."""
    if sequence not in merged.owners:
        return sequence, {}
    present: dict[str, tuple[bytes, ...]] = {}
    for owner, named in merged.owners[sequence]:
        present |= {f"{sequence}/{row['frame']}": _digests(row, source) for row in _rows_of(owner, named)}
    known: dict[str, set[str]] = defaultdict(set)
    total, longest, conflict = 0, 0, ""
    for row in _rows_of(source.path, sequence):
        total, longest = total + 1, max(longest, len(row["frame"]))
        if row["key"] in present:
            known[row["shard"]].add(row["key"])
            if not conflict and present[row["key"]] != _digests(row, source):
                conflict = row["key"]
    if conflict:
        target = _free_sequence(merged, sequence, source.name, longest)
        merged.notes.append(
            f"Sequence {sequence} of {source.name} is {target} here ({total} samples): another corpus has other "
            f"samples under the same keys, such as {conflict}."
        )
        return target, {}
    if known:
        twice = sum(len(keys) for keys in known.values())
        merged.notes.append(f"{twice} samples of sequence {sequence} of {source.name} were there already, equal.")
    return sequence, {shard: frozenset(keys) for shard, keys in known.items()}


def _rows_of(path: Path, sequence: str) -> Iterator[dict[str, Any]]:
    # "0" follows "/" in ASCII, and no key part holds either.
    return (row for row in between(path, f"{sequence}/", f"{sequence}0") if row["sequence"] == sequence)


def _digests(row: dict[str, Any], corpus: Corpus) -> tuple[bytes, ...]:
    return tuple(row[f"{name}_sha256"] for name in corpus.header.suffixes)


def _free_sequence(merged: _Merged, sequence: str, name: str, longest_frame: int) -> str:
    """`SEQUENCE-NAME`, or with a digest where that is too long for a key or taken."""
    room = MAX_KEY - 1 - longest_frame
    wanted = f"{sequence}-{slug(name)}"
    number = 0
    while len(wanted) > room or wanted in merged.owners:
        digest = hashlib.sha256(f"{sequence}/{name}/{number}".encode()).hexdigest()[:8]
        wanted = f"{sequence[: max(1, room - 9)]}-{digest}"
        number += 1
    return wanted


def _plan(merged: _Merged, part: Part, row: dict[str, Any]) -> Plan:
    """The plan of one shard, under its own name where that is free."""
    name = part.sequence + row["name"].removeprefix(row["sequence"])
    number = 0
    while name.casefold() in merged.shards:
        name = shard_name(part.sequence, number)
        number += 1
    merged.shards.add(name.casefold())
    made = recipe(
        "merge",
        REVISION,
        {"sha256": row["sha256"], "recipe": row["recipe"]},
        {"sequence": part.sequence, "skip": sorted(part.skip)},
        {},
    )
    return Plan(name, part.sequence, made, (part,))
