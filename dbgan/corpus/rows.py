"""Manifest rows in the order of keys, a batch at a time: what a verb over a whole corpus reads them by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dbgan.corpus.tables import MANIFEST
from dbgan.errors import CorpusError

BATCH = 4096


def batches(corpus: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Batches of at most `BATCH` manifest rows with `columns`. Raises `CorpusError` for a damaged manifest."""
    where = corpus / MANIFEST
    try:
        # Opened here and not by name: pyarrow would take a folder called `pipe:x` for a URI.
        with pa.memory_map(str(where)) as source, pq.ParquetFile(source) as file:
            yield from file.iter_batches(batch_size=BATCH, columns=list(columns))
    except (pa.ArrowException, OSError) as error:
        what = " ".join(str(error).split())
        raise CorpusError(f"{where}: cannot be read ({what}).\nNext: build it again (`dvc repro`).") from None


def groups(corpus: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Row groups of the manifest, their contents validated (damage that decodes: text that is no UTF-8, lists that
    overlap); memory holds one.

    Raises:
        CorpusError: the manifest is missing or damaged.
    """
    where = corpus / MANIFEST
    try:
        # Not mapped: each page that was read would count as ours.
        with pa.OSFile(str(where)) as source, pq.ParquetFile(source) as file:
            for number in range(file.num_row_groups):
                table = file.read_row_group(number, columns=None if columns is None else list(columns))
                table.validate(full=True)
                yield table
    except (pa.ArrowException, OSError) as error:
        what = " ".join(str(error).split())
        raise CorpusError(f"{where}: cannot be read ({what}).\nNext: build it again (`dvc repro`).") from None


def rows(corpus: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Manifest rows as dictionaries of `columns`, sorted by key; memory holds one batch."""
    return (row for batch in batches(corpus, columns) for row in batch.to_pylist())


def between(corpus: Path, first: str, last: str) -> Iterator[dict[str, Any]]:
    """Whole manifest rows whose key is from `first` to `last`; only row groups that may hold some are read."""
    where = corpus / MANIFEST
    try:
        with pa.memory_map(str(where)) as source, pq.ParquetFile(source) as file:
            for group in range(file.num_row_groups):
                keys = file.metadata.row_group(group).column(file.schema_arrow.get_field_index("key")).statistics
                if keys is not None and keys.has_min_max and (keys.max < first or keys.min > last):
                    continue
                table = file.read_row_group(group)
                key = table.column("key")
                yield from table.filter(pc.and_(pc.greater_equal(key, first), pc.less_equal(key, last))).to_pylist()
    except (pa.ArrowException, OSError) as error:
        what = " ".join(str(error).split())
        raise CorpusError(f"{where}: cannot be read ({what}).\nNext: build it again (`dvc repro`).") from None
