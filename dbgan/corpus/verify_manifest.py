"""The manifest in the order of its rows, a row group at a time: what is wrong with it, and its rows shard by shard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from dbgan.corpus import rows, tables
from dbgan.corpus.layout import make_key
from dbgan.corpus.verify_shard import Problem


@dataclass(slots=True)
class Outline:
    """What one pass over keys and shards tells. `samples` is the number of rows by shard."""

    samples: Counter[str] = field(default_factory=Counter)
    sequences: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def outline(corpus: Path) -> Outline:
    """Count rows, and check that keys are sorted, unique and made of their sequence and frame.

    Raises:
        CorpusError: the manifest cannot be read.
    """
    found, last = Outline(), ""
    for table in rows.groups(corpus, ["key", "sequence", "frame", "shard"]):
        keys, sequences, frames, shards = (column.to_pylist() for column in table.columns)
        found.samples.update(shards)
        found.sequences.update(sequences)
        for key, sequence, frame in zip(keys, sequences, frames, strict=True):
            found.problems += [Problem(tables.MANIFEST, what) for what in _key(key, sequence, frame, last)]
            last = key
    return found


def _key(key: str, sequence: str, frame: str, last: str) -> Iterator[str]:
    if key == last:
        yield f"the key {key} comes twice"
    elif key < last:
        yield f"the key {key} comes after {last}: rows must be sorted"
    try:
        if make_key(sequence, frame) != key:
            yield f"the key {key} is not its sequence {sequence} and frame {frame}"
    except ValueError as error:
        yield str(error)


def by_shard(corpus: Path, samples: Counter[str]) -> Iterator[tuple[str, pa.Table]]:
    """(shard, its rows sorted by key), each as soon as its last row is read. In memory are a row group and the rows
    of shards that reach into the next one.

    Args:
        samples: rows by shard, as `outline` counted them.

    Raises:
        CorpusError: the manifest cannot be read.
    """
    left = Counter(samples)
    begun: dict[str, list[pa.Table]] = {}
    for group in rows.groups(corpus):
        table = group.take(pc.sort_indices(group, sort_keys=[("shard", "ascending"), ("key", "ascending")]))
        start = 0
        for shard, count in sorted(Counter(table.column("shard").to_pylist()).items()):
            begun.setdefault(shard, []).append(table.slice(start, count))
            start += count
            left[shard] -= count
            if left[shard] <= 0:
                yield shard, pa.concat_tables(begun.pop(shard))
