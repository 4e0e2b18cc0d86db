"""A corpus behind an address, read through a local cache of limited size.

Tables are fetched when a corpus is opened and kept until they change there. Shards are fetched whole when first needed,
compared with the SHA-256 that shards.parquet names, and kept under that digest: a damaged or another shard is never
read, and corpora that share shards share them here. The least recently used go first when the cache is full.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from dbgan import files, locks
from dbgan.corpus.address import Address
from dbgan.corpus.tables import CORPUS, MANIFEST, SHARDS, read_parquet
from dbgan.errors import CorpusError

CACHE_BYTES = 20_000_000_000
TRIES = 5
"""How often a shard that another process removed before it could be opened is fetched again."""


class Remote:
    """The files of one corpus behind an address. May be pickled and used after a fork.

    Attributes:
        address: where it is.
        tables: local folder with the corpus's tables.
    """

    def __init__(self, url: str, cache_bytes: int = CACHE_BYTES) -> None:
        """Fetch the tables.

        Args:
            url: of the corpus's folder.
            cache_bytes: what the shards in `.dbgan/remote` may take; 0: none is kept, members are read by range.

        Raises:
            CorpusError: no corpus there, or it cannot be reached.
            DbganError: a protocol that is not read, or whose package is missing.
        """
        self.address, self._cache_bytes = Address(url), cache_bytes
        self._folder = files.state_dir().resolve() / "remote"
        self.tables = self._folder / "tables" / hashlib.sha256(self.address.url.encode()).hexdigest()[:16]
        for name in (CORPUS, MANIFEST, SHARDS):
            self._table(name)
        rows = read_parquet(self.tables / SHARDS, ["name", "bytes", "sha256"]).to_pylist()
        self._shards: dict[str, tuple[int, str]] = {row["name"]: (row["bytes"], row["sha256"]) for row in rows}

    def selection(self, url: str) -> Path:
        """The local copy of a selection behind an address."""
        folder, _, name = url.rpartition("/")
        Address(folder).fetch(name, self.tables / name)
        return self.tables / name

    def member(self, shard: str, offset: int, size: int) -> bytes:
        """Bytes of one member of a shard."""
        if not self._cache_bytes:
            return self.address.part(f"{shard}.tar", offset, size)
        for _ in range(TRIES):
            with contextlib.suppress(FileNotFoundError), self._shard(shard).open("rb") as handle:
                handle.seek(offset)  # the shard has its digest, so what the manifest names is there
                return handle.read(size)
        raise self._crowded()

    @contextlib.contextmanager
    def whole(self, shard: str) -> Iterator[Path]:
        """A shard as a local file while it is read; without a cache it is removed afterwards."""
        if self._cache_bytes:
            yield self._shard(shard)
            return
        passing = self._folder / "passing" / f"{os.getpid()}-{threading.get_ident()}.tar"
        try:
            self.address.fetch(f"{shard}.tar", passing, self._expected(shard))
            yield passing
        finally:
            passing.unlink(missing_ok=True)

    def _expected(self, shard: str) -> tuple[int, str]:
        if shard not in self._shards:
            raise CorpusError(f"{self.address.shown}: the manifest names the shard {shard!r}, {SHARDS} does not.")
        return self._shards[shard]

    def _shard(self, shard: str) -> Path:
        """The local copy of a shard, fetched if it is not there."""
        size, sha256 = self._expected(shard)
        path = self._folder / "shards" / f"{sha256}.tar"
        if not path.is_file():
            with self._locked(sha256):  # of several readers one fetches, the others wait and find it
                if not path.is_file():
                    self.address.fetch(f"{shard}.tar", path, (size, sha256))
                    self._make_room(path)
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)
        return path

    def _table(self, name: str) -> None:
        """Fetch a table unless the one kept is still that of the address."""
        stamp, local = self.tables / f"{name}.stamp", self.tables / name
        told = self.address.identity(name)
        # A size alone is no proof: without an ETag or a time the table is fetched each time.
        if len(told) > 1 and local.is_file() and stamp.is_file() and json.loads(stamp.read_bytes()) == told:
            return
        self.address.fetch(name, local)
        files.write_json(stamp, told)

    def _make_room(self, keep: Path) -> None:
        """Remove the least recently used shards until all fit into the cache; never the one just fetched."""
        with self._locked("room"):
            total, oldest = 0, []
            for path in keep.parent.glob("*.tar"):
                with contextlib.suppress(FileNotFoundError):
                    stat = path.stat()
                    total += stat.st_size
                    oldest.append((stat.st_mtime_ns, stat.st_size, path))
            for _, size, path in sorted(oldest):
                if total <= self._cache_bytes:
                    break
                if path != keep:
                    path.unlink(missing_ok=True)
                    total -= size

    @contextlib.contextmanager
    def _locked(self, what: str) -> Iterator[None]:
        with locks.exclusive(self._folder / "locks" / f"{what[:16]}.lock"):
            yield

    def _crowded(self) -> CorpusError:
        return CorpusError(
            f"{self._folder}: shards are removed faster than they can be read: {self._cache_bytes} bytes are too few "
            "for the readers that share this cache.\nNext: a larger cache_bytes."
        )
