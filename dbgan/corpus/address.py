"""Files behind an address (s3, gs, http): fetched whole or in part, with retries, and in words when it fails.

Credentials are those that fsspec's file systems find for themselves (environment, configuration files): no object,
message or file of ours holds any.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from dbgan import files
from dbgan.errors import CorpusError, DbganError, require

PROTOCOLS = {
    "s3": ("s3fs", "dbgan[s3]"),
    "gs": ("gcsfs", "dbgan[gs]"),
    "http": ("aiohttp", "aiohttp"),
    "https": ("aiohttp", "aiohttp"),
}
"""Protocol -> the package that reads it, and what installs it. Nothing else is opened: no `pipe:`, no chained one."""

ATTEMPTS = 5
WAIT_S = 0.5
"""Before the second attempt; doubled for each after it."""
BLOCK = 4 << 20

T = TypeVar("T")


class DamagedError(Exception):
    """What came is not what was promised: fetched again, for it may have been cut short on the way."""


def is_address(path: object) -> bool:
    """Whether `path` is an address (or wants to be one: `pipe:`) rather than a folder of this machine."""
    return isinstance(path, str) and re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", path) is not None


def redacted(text: str) -> str:
    """`text` without what may be secret in an address: user and password, and everything behind a question mark.

    >>> redacted("GET https://me:secret@host/a.tar?X-Amz-Signature=abc failed")
    'GET https://host/a.tar?... failed'
    """
    return re.sub(r"\?[^\s'\")]+", "?...", re.sub(r"://[^/@\s]+@", "://", text))


class Address:
    """A folder behind an address. May be pickled and used after a fork: connections belong to fsspec and the process.

    Attributes:
        shown: the address without anything secret, for messages.
    """

    def __init__(self, url: str) -> None:
        """Check the address; nothing is connected.

        Raises:
            DbganError: a protocol that is not read.
            MissingPackageError: the package that reads it is not installed.
        """
        protocol, separator, _ = url.partition("://")
        if not separator or protocol not in PROTOCOLS or "::" in url:
            raise DbganError(
                f"{redacted(url)}: expected a folder, or an address of {', '.join(sorted(PROTOCOLS))}; nothing else is "
                "opened.\nNext: name the folder by one of these."
            )
        package, extra = PROTOCOLS[protocol]
        require(package, f"reading {protocol}:// addresses", distribution=f"'{extra}'")
        self.url, self.shown = url.rstrip("/"), redacted(url.rstrip("/"))

    def identity(self, name: str) -> dict[str, str]:
        """What tells one version of a file from another there: size, and ETag or time where the protocol has them."""
        info = self.tried(name, lambda fs, path: fs.info(path))
        return {key: str(info[key]) for key in ("size", "ETag", "etag", "LastModified", "mtime") if key in info}

    def part(self, name: str, offset: int, size: int) -> bytes:
        """`size` bytes of a file from `offset`. Raises `CorpusError` where it has fewer."""
        data = self.tried(name, lambda fs, path: bytes(fs.cat_file(path, start=offset, end=offset + size)))
        if len(data) != size:
            raise CorpusError(
                f"{self.shown}/{name}: expected {size} bytes at {offset}, found {len(data)}: it is truncated, or the "
                "server does not send parts of files.\nNext: read through a cache (cache_bytes above 0)."
            )
        return data

    def fetch(self, name: str, local: Path, expected: tuple[int, str] | None = None) -> None:
        """Copy a file to `local`, atomically.

        Args:
            name: of the file.
            local: what it is called here.
            expected: its size and hex SHA-256, where they are known.

        Raises:
            CorpusError: it cannot be read, or is another one.
            StorageError: this disk is full.
        """

        def once(fs: Any, path: str) -> None:
            with files.atomic_writer(local) as out:
                fs.get_file(path, out.name)  # by name: file systems download in their own way, here into the same file
                if expected is not None:
                    _compare(out, expected)

        self.tried(name, once)

    def tried(self, name: str, act: Callable[[Any, str], T]) -> T:
        """`act(file system, path)`, again after passing faults. Raises `CorpusError` with the last one."""
        import fsspec

        wait, error = WAIT_S, Exception()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                fs, path = fsspec.core.url_to_fs(f"{self.url}/{name}")  # fsspec keeps one per process and thread
                return act(fs, path)
            except DbganError:
                raise  # of this machine (a full disk), not of the address
            except (FileNotFoundError, PermissionError) as final:
                error = final
                break
            except Exception as passing:  # each file system has its own (aiohttp's, botocore's)
                error = passing
            if attempt < ATTEMPTS:
                time.sleep(wait)
                wait *= 2
        raise CorpusError(
            f"{self.shown}/{name}: cannot be read, attempt {attempt} of {ATTEMPTS} "
            f"({type(error).__name__}: {redacted(str(error))}).\n"
            "Next: check the address, the credentials in the environment and the network, then run the same command."
        ) from None


def _compare(out: IO[bytes], expected: tuple[int, str]) -> None:
    with Path(out.name).open("rb") as handle:
        found = (Path(out.name).stat().st_size, hashlib.file_digest(handle, "sha256").hexdigest())
    if found != expected:
        raise DamagedError(
            f"expected {expected[0]} bytes of SHA-256 {expected[1][:12]}..., "
            f"found {found[0]} bytes of SHA-256 {found[1][:12]}..."
        )
