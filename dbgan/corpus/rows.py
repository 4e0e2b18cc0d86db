"""Manifest rows in the order of keys, a batch at a time: what a verb over a whole corpus reads them by."""

from __future__ import annotations

import bisect
import collections
import contextlib
import threading
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
    with _opened(corpus, mapped=True) as file:
        yield from file.iter_batches(batch_size=BATCH, columns=list(columns))


def groups(corpus: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """Row groups of the manifest, their contents validated (damage that decodes: text that is no UTF-8, lists that
    overlap); memory holds one.

    Raises:
        CorpusError: the manifest is missing or damaged.
    """
    with _opened(corpus) as file:
        for number in range(file.num_row_groups):
            table = file.read_row_group(number, columns=None if columns is None else list(columns))
            table.validate(full=True)
            yield table


class RowsByKey:
    """Manifest values of single samples, read by row group when asked for. Safe between threads.

    Only the groups asked for last are kept: who goes through a corpus in the order of its keys reads each once.
    """

    def __init__(self, corpus: Path, columns: Sequence[str], kept: int = 2) -> None:
        self._corpus, self._columns = corpus, list(columns)
        self._kept, self._limit = collections.OrderedDict[int, dict[str, Any]](), kept
        self._last: list[str] | None = None
        self._lock = threading.Lock()

    def __getitem__(self, key: str) -> dict[str, Any]:
        """The columns of `key`.

        Raises:
            KeyError: no such sample. CorpusError: the manifest is missing or damaged.
        """
        with self._lock:
            if self._last is None:
                self._last = _last_keys(self._corpus)
            number = bisect.bisect_left(self._last, key)
            if number == len(self._last):
                raise KeyError(key)
            if number not in self._kept:
                with _opened(self._corpus) as file:
                    # Without threads: those of pyarrow do not survive a fork.
                    table = file.read_row_group(number, columns=["key", *self._columns], use_threads=False)
                places = {found: place for place, found in enumerate(table.column("key").to_pylist())}
                self._kept[number] = {"places": places, "table": table}
                if len(self._kept) > self._limit:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(number)
            group = self._kept[number]
            place = group["places"][key]
            return {name: group["table"].column(name)[place].as_py() for name in self._columns}


def _last_keys(corpus: Path) -> list[str]:
    """The highest key of each row group, by its statistics or, where a writer left none, by its rows."""
    found = []
    with _opened(corpus) as file:
        for number in range(file.num_row_groups):
            told = file.metadata.row_group(number).column(file.schema_arrow.get_field_index("key")).statistics
            if told is not None and told.has_min_max:
                found.append(str(told.max))
            else:
                keys = file.read_row_group(number, columns=["key"], use_threads=False).column("key")
                found.append(str(keys[-1].as_py()))
    return found


@contextlib.contextmanager
def _opened(corpus: Path, *, mapped: bool = False) -> Iterator[pq.ParquetFile]:
    """The manifest; damage becomes a `CorpusError`. Mapped pages that were read count as ours."""
    where = corpus / MANIFEST
    # Opened here and not by name: pyarrow would take a folder called `pipe:x` for a URI.
    opening = pa.memory_map if mapped else pa.OSFile
    try:
        with opening(str(where)) as source, pq.ParquetFile(source) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        what = " ".join(str(error).split())
        raise CorpusError(f"{where}: cannot be read ({what}).\nNext: build it again (`dvc repro`).") from None


def rows(corpus: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Manifest rows as dictionaries of `columns`, sorted by key; memory holds one batch."""
    return (row for batch in batches(corpus, columns) for row in batch.to_pylist())


def between(corpus: Path, first: str, last: str) -> Iterator[dict[str, Any]]:
    """Whole manifest rows whose key is from `first` to `last`; only row groups that may hold some are read."""
    with _opened(corpus, mapped=True) as file:
        for group in range(file.num_row_groups):
            keys = file.metadata.row_group(group).column(file.schema_arrow.get_field_index("key")).statistics
            if keys is not None and keys.has_min_max and (keys.max < first or keys.min > last):
                continue
            table = file.read_row_group(group)
            key = table.column("key")
            yield from table.filter(pc.and_(pc.greater_equal(key, first), pc.less_equal(key, last))).to_pylist()
