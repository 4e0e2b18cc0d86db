"""A file is absent or whole, and equal files are not touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dbgan import files
from dbgan.errors import DbganError


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
