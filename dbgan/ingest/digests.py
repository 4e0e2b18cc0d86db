"""The input-digest cache: sha256 of files by path, size and times of change, in `.dbgan/digests.sqlite`.

Planning a million known files must not read them again. The cache may be deleted at any time.

Both times count: that of the content (mtime), which programs set as they like, and that of the inode (ctime), which the
kernel sets at every write, rename, link and change of permissions. So a file put in another's place is seen even where
its size and mtime were made equal; a copy, a move or a `chmod` costs reading the file once more.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from dbgan import files
from dbgan.errors import DbganError, StorageError
from dbgan.progress import progress

RACY_NS = 2_000_000_000
"""A file changed less than 2 s ago may change again within its clock's tick: its digest is not remembered."""

AGAIN = "Next: run the same command again; it plans anew and builds what changed."

_BATCH = 1_000

_Row = tuple[bytes, int, int, str, int]


@dataclass(frozen=True, slots=True)
class FileState:
    """A file as planned: size in bytes, time of change in ns, hex sha256 (empty where it was too large to be read).

    `ctime_ns`: when the inode changed; equal contents may have any. `fresh`: the digest was made in this run and not
    remembered from an earlier one.
    """

    size: int
    mtime_ns: int
    sha256: str
    ctime_ns: int = field(default=0, compare=False)
    fresh: bool = field(default=False, compare=False)


