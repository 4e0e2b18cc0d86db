"""Which pairs a synthetic corpus has, in which shards. Rows in, plans out; only `read_source` touches the disk."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dbgan.blur.frames import windows
from dbgan.corpus import Corpus
from dbgan.corpus.layout import MAX_KEY, Plan, make_key, shard_group, shard_name
from dbgan.errors import CorpusError, DbganError
from dbgan.image.quality import PERCEPTUAL_HASH
from dbgan.recipe import recipe
from dbgan.seeds import digest_seed
from dbgan.synthesize.sharp import sharp_measures

BUILDER = "synthesize"


@dataclass(frozen=True, slots=True)
class SharpRow:
    """One sharp frame of a source: where it is and what its bytes are (hex sha256 of the picture and json members).

    `measures` is a digest of its measures, which pairs copy; empty where they are taken anew, or not wanted.
    """

    key: str
    sequence: str
    frame: str
    sharp_sha256: str
    json_sha256: str
    measures: str = ""


@dataclass(frozen=True, slots=True)
class SharpSource:
    """A corpus with sharp frames.

    Attributes:
        name, path, ext: of the corpus; `ext` is its file type.
        rows: the frames to use, sorted by key.
        neighbours: every frame of the corpus, sorted by key, also those that a selection drops: windows hold these too.
    """

    name: str
    path: Path
    ext: str
    rows: tuple[SharpRow, ...]
    neighbours: tuple[SharpRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One pair to make.

    Attributes:
        key: of the new sample. source, source_key: the sharp frame that it is made of.
        variant: index of the blurry version, from 0. model: what blurs it.
        window: keys of the frames that are blurred, in order of time; empty: the sharp frame alone.
    """

    key: str
    source: str
    source_key: str
    variant: int
    model: str = ""
    window: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """One of the blurs of a corpus.

    Attributes:
        blur: its name, revision and `describe()`.
        computed: codec versions and the device class that it computes on.
        share: of the shards, relative to the other models.
        window: frames (before, after) that it needs; stride: frames from one pair to the next.
    """

    blur: Mapping[str, Any]
    computed: Mapping[str, Any]
    share: float = 1.0
    window: tuple[int, int] = (0, 0)
    stride: int = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What determines the bytes beside the frames.

    Attributes:
        variants: blurry versions per sharp frame.
        seed: of everything random.
        ext: file type of the new corpus, with the quality of its JPEGs where that is not the usual one.
        shard_samples: mean samples per shard.
        models: name -> what blurs; each shard is made by one of them.
        revision: of the builder.
        measured: whether pairs get quality measures.
    """

    variants: int
    seed: int
    ext: str
    shard_samples: int
    models: Mapping[str, Model]
    revision: int
    measured: bool = True


def read_source(
    path: Path, selection: Path | None = None, *, neighbours: bool = False, measured: bool = True
) -> SharpSource:
    """The sharp frames of the corpus in `path`: with a selection, only its kept samples of split `train`.

    Args:
        path: folder of the corpus.
        selection: its selection.parquet.
        neighbours: read the frames as well that the selection drops: a frame that is no good as a sharp picture, such
            as a duplicate, is still a moment of the exposure.
        measured: whether pairs get quality measures: those of the sharp frames are copied.

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
    rows = _rows(corpus, measured)
    every = rows if selection is None or not neighbours else _rows(Corpus.open(path), False)
    return SharpSource(corpus.name, path, corpus.header.ext, rows, every)


def _rows(corpus: Corpus, measured: bool) -> tuple[SharpRow, ...]:
    table = corpus.table(columns=["key", "sequence", "frame", "sharp_sha256", "json_sha256"])
    measures = _measure_digests(corpus) if measured else [""] * len(table)
    return tuple(
        SharpRow(key, sequence, frame, bytes(sharp).hex(), bytes(meta).hex(), told)
        for (key, sequence, frame, sharp, meta), told in zip(
            table.itertuples(index=False, name=None), measures, strict=True
        )
    )


def _measure_digests(corpus: Corpus) -> Iterable[str]:
    """A digest of each row's measures of its sharp picture; empty where the source has none."""
    names = sharp_measures(corpus)
    if not names:
        return [""] * len(corpus)
    table = corpus.table(columns=names)
    hashed = table.pop(f"sharp_{PERCEPTUAL_HASH}")
    numbers = np.ascontiguousarray(table.to_numpy(np.float64, na_value=np.nan))
    return (hashlib.sha256(numbers[row].tobytes() + (told or b"")).hexdigest()[:32] for row, told in enumerate(hashed))


