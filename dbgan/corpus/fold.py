"""Merge the rows of many shards into one table sorted by key, in memory that does not grow with the corpus.

A corpus of 5 million rows is 3 GB as a table and 30 GB as Python dictionaries. Here rows are in memory only between the
first key of their shard and the first key of the next: one row group and the shards that overlap it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dbgan import files
from dbgan.errors import CorpusError


@dataclass(frozen=True, slots=True)
class Run:
    """Rows of one origin, a shard or an older table's row group: the lowest key, and how to read them, sorted."""

    first: str
    load: Callable[[], pa.Table]


def old_runs(manifest: Path, kept: set[str], columns: Sequence[str] | None = None) -> Iterator[Run]:
    """The row groups of an older manifest without the shards that are not in `kept`; they never become Python rows."""
    names = pa.array(sorted(kept), pa.string())

    def load(number: int) -> pa.Table:
        read = list(dict.fromkeys(["key", "shard", *columns])) if columns is not None else None
        table = file.read_row_group(number, columns=read)
        return table.filter(pc.is_in(table.column("shard"), value_set=names))

    file = pq.ParquetFile(pa.OSFile(str(manifest)))  # not mapped: each page that was read would count as ours
    for number in range(file.num_row_groups):
        first = pc.min(file.read_row_group(number, columns=["key"]).column("key")).as_py()
        yield Run(first, partial(load, number))


def merged(runs: Iterable[Run], at_least: int, where: Path) -> Iterator[pa.Table]:
    """Tables that follow each other in the order of keys; each step waits for `at_least` rows, for fewer sorts.

    Raises:
        CorpusError: two rows have the same key.
    """
    pending: list[pa.Table] = []
    for run in sorted(runs, key=lambda run: run.first):
        if sum(table.num_rows for table in pending) >= at_least:
            # Nothing that is still to come lies before this run's first key.
            ready = _sorted(pending, where)
            count = _below(ready.column("key"), run.first)
            if count:
                yield ready.slice(0, count)
            pending = [ready.slice(count)]
        pending.append(run.load())
    if pending:
        yield _sorted(pending, where)


def write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table], row_group: int) -> None:
    """Parquet in row groups of exactly `row_group` rows, whose bytes depend on the rows and on pyarrow's version alone.

    Written beside `path` and renamed onto it, unless the file already holds the same bytes.
    """
    with (
        files.atomic_writer(path, unless_equal=True) as handle,
        pq.ParquetWriter(handle, schema, compression="zstd") as writer,
    ):
        for group in _groups(tables, schema, row_group):
            writer.write_table(group, row_group_size=row_group)


def _sorted(tables: Sequence[pa.Table], where: Path) -> pa.Table:
    table = pa.concat_tables(tables).combine_chunks()
    keys = table.column("key")
    if len(keys) > 1 and not pc.all(pc.less(keys.slice(0, len(keys) - 1), keys.slice(1))).as_py():
        table = table.take(pc.sort_indices(table, sort_keys=[("key", "ascending"), ("shard", "ascending")]))
        keys = table.column("key")
        twice = pc.equal(keys.slice(0, len(keys) - 1), keys.slice(1))
        if pc.any(twice).as_py():
            at = pc.index(twice, True).as_py()
            shards = [table.column("shard")[row].as_py() for row in (at, at + 1)]
            raise CorpusError(
                f"{where}: the key {keys[at].as_py()} is in shard {shards[0]} and in shard {shards[1]}; "
                "every key must be unique.\nNext: this is a fault of the plan that named both; report it."
            )
    return table


def _below(keys: pa.ChunkedArray, limit: str) -> int:
    """How many of the sorted keys come before `limit`."""
    low, high = 0, len(keys)
    while low < high:
        middle = (low + high) // 2
        if keys[middle].as_py() < limit:
            low = middle + 1
        else:
            high = middle
    return low


def _groups(tables: Iterable[pa.Table], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """The same rows in tables of `size`, the last one shorter; chunks are joined, since pages follow them."""
    held = schema.empty_table()
    for table in tables:
        held = pa.concat_tables([held, _with_all(table, schema)])
        while held.num_rows >= size:
            yield held.slice(0, size).combine_chunks()
            held = held.slice(size)
    if held.num_rows:
        yield held.combine_chunks()


def _with_all(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """`table` with exactly the schema's columns; measures that an older version did not take are null."""
    for column in schema:
        if column.nullable and column.name not in table.column_names:
            table = table.append_column(column, pa.nulls(table.num_rows, column.type))
    return table.select(schema.names).cast(schema)


@dataclass(slots=True)
class Tally:
    """Counts over the rows that pass through: what corpus.json says of the samples."""

    flags: tuple[str, ...]
    samples: int = 0
    sequences: set[str] = field(default_factory=set)
    devices: Counter[str] = field(default_factory=Counter)
    sizes: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)

    @property
    def columns(self) -> list[str]:
        """What of a row is counted."""
        return ["sequence", "device", "width", "height", "warnings", *self.flags]

    def passing(self, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The tables, counted."""
        for table in tables:
            self.samples += table.num_rows
            self.sequences.update(pc.unique(table.column("sequence")).to_pylist())
            self.devices.update(dict(_values(table.column("device"))))
            sizes = table.group_by(["width", "height"]).aggregate([([], "count_all")]).to_pylist()
            self.sizes.update({f"{row['width']}x{row['height']}": row["count_all"] for row in sizes})
            for text, count in _values(table.column("warnings")):
                for warning in text.split():
                    self.warnings[warning.partition(":")[2]] += count
            for flag in self.flags:
                self.kept[flag] += pc.sum(table.column(flag)).as_py() or 0
            yield table


def _values(column: pa.ChunkedArray) -> Iterator[tuple[str, int]]:
    for value in pc.value_counts(column).to_pylist():
        yield value["values"], value["counts"]
