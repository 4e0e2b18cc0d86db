"""Files that are either absent or whole: temporary name in the same folder, flush, fsync, rename. And `.dbgan/`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

TEMPORARY_SUFFIX = ".partial"


def state_dir() -> Path:
    """`.dbgan/` of the project (the working directory), or `$DBGAN_STATE`: caches that may be deleted at any time."""
    return Path(os.environ.get("DBGAN_STATE", ".dbgan"))


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside `path`; on success it is fsynced and renamed onto `path`, on failure removed.

    The name holds the process id, so two processes never write into the same temporary file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        with temporary.open("wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
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