def plan(sources: Sequence[SharpSource], settings: Settings) -> list[Plan]:
    """One plan per shard `<sequence>-v<variant>-<nnn>`: one more variant, sequence or source adds shards, changes none.

    Variants of the same frames come after each other and are of one group. A shard is made by the model that `ranked`
    puts first; where that finds no window of frames in it, by the next.

    Raises:
        DbganError: two sources of one name, sequences that cannot be told apart, a key that would be too long, or no
            frame with the neighbours that its model needs.
    """
    names = [source.name for source in sources]
    if len(set(names)) != len(names):
        raise DbganError(f"the same source is named twice among {', '.join(names)}.\nNext: name each source once.")
    plans: list[Plan] = []
    problems: dict[int, str] = {}
    sequences = target_sequences(sources)
    for source in sources:
        rows = _by_sequence(source.rows)
        neighbours = _by_sequence(source.neighbours or source.rows)
        for sequence, frames in sorted(rows.items()):
            target = sequences[source.name, sequence]
            found = {name: _windows(neighbours[sequence], model, problems) for name, model in settings.models.items()}
            for index, group in enumerate(shard_group(sorted(frames), settings.shard_samples)):
                for variant in range(settings.variants):
                    shard = shard_name(f"{target}-v{variant}", index)
                    for model in ranked(settings, shard):
                        chosen = [(frames[frame], found[model][frame]) for frame in group if frame in found[model]]
                        if chosen:
                            plans.append(_plan(shard, target, source, chosen, variant, model, settings))
                            break
    if not plans:
        named = ", ".join(sorted(settings.models))
        raise DbganError(
            f"no sharp frame has the neighbours that {named} needs: {problems[max(problems)]}.\n"
            "Next: name a source of high-speed frames, or average fewer (`average.frames`)."
        )
    return plans


def ranked(settings: Settings, shard: str) -> list[str]:
    """The models in the order in which they may make a shard, by weighted rendezvous hashing of (seed, shard).

    The first is model m with probability share_m / sum of shares. Each model's score, -share / ln(u) with u a hash of
    (seed, shard, model), depends on no other model: where a share grows or a model is added, shards move to it alone,
    and no other shard changes.
    """

    def score(name: str) -> float:
        # 52 bits: the largest of these fractions is below 1 in float64.
        hashed = ((digest_seed(settings.seed, "model", shard, name) >> 12) + 0.5) / 2.0**52
        return -settings.models[name].share / math.log(hashed)

    return sorted(settings.models, key=lambda name: (-score(name), name))


def _by_sequence(rows: Sequence[SharpRow]) -> dict[str, dict[str, SharpRow]]:
    found = defaultdict[str, dict[str, SharpRow]](dict)
    for row in rows:
        found[row.sequence][row.frame] = row
    return found


def _windows(frames: Mapping[str, SharpRow], model: Model, problems: dict[int, str]) -> dict[str, tuple[SharpRow, ...]]:
    """Frame -> its window in order of time, for the frames of a sequence that get a pair from `model`."""
    if model.window == (0, 0):
        return {frame: (row,) for frame, row in frames.items()}
    try:
        named = windows(frames, *model.window, model.stride)
    except ValueError as error:
        problems[len(frames)] = str(error)
        return {}
    return {frame: tuple(frames[name] for name in names) for frame, names in named.items()}


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
    shard: str,
    sequence: str,
    source: SharpSource,
    rows: Sequence[tuple[SharpRow, tuple[SharpRow, ...]]],
    variant: int,
    model: str,
    settings: Settings,
) -> Plan:
    keyed = {variant_key(sequence, row.frame, variant): (row, window) for row, window in rows}
    if len(keyed) != len(rows):
        raise DbganError(f"shard {shard}: two frames get the same key.\nNext: rename one of them and ingest again.")
    made_by = settings.models[model]
    made_of = recipe(
        BUILDER,
        settings.revision,
        # The json member is an input as well: device and exposure of the sharp frame are copied from it.
        [
            [key, source.name, row.key, row.sharp_sha256, row.json_sha256, row.measures, *_others(row, window)]
            for key, (row, window) in sorted(keyed.items())
        ],
        {
            "seed": settings.seed,
            "variant": variant,
            "blur": dict(made_by.blur),
            "image": settings.ext,
            "source_image": source.ext,
            "quality": settings.measured,
        },
        made_by.computed,
    )
    # Sorted by the new key: `a-v0` comes after `a-b-v0`, though `a` comes before `a-b`.
    items = tuple(
        Item(key, source.name, row.key, variant, model, tuple(r.key for r in window) if len(window) > 1 else ())
        for key, (row, window) in sorted(keyed.items())
    )
    # All variants of these frames; the name of the first would do, were it not shifted by a model's stride.
    group = f"{sequence}-{shard.rpartition('-')[2]}"
    return Plan(shard, sequence, made_of, items, group)


def _others(row: SharpRow, window: Sequence[SharpRow]) -> list[list[str]]:
    """What a window adds to the recipe."""
    return [[other.key, other.sharp_sha256] for other in window] if len(window) > 1 else []


def pairs(plans: Sequence[Plan]) -> Iterator[Item]:
    """Every pair of the plans, in their order."""
    return (item for shard in plans for item in shard.items)
