"""Which pairs a synthetic corpus has, in which shards. Rows in, plans out; only `read_source` touches the disk."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbgan.corpus import Corpus
from dbgan.corpus.layout import MAX_KEY, Plan, make_key, shard_group, shard_name
from dbgan.errors import CorpusError, DbganError
from dbgan.recipe import recipe

BUILDER = "synthesize"


@dataclass(frozen=True, slots=True)
class SharpRow:
    """One sharp frame of a source: where it is and what its bytes are (hex sha256 of the picture and json members)."""

    key: str
    sequence: str
    frame: str
    sharp_sha256: str
    json_sha256: str


@dataclass(frozen=True, slots=True)
class SharpSource:
    """A corpus with sharp frames: its name, folder, file type, and the frames to use, sorted by key."""

    name: str
    path: Path
    ext: str
    rows: tuple[SharpRow, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One pair to make: `key` of the new sample, and the sharp frame that it is made of."""

    key: str
    source: str
    source_key: str
    variant: int


@dataclass(frozen=True, slots=True)
class Settings:
    """What determines the bytes beside the frames.

    Attributes:
        variants: blurry versions per sharp frame.
        seed: of everything random.
        ext: file type of the new corpus.
        shard_samples: mean samples per shard.
        blur: the blur's name, revision and `describe()`.
        computed: codec versions and device class.
        revision: of the builder.
    """

    variants: int
    seed: int
    ext: str
    shard_samples: int
    blur: Mapping[str, Any]
    computed: Mapping[str, Any]
    revision: int


def read_source(path: Path, selection: Path | None = None) -> SharpSource:
    """The sharp frames of the corpus in `path`: with a selection, only its kept samples of split `train`.

    Raises:
        CorpusError: no such corpus or selection, the corpus has no sharp frames, or none is left to use.
    """
    corpus = Corpus.open(path, selection=selection, split=None if selection is None else "train")
    if "sharp" not in corpus.fields:
        raise CorpusError(
            f"{path}: expected a corpus with sharp frames (paired or sharp), found kind {corpus.kind!r}.\n"
            "Next: name another source; blurry captures are what BGAN learns from, not what it blurs."
        )
    if not len(corpus):
        where = "" if selection is None else f" that {selection} keeps in the split `train`"
        raise CorpusError(f"{path}: has no sample{where}.\nNext: look at its curate limits, or name another source.")
    table = corpus.table(columns=["key", "sequence", "frame", "sharp_sha256", "json_sha256"])
    rows = tuple(
        SharpRow(key, sequence, frame, bytes(sharp).hex(), bytes(meta).hex())
        for key, sequence, frame, sharp, meta in table.itertuples(index=False, name=None)
    )
    return SharpSource(corpus.name, path, corpus.header.ext, rows)


def plan(sources: Sequence[SharpSource], settings: Settings) -> list[Plan]:
    """One plan per shard `<sequence>-v<variant>-<nnn>`: one more variant, sequence or source adds shards, changes none.

    Raises:
        DbganError: two sources of one name, sequences that cannot be told apart, or a key that would be too long.
    """
    names = [source.name for source in sources]
    if len(set(names)) != len(names):
        raise DbganError(f"the same source is named twice among {', '.join(names)}.\nNext: name each source once.")
    plans: list[Plan] = []
    sequences = target_sequences(sources)
    for source in sources:
        rows = defaultdict[str, dict[str, SharpRow]](dict)
        for row in source.rows:
            rows[row.sequence][row.frame] = row
        for sequence, frames in sorted(rows.items()):
            target = sequences[source.name, sequence]
            groups = shard_group(sorted(frames), settings.shard_samples)
            for variant in range(settings.variants):
                for index, group in enumerate(groups):
                    chosen = [frames[frame] for frame in group]
                    shard = shard_name(f"{target}-v{variant}", index)
                    plans.append(_plan(shard, target, source, chosen, variant, settings))
    return plans


def target_sequences(sources: Sequence[SharpSource]) -> dict[tuple[str, str], str]:
    """(source, sequence) -> sequence in the synthetic corpus.

    It is the sequence's own name or, where a source listed before has it already, `SOURCE-SEQUENCE`: a source that is
    appended to the list renames nothing. Upper and lower case count as equal, because shards are files.

    Raises:
        DbganError: two sequences would still get one name.
    """
    taken: dict[str, tuple[str, str]] = {}
    targets: dict[tuple[str, str], str] = {}
    for source in sources:
        for sequence in sorted({row.sequence for row in source.rows}):
            target = sequence if sequence.casefold() not in taken else f"{source.name}-{sequence}"
            other = taken.setdefault(target.casefold(), (source.name, sequence))
            if other != (source.name, sequence):
                raise DbganError(
                    f"sequence {sequence!r} of {source.name} and {other[1]!r} of {other[0]} would both be {target!r}.\n"
                    "Next: rename one of the raw folders and ingest it again."
                )
            targets[source.name, sequence] = target
    return targets


def variant_key(sequence: str, frame: str, variant: int) -> str:
    """`SEQUENCE/FRAME-v<variant>`; a frame name too long for a key is cut and gets 8 digits of its sha256.

    Raises:
        DbganError: the sequence alone is too long.
    """
    ending = f"-v{variant}"
    room = MAX_KEY - len(sequence) - 1 - len(ending)
    if len(frame) > room:
        cut = room - 9
        if cut < 1:
            raise DbganError(
                f"sequence {sequence!r} has {len(sequence)} characters: keys of its pairs would pass {MAX_KEY}.\n"
                "Next: give the raw folder a shorter name and ingest it again."
            )
        frame = f"{frame[:cut]}-{hashlib.sha256(frame.encode()).hexdigest()[:8]}"
    return make_key(sequence, f"{frame}{ending}")


def _plan(
    shard: str, sequence: str, source: SharpSource, rows: Sequence[SharpRow], variant: int, settings: Settings
) -> Plan:
    keyed = {variant_key(sequence, row.frame, variant): row for row in rows}
    if len(keyed) != len(rows):
        raise DbganError(f"shard {shard}: two frames get the same key.\nNext: rename one of them and ingest again.")
    made_of = recipe(
        BUILDER,
        settings.revision,
        # The json member is an input as well: device and exposure of the sharp frame are copied from it.
        [[key, source.name, row.key, row.sharp_sha256, row.json_sha256] for key, row in sorted(keyed.items())],
        {
            "seed": settings.seed,
            "variant": variant,
            "blur": dict(settings.blur),
            "image": settings.ext,
            "source_image": source.ext,
        },
        settings.computed,
    )
    # Sorted by the new key: `a-v0` comes after `a-b-v0`, though `a` comes before `a-b`.
    items = tuple(Item(key, source.name, row.key, variant) for key, row in sorted(keyed.items()))
    return Plan(shard, sequence, made_of, items)


def pairs(plans: Sequence[Plan]) -> Iterator[Item]:
    """Every pair of the plans, in their order."""
    return (item for shard in plans for item in shard.items)
