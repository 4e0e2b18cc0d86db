"""Locks between processes: `flock` on small files, which the kernel lets go when their process dies, however it dies.

Files are opened for reading and writing, because NFS grants a shared lock to readers only and an exclusive one to
writers only. Some file systems grant none (Lustre mounted without `flock`, NFS without its lock service): work goes on
there, since all writing is by whole files under their final bytes, and it is told that nobody watches.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from dbgan import files

UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP)
"""What file systems answer that have no locks, or whose lock service does not."""

_told: set[Path] = set()
"""Folders whose lack of locks this process has told."""


@contextlib.contextmanager
def exclusive(path: Path, busy: Callable[[str], None] = lambda holder: None) -> Iterator[None]:
    """Hold the lock `path`, alone.

    Args:
        path: a file for the lock alone; it is made, with its folder, and stays.
        busy: called where another process holds the lock, with what that one said of itself ("process 17 (...) on
            HOST"). It raises, or returns to wait.

    Raises:
        StorageError: the folder may not be written.
    """
    with opened(path) as handle:
        if not take(handle, path):
            handle.seek(0)
            busy(handle.read().strip() or "an unknown process")
            take(handle, path, wait=True)
        with contextlib.suppress(OSError):  # the name is a courtesy: a full disk must not lose the lock
            os.ftruncate(handle.fileno(), 0)
            os.write(handle.fileno(), _myself().encode(errors="replace"))
        yield


@contextlib.contextmanager
def folder(path: Path, busy: Callable[[str], None]) -> Iterator[None]:
    """Hold a folder itself, where its file system lets folders be locked (NFS does not), and say nothing where not.

    Args:
        path: an existing folder.
        busy: called where another process holds it. It raises, or returns to go on without.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            busy("a process that was started in another folder")
        except OSError as error:
            if error.errno not in (*UNSUPPORTED, errno.EBADF):
                raise
        yield
    finally:
        os.close(descriptor)


def opened(path: Path) -> IO[str]:
    """The file of a lock, as it has to be open: for both, and never emptied by opening."""
    with files.writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a+")


def take(handle: IO[str], path: Path, *, shared: bool = False, wait: bool = False) -> bool:
    """Lock an open file until it is closed. False: another process holds it, and `wait` was not asked for.

    True as well where the file system knows no locks; that is told once per folder.
    """
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        _tell(path, error)
    return True


def _tell(path: Path, error: OSError) -> None:
    if path.parent in _told:
        return
    _told.add(path.parent)
    print(
        f"warning: {path.parent}: this file system grants no locks ({error.strerror}): a second run of the same "
        "work would not be noticed.\n"
        "Next: see to it that there is none; or, on one machine, set DBGAN_STATE to a folder on a local disk.",
        file=sys.stderr,
        flush=True,
    )


def _myself() -> str:
    # one line, whatever is in it, and no address, which may hold a password
    words = [word if "://" not in word else "..." for word in " ".join(sys.argv[1:]).split()]
    command = " ".join([Path(sys.argv[0]).name, *words])[:200]
    return f"process {os.getpid()} ({command}) on {platform.node()}"