class DigestCache:
    """Use as a context manager; what was hashed is kept even when the process is killed in between."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or files.state_dir() / "digests.sqlite"

    def __enter__(self) -> DigestCache:
        with files.writing(self._path.parent):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open()
        except sqlite3.OperationalError as error:
            raise self._refused(error) from None
        except sqlite3.DatabaseError:
            # A damaged cache proves nothing and costs only time: start over.
            self._path.unlink(missing_ok=True)
            self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()  # what was hashed is committed by `_remember`

    def states(
        self, root: Path, relative: Iterable[str], label: str, *, max_bytes: int | None = None
    ) -> dict[str, FileState | OSError]:
        """State of every file `root / path`; an `OSError` for those that cannot be read.

        Args:
            root: absolute folder. relative: paths below it. label: what the progress line says.
            max_bytes: larger files are not read: their digest is empty.
        """
        known = self._known(root)
        found: dict[str, FileState | OSError] = {}
        missing: list[str] = []
        below = os.path.join(root, "")
        for path in relative:
            full = below + path  # text, not Path: of a million files it is a third of the time
            try:
                status = os.stat(full)
            except OSError as error:
                found[path] = error
                continue
            if max_bytes is not None and status.st_size > max_bytes:
                found[path] = FileState(status.st_size, status.st_mtime_ns, "", status.st_ctime_ns)
                continue
            state = known.get(os.fsencode(full))
            readable = os.access(full, os.R_OK)
            if (  # written out: of a million files a call is half a second
                state
                and readable
                and state.mtime_ns == status.st_mtime_ns
                and state.ctime_ns == status.st_ctime_ns
                and state.size == status.st_size
            ):
                found[path] = state
            else:
                missing.append(path)
        return found | self._hash(root, missing, label)

    def contents(
        self,
        root: Path,
        states: Mapping[str, FileState],
        reader: str,
        read: Callable[[Path], Any],
        label: str,
    ) -> dict[str, Any]:
        """What `read` finds in each file, remembered by the file's digest: a known content is not read again.

        Args:
            root: absolute folder. states: of the files below it, by path.
            reader: names `read` and everything that its answer depends on beside the content.
            read: gives JSON-able values; runs in several threads.
            label: what the progress line says.
        """
        found: dict[str, Any] = {}
        missing: list[str] = []
        for path, state in states.items():
            query = "SELECT json FROM contents WHERE sha256 = ? AND reader = ?"
            row = self._database.execute(query, (state.sha256, reader)).fetchone()
            if row:
                found[path] = json.loads(row[0])
            else:
                missing.append(path)
        if not missing:
            return found
        rows: list[tuple[str, str, str]] = []
        with progress(label, len(missing)) as bar, ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for path, value in zip(missing, pool.map(lambda p: read(root / p), missing), strict=True):
                found[path] = value
                rows.append((states[path].sha256, reader, json.dumps(value)))
                bar.advance()
                if len(rows) >= _BATCH:
                    self._keep_contents(rows)
                    rows = []
        self._keep_contents(rows)
        return found

    def _keep_contents(self, rows: list[tuple[str, str, str]]) -> None:
        try:
            self._database.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?, ?)", rows)
            self._database.commit()
        except sqlite3.OperationalError as error:
            raise self._refused(error) from None

    def _open(self) -> None:
        self._database = sqlite3.connect(self._path, timeout=60)
        self._database.execute("DROP TABLE IF EXISTS digests")  # until November 2026; it knew no ctime
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS files "
            "(path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT, ctime_ns INTEGER) WITHOUT ROWID"
        )
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS contents (sha256 TEXT, reader TEXT, json TEXT, PRIMARY KEY (sha256, reader)) "
            "WITHOUT ROWID"
        )

    def _known(self, root: Path) -> dict[bytes, FileState]:
        """All remembered files below `root`, in one query."""
        prefix = os.fsencode(root).rstrip(b"/")
        rows = self._database.execute(
            "SELECT path, size, mtime_ns, sha256, ctime_ns FROM files WHERE path > ? AND path < ?",
            (prefix + b"/", prefix + b"0"),
        )
        return {path: FileState(*state) for path, *state in rows}

    def _hash(self, root: Path, missing: list[str], label: str) -> dict[str, FileState | OSError]:
        if not missing:
            return {}
        found: dict[str, FileState | OSError] = {}
        fresh: list[_Row] = []
        with progress(label, len(missing)) as bar, ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            for path, state in zip(missing, pool.map(lambda p: _state(root / p), missing), strict=True):
                found[path] = state
                bar.advance()
                if isinstance(state, FileState) and time.time_ns() - state.mtime_ns > RACY_NS:
                    fresh.append((os.fsencode(root / path), state.size, state.mtime_ns, state.sha256, state.ctime_ns))
                if len(fresh) >= _BATCH:
                    self._remember(fresh)
                    fresh = []
        self._remember(fresh)
        return found

    def _remember(self, rows: list[_Row]) -> None:
        try:
            self._database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", rows)
            self._database.commit()
        except sqlite3.OperationalError as error:
            raise self._refused(error) from None

    def _refused(self, error: sqlite3.Error) -> StorageError:
        return StorageError(
            f"{self._path}: the cache of input digests cannot be written ({error}).\n"
            "Next: make room on this disk and its folder writable (or name another in DBGAN_STATE), and run the same "
            "command again."
        )


def refuse_changed(path: Path, state: FileState, data: bytes | None = None) -> None:
    """Raise `DbganError` where a file is no longer the one whose digest is in the recipe, by what the cache looks at.

    Ask when it was read. Where the inode's time alone moved (a `chmod`, a backup's link) the digest of `data`, what was
    read of a whole file, decides.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise gone(path, error) from None
    if (status.st_size, status.st_mtime_ns, status.st_ctime_ns) == (state.size, state.mtime_ns, state.ctime_ns):
        return
    if data is None or hashlib.sha256(data).hexdigest() != state.sha256:
        raise DbganError(f"{path}: changed while the source was being read.\n{AGAIN}")


def gone(path: Path, error: OSError) -> DbganError:
    """What to raise for a file that was there when the source was planned."""
    return DbganError(f"{path}: cannot be read any more ({error.strerror}).\n{AGAIN}")


def _state(path: Path) -> FileState | OSError:
    try:
        status = path.stat()
        return FileState(status.st_size, status.st_mtime_ns, files.sha256_file(path), status.st_ctime_ns, fresh=True)
    except OSError as error:
        return error
