"""A selection: which samples of a corpus to use, in which split, and why the others are not used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dbgan import files
from dbgan.corpus.tables import ROW_GROUP, read_parquet
from dbgan.errors import CorpusError

SPLITS = ("train", "val", "test")
SELECTION = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("keep", pa.bool_(), nullable=False),
        pa.field("rule", pa.string(), nullable=False),
        pa.field("measure", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("limit", pa.float64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
    ]
)
"""One row per sample. `rule` is empty for kept samples; `measure`, `value` and `limit` say what the rule saw (empty,
0.0 and 0.0 where a rule compares no number); `reason` is a sentence."""


def write_selection(path: Path, rows: Iterable[Mapping[str, Any]] | pd.DataFrame) -> None:
    """Write a selection sorted by key, atomically, unless the file already holds exactly it.

    Raises:
        ValueError: a row lacks a column or has another, a key comes twice, or a split is not train, val or test.
    """
    records = rows.to_dict("records") if isinstance(rows, pd.DataFrame) else rows
    table_rows = sorted((dict(row) for row in records), key=lambda row: str(row["key"]))
    seen = ""
    for row in table_rows:
        if set(row) != set(SELECTION.names):
            raise ValueError(f"selection row {row!r}: expected exactly the columns {SELECTION.names}")
        if row["split"] not in SPLITS:
            raise ValueError(f"selection row {row['key']}: split {row['split']!r} is not one of {', '.join(SPLITS)}")
        if row["key"] == seen:
            raise ValueError(f"selection: the key {seen} comes twice")
        seen = str(row["key"])
    sink = pa.BufferOutputStream()
    table = pa.Table.from_pylist(table_rows, schema=SELECTION)
    pq.write_table(table, sink, row_group_size=ROW_GROUP, compression="zstd")
    files.write_bytes(path, sink.getvalue().to_pybytes())


def kept_keys(path: Path, split: str | None = None) -> pa.ChunkedArray:
    """Keys that the selection keeps (None: in any split), sorted; only what decides it is read.

    Raises:
        CorpusError: as `read_selection`.
    """
    chosen = _read(path, ["key", "split", "keep"])
    keep = chosen.column("keep")
    if split is not None:
        keep = pc.and_(keep, pc.equal(chosen.column("split"), split))
    return chosen.column("key").filter(keep)


def read_selection(path: Path) -> pd.DataFrame:
    """The selection as a DataFrame with the columns of `SELECTION`, sorted by key.

    Raises:
        CorpusError: there is no such file, or it is no selection.
    """
    selection: pd.DataFrame = _read(path).to_pandas()
    return selection


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    if not path.is_file():
        raise CorpusError(
            f"{path}: no such selection.\nNext: make it with `dvc repro curate@{path.name.split('.')[0]}`."
        )
    table = read_parquet(path, columns)
    if table.schema.names != (columns or SELECTION.names):
        raise CorpusError(
            f"{path}: expected the columns {', '.join(SELECTION.names)}, found {', '.join(table.schema.names)}.\n"
            "Next: run the curate stage again."
        )
    return table
