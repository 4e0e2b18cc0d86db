"""Where the samples of a corpus lie: keys and shards in memory, offsets and sizes read by row group when asked for.

Of 5 million pairs this holds a few hundred megabytes, and finding a key reads one row group of the manifest.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dbgan.corpus.layout import KEY_PART
from dbgan.corpus.tables import read_parquet
from dbgan.errors import CorpusError

Group = dict[str, NDArray[np.int64]]
Reopen = Callable[[], tuple[pq.ParquetFile, list[str]]]


class Index:
    """The rows of a manifest, sorted by key. May be pickled, and used after a fork, as a `Corpus` may.

    Attributes:
        keys: sorted keys, a pyarrow string column. shards: the shard of each row, a dictionary column.
    """

    def __init__(self, manifest: Path, members: Sequence[str]) -> None:
        """Read keys and shards of `manifest`; `members` are the fields that have an offset and a size.

        Raises:
            CorpusError: the manifest is missing, damaged, or names a shard that is no name.
        """
        self._path = manifest
        self._columns = [f"{member}_{what}" for member in members for what in ("offset", "size")]
        table = read_parquet(manifest, ["key", "shard"], categories=["shard"])
        self.keys, self.shards = table.column("key"), table.column("shard")
        if self.keys.type != pa.string() or self.keys.null_count or self.shards.null_count:
            raise CorpusError(f"{manifest}: its keys are not all text.\nNext: build the corpus again (`dvc repro`).")
        for shard in pc.unique(self.shards).to_pylist():
            if not isinstance(shard, str) or not KEY_PART.fullmatch(shard):
                raise CorpusError(f"{manifest}: {shard!r} is no name of a shard (a path, pipe or URL is never opened).")
        self._footer = _footer(manifest)
        self._places = _Places()
        self._places.open(self._open)  # now, so that the first look-up does not wait for it

    def __len__(self) -> int:
        return len(self.keys)

    def key(self, row: int) -> str:
        """The key of a row."""
        return str(self.keys[row].as_py())

    def find(self, key: str) -> int | None:
        """The row of `key`, by bisection: no dictionary of millions of keys."""
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.keys[middle].as_py() < key:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self) and self.keys[low].as_py() == key else None

    def place(self, row: int, member: str) -> tuple[str, int, int]:
        """Shard, offset and size of a member (an image field, or `json`), bytes."""
        try:
            group, within = self._places.locate(row, self._open)
        except (pa.ArrowException, OSError, ValueError, IndexError) as error:
            raise _damaged(self._path, error) from None
        if min(group[f"{member}_offset"][within], group[f"{member}_size"][within]) < 0:
            raise CorpusError(f"{self._path}: row {row} has a negative place.\nNext: `dbgan corpus verify`.")
        offset, size = group[f"{member}_offset"][within], group[f"{member}_size"][within]
        return str(self.shards[row].as_py()), int(offset), int(size)

    def _open(self) -> tuple[pq.ParquetFile, list[str]]:
        """The manifest again; an error where it is no longer the one whose keys are in memory."""
        if _footer(self._path) != self._footer:
            raise CorpusError(
                f"{self._path}: is not the file that was there when this corpus was opened: it was built again.\n"
                "Next: open the corpus again."
            )
        try:
            file = pq.ParquetFile(pa.memory_map(str(self._path)))
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise _damaged(self._path, error) from None
        absent = [name for name in self._columns if name not in file.schema_arrow.names]
        if absent:
            raise CorpusError(
                f"{self._path}: no column {', '.join(absent)}.\nNext: build the corpus again (`dvc repro`)."
            )
        return file, self._columns

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_places": _Places()}


class _Places:
    """Row groups of offsets and sizes, kept once read: of 5 million pairs 240 MB when all of them were asked for."""

    def __init__(self) -> None:
        self._file: pq.ParquetFile | None = None
        self._names: list[str] = []
        self._starts: NDArray[np.int64] = np.zeros(1, np.int64)
        self._groups: dict[int, Group] = {}
        self._lock = threading.Lock()

    def open(self, reopen: Reopen) -> None:
        """Read where the row groups begin."""
        with self._lock:
            self._load(reopen)

    def _load(self, reopen: Reopen) -> pq.ParquetFile:
        self._file, self._names = file, _ = reopen()
        metadata = file.metadata
        counts = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return file

    def locate(self, row: int, reopen: Reopen) -> tuple[Group, int]:
        """The row group that holds `row`, and its position there."""
        with self._lock:
            file = self._file or self._load(reopen)
            number = int(np.searchsorted(self._starts, row, side="right")) - 1
            if number not in self._groups:
                # Without threads: those of pyarrow do not survive a fork.
                table = file.read_row_group(number, columns=self._names, use_threads=False)
                self._groups[number] = {name: _numbers(table.column(name)) for name in self._names}
            return self._groups[number], row - int(self._starts[number])

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]


def _damaged(path: Path, error: Exception) -> CorpusError:
    what = " ".join(str(error).split())
    return CorpusError(f"{path}: cannot be read ({what}).\nNext: `dvc pull`, or build it again (`dvc repro`).")


def _numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """An int64 column without nulls as numpy; `to_numpy` would import pandas first, a fifth of a second.

    Raises:
        ValueError: it is none.
    """
    if column.type != pa.int64() or column.null_count:
        raise ValueError(f"expected whole numbers, found {column.type} with {column.null_count} nulls")
    column = pa.concat_arrays(column.chunks)
    return np.frombuffer(column.buffers()[1], np.int64, len(column), 8 * column.offset)


def _footer(path: Path) -> str:
    """Digest of a parquet file's footer, which differs whenever the rows do: it says where every column lies."""
    try:
        with path.open("rb") as handle:
            handle.seek(-8, os.SEEK_END)
            length = int.from_bytes(handle.read(4), "little")
            handle.seek(-8 - length, os.SEEK_END)
            return hashlib.sha256(handle.read()).hexdigest()
    except OSError as error:
        raise CorpusError(
            f"{path}: cannot be read ({error.strerror}).\nNext: `dvc pull`, or build it again (`dvc repro`)."
        ) from None
