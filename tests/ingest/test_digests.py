"""The cache gives sha256 without reading what it knows, and never a stale one."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from pathlib import Path

import pytest

from dbgan import files
from dbgan.ingest.digests import DigestCache, FileState

from .conftest import put


def states(root: Path, *names: str) -> dict[str, FileState | OSError]:
    with DigestCache() as cache:
        return cache.states(root, names, "digests")


def test_known_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a.png", b"one")
    first = states(tmp_path, "a.png")
    assert first["a.png"] == FileState(3, 1_600_000_000_000_000_000, hashlib.sha256(b"one").hexdigest())

    def forbidden(path: Path) -> str:
        raise AssertionError(f"{path} was read again")

    monkeypatch.setattr(files, "sha256_file", forbidden)
    assert states(tmp_path, "a.png") == first


@pytest.mark.parametrize("data", [b"two", b"longer"])
def test_a_changed_file_is_hashed_again(tmp_path: Path, data: bytes) -> None:
    put(tmp_path / "a.png", b"one")
    states(tmp_path, "a.png")
    put(tmp_path / "a.png", data)
    os.utime(tmp_path / "a.png", ns=(1, 1_600_000_001_000_000_000))
    state = states(tmp_path, "a.png")["a.png"]
    assert isinstance(state, FileState)
    assert state.sha256 == hashlib.sha256(data).hexdigest()


def test_a_file_replaced_by_one_of_the_same_size_and_time_is_hashed_again(tmp_path: Path) -> None:
    """As `cp -p`, `rsync -t` or a restored backup do: only the inode's own time tells."""
    path = put(tmp_path / "a.png", b"one")
    states(tmp_path, "a.png")
    time.sleep(0.02)  # more than a tick of the kernel's clock
    put(tmp_path / "b.png", b"two").replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (3, 1_600_000_000_000_000_000)
    state = states(tmp_path, "a.png")["a.png"]
    assert isinstance(state, FileState)
    assert state.sha256 == hashlib.sha256(b"two").hexdigest()


def test_a_file_from_the_future_is_hashed_until_the_clock_has_passed_it(tmp_path: Path) -> None:
    """What a clock set back leaves behind: files that seem to be of tomorrow."""
    path = put(tmp_path / "a.png", b"one")
    tomorrow = time.time_ns() + 86_400_000_000_000
    for content in (b"one", b"two"):
        path.write_bytes(content)
        os.utime(path, ns=(tomorrow, tomorrow))
        state = states(tmp_path, "a.png")["a.png"]
        assert isinstance(state, FileState)
        assert state.fresh
        assert state.sha256 == hashlib.sha256(content).hexdigest()


def test_a_cache_of_an_earlier_version_is_left_behind(tmp_path: Path) -> None:
    put(tmp_path / "a.png", b"one")
    with sqlite3.connect(files.state_dir() / "digests.sqlite") as database:
        database.execute("CREATE TABLE digests (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, sha256 TEXT)")
        row = (os.fsencode(tmp_path / "a.png"), 3, 1_600_000_000_000_000_000, "not this one")
        database.execute("INSERT INTO digests VALUES (?, ?, ?, ?)", row)
    state = states(tmp_path, "a.png")["a.png"]
    assert isinstance(state, FileState)
    assert state.sha256 == hashlib.sha256(b"one").hexdigest()


def test_a_file_changed_just_now_is_not_remembered(tmp_path: Path) -> None:
    path = put(tmp_path / "a.png", b"one")
    now = time.time_ns()
    os.utime(path, ns=(now, now))
    states(tmp_path, "a.png")
    path.write_bytes(b"two")
    os.utime(path, ns=(now, now))
    state = states(tmp_path, "a.png")["a.png"]
    assert isinstance(state, FileState)
    assert state.sha256 == hashlib.sha256(b"two").hexdigest()


def test_what_cannot_be_read_is_an_error_of_its_own(tmp_path: Path) -> None:
    put(tmp_path / "a.png", b"one")
    (tmp_path / "folder").mkdir()
    found = states(tmp_path, "a.png", "gone.png", "folder")
    assert isinstance(found["gone.png"], FileNotFoundError)
    assert isinstance(found["folder"], IsADirectoryError)
    assert isinstance(found["a.png"], FileState)


def test_a_damaged_cache_is_started_over(tmp_path: Path) -> None:
    put(tmp_path / "a.png", b"one")
    database = files.state_dir() / "digests.sqlite"
    database.write_bytes(b"this is no database" * 100)
    assert isinstance(states(tmp_path, "a.png")["a.png"], FileState)
    assert database.read_bytes().startswith(b"SQLite format 3")
