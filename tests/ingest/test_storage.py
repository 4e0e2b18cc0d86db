"""Full disks and folders without permission: words and no traceback, finished work kept, the next run finishes it."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbgan.corpus import Corpus, receipts, write
from dbgan.errors import DbganError, StorageError
from dbgan.ingest import ingest
from dbgan.ingest.build import IngestBuilder

from .conftest import GOPRO, add_sequence


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 96 kB; skipped where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", folder], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("no file system may be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


def command(root: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """`dbgan ingest` in a process of its own."""
    options = ["--layout", "gopro", "--set", "blur=blur", "--set", "shard_samples=2"]
    return subprocess.run(
        [sys.executable, "-m", "dbgan", "ingest", root, out, *options], capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_disk_that_fills_up_keeps_what_is_finished_and_the_next_run_ends_it(
    gopro_root: Path, small_disk: Path, tmp_path: Path
) -> None:
    add_sequence(gopro_root, "GOPR0003_11_00", 20)
    failed = command(gopro_root, small_disk / "g")
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr
    assert "No space left on device" in failed.stderr
    assert "Next: make room on this disk and run the same command again" in failed.stderr
    finished = receipts.finished(small_disk / "g")
    assert finished
    assert not list((small_disk / "g").glob(".*partial"))
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    done = command(gopro_root, small_disk / "g")
    assert done.returncode == 0, done.stderr
    assert f" {len(finished)} reused" in done.stdout
    command(gopro_root, tmp_path / "undisturbed")
    ours, theirs = (
        {p.name: p.read_bytes() for p in folder.glob("*.tar")}
        for folder in (small_disk / "g", tmp_path / "undisturbed")
    )
    assert ours == theirs


@pytest.mark.parametrize(
    ("number", "step"),
    [
        (errno.ENOSPC, "make room on this disk"),
        (errno.EROFS, "make the folder writable"),
        (errno.EIO, "look after this disk"),
    ],
)
def test_a_shard_that_cannot_be_written_ends_the_build_at_once(
    gopro_root: Path, tmp_path: Path, number: int, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    real = write._Tar.finish

    def refuse(tar: write._Tar) -> None:
        written.append("shard")
        if len(written) > 1:
            raise OSError(number, os.strerror(number))
        real(tar)

    monkeypatch.setattr(write._Tar, "finish", refuse)
    # Beside each other, a second shard may be ending at that moment: see tests/engine/test_lanes.py.
    monkeypatch.setattr(IngestBuilder, "at_once", 1)
    with pytest.raises(StorageError, match=rf"\.tar: cannot be written \({os.strerror(number)}\)") as failure:
        ingest("g", GOPRO, gopro_root, tmp_path / "g")
    assert step in str(failure.value)
    assert len(written) == 2, "no further plan and no second attempt"
    monkeypatch.undo()
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path / "state"))
    report = ingest("g", GOPRO, gopro_root, tmp_path / "g")
    assert report.reused == 1
    assert Corpus.open(tmp_path / "g").verify() == []


def test_a_folder_that_may_not_be_written_is_named(gopro_root: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(StorageError, match=r"disk/g: cannot be written \(Read-only file system\)"):
        ingest("g", GOPRO, gopro_root, small_disk / "g")


def test_a_raw_folder_that_cannot_be_listed_is_named(
    gopro_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def guarded(path: object) -> object:
        if Path(str(path)) == gopro_root:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(DbganError, match=r"cannot be listed \(Permission denied\)(.|\n)*Next: give yourself the right"):
        ingest("g", GOPRO, gopro_root, tmp_path / "g")
    assert not (tmp_path / "g").exists()


def test_a_place_where_nothing_can_be_made_ends_in_words(gopro_root: Path, tmp_path: Path) -> None:
    places = [tmp_path / ("n" * 300)]
    if Path("/proc/self").exists():
        places.append(Path("/proc/nowhere"))
    for place in places:
        with pytest.raises(StorageError, match="Next: choose another"):
            ingest("g", GOPRO, gopro_root, place)
