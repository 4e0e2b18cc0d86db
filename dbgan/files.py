"""Files that are either absent or whole: temporary name in the same folder, flush, fsync, rename. And `.dbgan/`."""

from __future__ import annotations

import contextlib
import errno
import filecmp
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from dbgan.errors import DbganError, StorageError

TEMPORARY_SUFFIX = ".partial"

BUSY = (errno.EBUSY, errno.ETXTBSY, errno.ENOTEMPTY, errno.ESTALE, errno.EREMOTEIO, errno.ETIMEDOUT)
"""What network file systems answer where another process or host has a file open, or the server is gone."""

NFS_LEFTOVER = ".nfs"
"""How names begin that NFS gives to removed files as long as somebody has them open."""


def state_dir() -> Path:
    """`.dbgan/` of the project (the working directory), or `$DBGAN_STATE`: caches that may be deleted at any time."""
    return Path(os.environ.get("DBGAN_STATE", ".dbgan"))


@contextlib.contextmanager
def atomic_writer(path: Path, *, unless_equal: bool = False) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; on success it is fsynced and renamed onto `path`, on failure removed.

    The name holds the process id, so two processes never write into the same temporary file.

    Args:
        path: what the file is called when it is whole.
        unless_equal: leave a file of the same content alone, so that DVC need not hash it again.

    Raises:
        StorageError: the disk is full, or this place may not be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as handle:
            yield handle
            handle.flush()
            if unless_equal and path.is_file() and filecmp.cmp(temporary, path, shallow=False):
                temporary.unlink()
                return
            os.fsync(handle.fileno())
        _rename(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        refused = storage_error(path, error)
        if refused is None:
            raise
        raise refused from None
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _rename(temporary: Path, path: Path) -> None:
    """Rename a file or folder onto `path`.

    An NFS server whose answer was lost is asked again, and then finds nothing to rename: it is done already.
    """
    before = temporary.stat()
    try:
        temporary.replace(path)
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            if not temporary.exists() and os.path.samestat(before, path.stat()):
                return
        raise


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around changes below `path`: a full disk or a place that may not be written becomes a `StorageError`."""
    try:
        yield
    except OSError as error:
        refused = storage_error(Path(error.filename or path), error)
        if refused is None:
            raise
        raise refused from None


def storage_error(path: Path, error: OSError) -> StorageError | None:
    """What to tell where a disk is full or broken, or a place may not be written; None for other errors."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        step = "make room on this disk and run the same command again"
    elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        step = "make the folder writable (or choose another) and run the same command again"
    elif error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
        step = "choose another, shorter name and run the same command again"
    elif error.errno in BUSY:
        step = (
            "see who has it open, here or on another host, and whether its server answers; run the same command again"
        )
    elif error.errno == errno.EIO:
        step = "look after this disk, which reports a fault (or choose another), and run the same command again"
    else:
        return None
    return StorageError(
        f"{path}: cannot be written ({error.strerror}).\n"
        f"Next: {step}; what is finished is kept, and only the rest is done."
    )


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`; on success it is renamed to `folder`, on failure removed.

    For many small files, whose single renames and syncs would cost more than their writing. What a killed process left
    is removed by the next one that makes the same folder.

    Raises:
        DbganError: `folder` exists and is not an empty folder.
        StorageError: the disk is full, or this place may not be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DbganError(
            f"{folder}: expected no such folder or an empty one, found other files.\n"
            "Next: choose another folder, or remove this one."
        )
    folder = folder.absolute()
    temporary = folder.with_name(f".{folder.name}{TEMPORARY_SUFFIX}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        yield temporary
        _rename(temporary, folder)
        sync_folder(folder.parent)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        refused = storage_error(folder, error) if isinstance(error, OSError) else None
        if refused is None:
            raise
        raise refused from None


def refuse_file(folder: Path) -> None:
    """Raise `DbganError` where a file stands in the place of `folder` or of a folder above it. Makes nothing."""
    for place in (folder, *folder.parents):
        if os.path.lexists(place) and not place.is_dir():
            raise DbganError(
                f"{place}: expected a folder or nothing, found a file.\n"
                "Next: choose another folder, or move this file away."
            )


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable. Some network file systems know no such thing, and need none."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(descriptor)


def write_bytes(path: Path, data: bytes) -> bool:
    """Write atomically unless the file already holds exactly `data`. Returns whether anything was written.

    Files whose content is equal are not rewritten, so that DVC need not hash them again.
    """
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        return False
    with atomic_writer(path) as handle:
        handle.write(data)
    return True


def write_json(path: Path, value: Any) -> bool:
    """`value` as indented JSON with sorted keys and a final newline, written by `write_bytes`."""
    return write_bytes(path, (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode())


def remove_partials(folder: Path) -> int:
    """Remove temporary files that a killed process left in `folder`. Returns how many."""
    leftovers = [p for p in folder.glob(f".*{TEMPORARY_SUFFIX}") if p.is_file()]
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    return len(leftovers)


def replace_tree(source: Path, target: Path) -> None:
    """Copy the files of `source` into `target` so that `target` holds exactly them; equal files are left alone."""
    wanted = {p.relative_to(source) for p in source.rglob("*") if p.is_file()}
    for relative in sorted(wanted):
        write_bytes(target / relative, (source / relative).read_bytes())
    for present in sorted((p for p in target.rglob("*")), reverse=True):
        if present.is_file() and present.relative_to(target) not in wanted:
            present.unlink()
        elif present.is_dir() and not any(present.iterdir()):
            shutil.rmtree(present)


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file, read in blocks."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
