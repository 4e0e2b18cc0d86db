"""Locks keep two processes apart, die with them, and say so where a file system has none."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dbgan import locks

HOLD = (
    "import sys, time\nfrom pathlib import Path\nfrom dbgan import locks\n"
    "with locks.exclusive(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
)


class BusyError(Exception):
    """Raised by the tests where a lock is held."""


def refuse(holder: str) -> None:
    raise BusyError(holder)


def hold(path: Path) -> subprocess.Popen[str]:
    """A process that holds a lock."""
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


@pytest.mark.parametrize("folder", ["plain", "a b", "naïve Ω 日本", "new\nline", "100 % '\"$x"])
def test_a_lock_keeps_others_out_wherever_it_lies_and_dies_with_its_process(tmp_path: Path, folder: str) -> None:
    path = tmp_path / folder / "x.lock"
    child = hold(path)
    try:
        with pytest.raises(BusyError, match=rf"^process {child.pid} \(-c .*\) on \S+$"), locks.exclusive(path, refuse):
            pass
        child.send_signal(signal.SIGKILL)
        child.wait()
        with locks.exclusive(path, refuse):
            assert path.read_text().startswith(f"process {os.getpid()} (")
    finally:
        child.kill()
        child.wait()


def test_who_is_busy_may_be_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    child = hold(path)
    said: list[str] = []

    def wait(holder: str) -> None:
        said.append(holder)
        child.kill()

    with locks.exclusive(path, wait):
        assert said[0].startswith(f"process {child.pid} ")
    child.wait()


def test_shared_locks_are_open_for_reading_and_writing(tmp_path: Path) -> None:
    """What NFS asks for: a shared lock of a reader, an exclusive one of a writer (flock(2))."""
    path = tmp_path / "x.lock"
    with locks.opened(path) as first, locks.opened(path) as second:
        assert first.readable()
        assert first.writable()
        assert locks.take(first, path, shared=True)
        assert locks.take(second, path, shared=True)
        with locks.opened(path) as third:
            assert not locks.take(third, path)


@pytest.mark.parametrize("code", locks.UNSUPPORTED)
def test_a_file_system_without_locks_is_told_once_and_work_goes_on(
    tmp_path: Path, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def flock(handle: object, flags: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    for name in ("a.lock", "b.lock"):
        with locks.exclusive(tmp_path / name, refuse), locks.folder(tmp_path, refuse):
            pass
    said = capsys.readouterr().err
    assert said.count("grants no locks") == 1
    assert f"{tmp_path}: this file system grants no locks ({os.strerror(code)})" in said
    assert "set DBGAN_STATE to a folder on a local disk" in said


def test_other_faults_of_a_lock_are_not_swallowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(handle: object, flags: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output"), locks.exclusive(tmp_path / "x.lock"):
        pass


def test_a_folder_can_be_held_and_one_that_cannot_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with locks.folder(tmp_path, refuse), pytest.raises(BusyError), locks.folder(tmp_path, refuse):
        pass

    def flock(handle: object, flags: int) -> None:
        raise OSError(errno.EBADF, "as NFS answers for a folder")

    monkeypatch.setattr(fcntl, "flock", flock)
    with locks.folder(tmp_path, refuse):
        pass
