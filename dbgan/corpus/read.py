"""Read a corpus: by index (exact shuffle, exact resume) and as a webdataset stream."""

from __future__ import annotations

import collections
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dbgan.corpus.address import is_address
from dbgan.corpus.header import Header
from dbgan.corpus.index import Index
from dbgan.corpus.layout import Kind, Sample
from dbgan.corpus.motion import Motion
from dbgan.corpus.motion import decode as decode_motion
from dbgan.corpus.remote import CACHE_BYTES, Remote
from dbgan.corpus.tables import CORPUS, MANIFEST, read_parquet, read_schema
from dbgan.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

    from dbgan.corpus.verify import Problem

OPEN_SHARDS = 64
"""Shards that one process keeps open at a time."""


class Corpus:
    """A corpus on disk or behind an address, or the part of it that a selection keeps, in the order of keys.

    `len(corpus)`, `corpus[i]`, `corpus[key]` and iteration give `Sample`s, so it is a map-style torch dataset. It may
    be pickled and used after a fork or spawn: files are opened by the process that reads.

    Attributes:
        path: folder of the corpus; of one behind an address, the local folder of its tables.
        header: what corpus.json says of the whole.
        remote: where it is read from, None for a folder.
    """

    def __init__(
        self,
        path: Path,
        header: Header,
        index: Index,
        rows: NDArray[np.int64] | None = None,
        remote: Remote | None = None,
    ) -> None:
        self.path, self.header, self.remote = path, header, remote
        # Without a selection there are no row numbers: 5 million of them would be 40 MB that say nothing.
        self._index, self._rows = index, rows
        self._handles = _Handles()

    @classmethod
    def open(
        cls,
        path: Path | str,
        selection: Path | str | None = None,
        split: str | None = None,
        *,
        cache_bytes: int = CACHE_BYTES,
    ) -> Corpus:
        """Open the corpus in folder `path`, or behind an address (`s3://bucket/corpora/NAME`, gs, http, https).

        Args:
            path: folder of the corpus, or its address.
            selection: a selection.parquet or the address of one; only the samples it keeps are seen.
            split: with a selection, only the kept samples of this split.
            cache_bytes: of an address, what the local copies of its shards may take; 0: none is kept, and single
                samples are read by range.

        Raises:
            CorpusError: there is no finished corpus of this format, or the selection is of another corpus.
        """
        remote = Remote(str(path), cache_bytes) if is_address(path) else None
        path = remote.tables if remote else Path(path)
        if remote and is_address(selection):
            selection = remote.selection(str(selection))
        if split is not None and selection is None:
            raise ValueError(f"split={split!r} needs a selection: which sample is in which split is written there")
        header = read_header(path)
        index = Index(path / MANIFEST, tuple(header.suffixes))
        rows = None if selection is None else _selected(index, Path(selection), split, path)
        return cls(path, header, index, rows, remote)

    @property
    def name(self) -> str:
        """Name of the source or synthetic corpus."""
        return self.header.name

    @property
    def kind(self) -> Kind:
        """`paired`, `blurry` or `sharp`."""
        return self.header.kind

    @property
    def fields(self) -> tuple[str, ...]:
        """Image fields of every sample."""
        return self.header.fields

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the manifest's columns."""
        return tuple(read_schema(self.path / MANIFEST).names)

    @property
    def keys(self) -> list[str]:
        """All keys, sorted."""
        return list(self._kept(self._index.keys).to_pylist())

    def __len__(self) -> int:
        return len(self._index) if self._rows is None else len(self._rows)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._row_of(key) is not None

    def __getitem__(self, which: int | str) -> Sample:
        """The sample at a position or of a key: images decoded to HWC uint8 RGB, `meta` the parsed json member.

        Raises:
            CorpusError: a shard cannot be read, or a member is not what it should be.
        """
        from dbgan.image.codec import decode

        row = self._row(which)
        key = self._index.key(row)
        limit = self.header.max_pixels
        images = {field: decode(self._member(row, field), max_pixels=limit) for field in self.fields}
        return Sample(key, images, self._json(row), self._motion(row) if "motion" in self.header.arrays else None)

    def encoded(self, which: int | str, field: str) -> bytes:
        """The stored bytes of one member: an image field, `json`, or `motion` where the corpus has it."""
        if field not in self.header.suffixes:
            raise KeyError(f"{self.path} has the fields {', '.join(self.header.suffixes)}, not {field!r}")
        return self._member(self._row(which), field)

    def table(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Manifest rows of the samples, in order; only `columns` are read from disk (None: all)."""
        manifest = self._kept(read_parquet(self.path / MANIFEST, columns))
        # Columns are given away one by one while they are converted, so that no two copies of all exist.
        table: pd.DataFrame = manifest.to_pandas(split_blocks=True, self_destruct=True)
        return table

    def stream(self, *, shuffle: int = 0, seed: int = 0, decode: bool = True, split: bool = True) -> Any:
        """A webdataset pipeline over the shards; see `dbgan.corpus.stream`."""
        from dbgan.corpus.stream import pipeline

        return pipeline(self, shuffle=shuffle, seed=seed, decode=decode, split=split)

    def verify(self, quick: bool = False) -> list[Problem]:
        """Everything that is wrong with the whole corpus, whatever the selection; empty when it is sound.

        Raises:
            CorpusError: it is behind an address: verifying reads all of it, which a copy serves better.
        """
        from dbgan.corpus.verify import verify

        if self.remote:
            raise CorpusError(
                f"{self.remote.address.shown}: only a local corpus is verified.\n"
                "Next: copy it (`dvc get`, `dvc pull`), then `dbgan corpus verify`. Reading checks each shard it takes."
            )
        return verify(self.path, quick=quick)

    def shard_keys(self) -> dict[str, list[str]]:
        """Keys by shard, in the order in which they stand there."""
        shards: dict[str, list[str]] = collections.defaultdict(list)
        names: list[str] = self._kept(self._index.shards).to_pylist()
        for shard, key in zip(names, self.keys, strict=True):
            shards[shard].append(key)
        return {shard: shards[shard] for shard in sorted(shards)}

    def _kept(self, rows: Any) -> Any:
        """Those rows of a table or column of the whole manifest that the selection keeps."""
        return rows if self._rows is None else rows.take(pa.array(self._rows))

    def _row_of(self, key: str) -> int | None:
        """The manifest's row of `key`, None where this corpus has no such sample."""
        row = self._index.find(key)
        if row is None or self._rows is None:
            return row
        position = int(np.searchsorted(self._rows, row))
        return row if position < len(self._rows) and self._rows[position] == row else None

    def _row(self, which: int | str) -> int:
        if isinstance(which, str):
            found = self._row_of(which)
            if found is None:
                raise KeyError(f"{self.path} has no sample {which!r} among its {len(self)}")
            return found
        position = range(len(self))[which]  # counts negative positions from the end, raises IndexError
        return position if self._rows is None else int(self._rows[position])

    def _json(self, row: int) -> dict[str, Any]:
        try:
            values = json.loads(self._member(row, "json"))
            if isinstance(values, dict):
                return values
            what = f"found {type(values).__name__}"
        except (ValueError, RecursionError) as error:
            what = str(error)
        raise CorpusError(
            f"{self.path}: the json member of {self._index.key(row)} is no JSON object ({what}).\n"
            "Next: `dbgan corpus verify`, then `dvc pull` or build the corpus again."
        )

    def _motion(self, row: int) -> Motion:
        try:
            return decode_motion(self._member(row, "motion"))
        except ValueError as error:
            raise CorpusError(
                f"{self.path}: the motion of {self._index.key(row)} {error}.\n"
                "Next: `dbgan corpus verify`, then `dvc pull` or build the corpus again."
            ) from None

    def _member(self, row: int, field: str) -> bytes:
        shard, offset, size = self._index.place(row, field)
        if self.remote:
            return self.remote.member(shard, offset, size)
        return self._handles.read(self.path / f"{shard}.tar", offset, size)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_handles": _Handles()}

    def __repr__(self) -> str:
        where = self.remote.address.shown if self.remote else self.path
        return f"<Corpus {self.name}: {len(self)} {self.kind} samples in {where}>"


class _Handle:
    """One open file; closed when nobody uses it any more."""

    def __init__(self, path: Path) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if hasattr(self, "descriptor"):
            close(self.descriptor)


class _Handles:
    """The most recently used shards, opened on first use. `pread` shares no position between threads or forks."""

    def __init__(self) -> None:
        self._open: collections.OrderedDict[Path, _Handle] = collections.OrderedDict()
        self._lock = threading.Lock()

    def read(self, path: Path, offset: int, size: int) -> bytes:
        with self._lock:
            handle = self._open.get(path)
            if handle is None:
                try:
                    handle = _Handle(path)
                except OSError as error:
                    raise CorpusError(
                        f"{path}: the manifest names this shard, but it cannot be opened ({error.strerror}).\n"
                        "Next: `dvc pull` or `dvc repro`, then `dbgan corpus verify`."
                    ) from None
                self._open[path] = handle
                if len(self._open) > OPEN_SHARDS:
                    self._open.popitem(last=False)
            self._open.move_to_end(path)
        data = os.pread(handle.descriptor, size, offset)
        if len(data) != size:
            raise CorpusError(
                f"{path}: expected {size} bytes at {offset}, found {len(data)}: the shard is truncated.\n"
                "Next: `dbgan corpus verify --repair`, then `dvc pull` or build the corpus again."
            )
        return data

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__()  # type: ignore[misc]


def read_header(path: Path) -> Header:
    """The header of the corpus in folder `path`. Raises `CorpusError`."""
    where = path / CORPUS
    if not where.is_file():
        building = " It is half built: `.receipts` is there." if (path / ".receipts").is_dir() else ""
        raise CorpusError(
            f"{path}: expected a corpus, found no {CORPUS}.{building}\n"
            "Next: build it (`dvc repro`) or pull it (`dvc pull`)."
        )
    try:
        values = json.loads(where.read_bytes())
    except ValueError as error:
        raise CorpusError(f"{where}: not JSON ({error}).\nNext: build the corpus again (`dvc repro`).") from None
    if not isinstance(values, dict):
        raise CorpusError(f"{where}: expected a JSON object, found {type(values).__name__}.")
    return Header.from_json(values, where)


def _selected(index: Index, selection: Path, split: str | None, path: Path) -> NDArray[np.int64]:
    """Rows of the index that the selection keeps, in `split`."""
    from dbgan.corpus.selection import kept_keys

    wanted = kept_keys(selection, split)
    rows = np.flatnonzero(pc.is_in(index.keys, value_set=wanted).to_numpy()).astype(np.int64)
    if len(rows) != len(wanted):
        absent = wanted.filter(pc.invert(pc.is_in(wanted, value_set=index.keys.take(pa.array(rows)))))
        raise CorpusError(
            f"{selection}: names {len(absent)} samples that {path} does not have, such as {absent[0]}.\n"
            "Next: run the curate stage again: the corpus changed after the selection was made."
        )
    return rows
