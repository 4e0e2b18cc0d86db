"""A file is absent or whole, and equal files are not touched."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from pathlib import Path

import pytest

from dbgan import files
from dbgan.errors import DbganError, StorageError


def fail_half_way(target: Path) -> None:
    with files.atomic_writer(target) as handle:
        handle.write(b"half")
        raise RuntimeError("disk")


def test_a_failure_while_writing_leaves_the_old_file_and_no_temporary(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="disk"):
        fail_half_way(target)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_equal_content_is_not_rewritten(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    assert files.write_json(target, {"b": 1, "a": 2})
    os.utime(target, ns=(1, 1))
    assert not files.write_json(target, {"a": 2, "b": 1})
    assert target.stat().st_mtime_ns == 1
    assert files.write_json(target, {"a": 3})


def test_a_read_only_hardlink_is_replaced_and_its_twin_kept(tmp_path: Path) -> None:
    cache, workspace = tmp_path / "cache", tmp_path / "workspace"
    cache.write_bytes(b"cached")
    cache.chmod(0o444)
    os.link(cache, workspace)
    files.write_bytes(workspace, b"new")
    assert cache.read_bytes() == b"cached"
    assert workspace.read_bytes() == b"new"


def test_replace_tree_leaves_exactly_the_source(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    files.write_bytes(source / "keep.txt", b"1")
    files.write_bytes(source / "sub" / "new.txt", b"2")
    files.write_bytes(target / "keep.txt", b"1")
    files.write_bytes(target / "stale" / "old.txt", b"3")
    files.replace_tree(source, target)
    assert sorted(str(p.relative_to(target)) for p in target.rglob("*")) == ["keep.txt", "sub", "sub/new.txt"]


def test_partials_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".a.tar.123.partial").write_bytes(b"half")
    (tmp_path / "a.tar").write_bytes(b"whole")
    assert files.remove_partials(tmp_path) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.tar"]


def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("file", "file/below/it", "dangling"):
        with pytest.raises(DbganError, match=rf"{name.split('/')[0]}: expected a folder or nothing(.|\n)*Next: "):
            files.refuse_file(tmp_path / name)
    files.refuse_file(tmp_path)
    files.refuse_file(tmp_path / "not" / "yet")
    assert not (tmp_path / "not").exists()


# Network file systems, by the errors that they return.


def test_a_rename_that_was_done_though_its_answer_was_lost_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS: the client asks again, and the server no longer finds what it has renamed."""
    rename = Path.replace

    def twice(self: Path, target: Path) -> Path:
        rename(self, target)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", twice)
    files.write_bytes(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    with files.atomic_folder(tmp_path / "folder") as folder:
        (folder / "x").write_bytes(b"1")
    assert (tmp_path / "folder" / "x").read_bytes() == b"1"


def test_a_rename_that_was_not_done_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody removed the temporary file; what was there before stays."""
    rename = Path.replace

    def gone(self: Path, target: Path) -> Path:
        self.unlink()
        return rename(self, target)

    (tmp_path / "a.bin").write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", gone)
    with pytest.raises(FileNotFoundError):
        files.write_bytes(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"old"


@pytest.mark.parametrize("code", files.BUSY)
def test_a_file_in_use_on_a_network_file_system_is_told_and_nothing_is_left(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(self: Path, target: Path) -> Path:
        raise OSError(code, os.strerror(code))

    (tmp_path / "a.bin").write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", busy)
    with pytest.raises(StorageError, match=rf"a\.bin: cannot be written \({re.escape(os.strerror(code))}\)") as raised:
        files.write_bytes(tmp_path / "a.bin", b"new")
    assert "who has it open" in str(raised.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.bin": b"old"}


@pytest.mark.parametrize(("code", "raised"), [(errno.EINVAL, False), (errno.EOPNOTSUPP, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced_is_no_fault_and_a_failed_sync_is_one(
    tmp_path: Path, code: int, raised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = os.fsync

    def refuse(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(code, os.strerror(code))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    expected = pytest.raises(StorageError) if raised else contextlib.nullcontext()
    with expected:
        files.write_bytes(tmp_path / "a.bin", b"new")
