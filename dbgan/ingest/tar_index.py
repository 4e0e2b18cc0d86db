"""The members of a tar made elsewhere: where each lies, and what is refused. Nothing is unpacked, no link is followed.

Headers are read here and not by `tarfile`, so that memory is bounded whatever a header promises.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

BLOCK = 512
MAX_HEADER = 1 << 20
"""A long name or a pax header is never longer, bytes."""
MAX_NAME = 1024

_EXTENDED = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
_WITH_DATA = (*_EXTENDED, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


@dataclass(frozen=True, slots=True)
class Member:
    """A regular file of a tar: its data are `size` bytes from `offset` on."""

    name: str
    offset: int
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A member that is not taken, or (without a name) where the tar itself cannot be read any further."""

    name: str
    reason: str
    detail: str


def members(path: Path, max_bytes: int) -> Iterator[Member | Refused]:
    """Every member of an uncompressed tar, in its order; folders are passed over.

    Args:
        path: the tar.
        max_bytes: larger members are refused unread.
    """
    end = path.stat().st_size
    seen: set[str] = set()
    with path.open("rb") as handle:
        position, count, long_name, size_of_next = 0, 0, "", -1
        while position + BLOCK <= end:
            handle.seek(position)
            header = handle.read(BLOCK)
            if header.count(0) == BLOCK:
                return
            try:
                info = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
            except tarfile.HeaderError as error:
                yield Refused("", "unreadable", f"no tar header after {count} members, at byte {position} ({error})")
                return
            size = size_of_next if size_of_next >= 0 and info.type not in _WITH_DATA else info.size
            data = position + BLOCK
            if size < 0 or (info.type in _WITH_DATA and size > MAX_HEADER):
                yield Refused("", "hostile_member", f"a header of {size} bytes after {count} members")
                return
            position = data + -(-_stored(info, size) // BLOCK) * BLOCK
            if info.type in _WITH_DATA:
                body = handle.read(size)
                if info.type == tarfile.GNUTYPE_LONGNAME:
                    long_name = body.rstrip(b"\0").decode("utf-8", "surrogateescape")
                elif info.type in _EXTENDED:
                    found = _pax(body)
                    long_name, size_of_next = found.get("path", long_name), _number(found.get("size", ""))
                continue
            name, long_name, size_of_next = (long_name or info.name), "", -1
            count += 1
            if info.type == tarfile.DIRTYPE:
                continue
            refused = _refused(name, info, size, max_bytes, seen)
            if refused is not None:
                yield refused
            elif data + size > end:
                yield Refused(name, "truncated", f"ends {data + size - end} bytes behind the tar")
                return
            else:
                seen.add(name)
                yield Member(name, data, size, _sha256(handle, data, size))
        if position > end:
            yield Refused("", "truncated", f"the tar ends after {count} members, within the last")


def _refused(name: str, info: tarfile.TarInfo, size: int, max_bytes: int, seen: set[str]) -> Refused | None:
    shown = name[:MAX_NAME]
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE):
        return Refused(shown, "hostile_member", f"is no plain file (type {info.type.decode('latin-1')!r})")
    parts = name.split("/")
    if name.startswith(("/", "~")) or ".." in parts or "\\" in name or any(ord(c) < 32 for c in name) or not parts[-1]:
        return Refused(shown, "hostile_member", "its name leaves the archive or is none")
    if len(name) > MAX_NAME:
        return Refused(shown, "hostile_member", f"a name of {len(name)} characters")
    if size > max_bytes:
        return Refused(shown, "too_large", f"{size} bytes, over the limit of {max_bytes}")
    return Refused(shown, "duplicate_key", "an earlier member has this name") if name in seen else None


def _stored(info: tarfile.TarInfo, size: int) -> int:
    """Bytes of data behind a header: links and devices have none, whatever they promise."""
    return (
        0
        if info.type in (tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE)
        else size
    )


def _pax(body: bytes) -> dict[str, str]:
    """Records `LENGTH KEY=VALUE\\n` (POSIX.1-2001); what does not parse ends it."""
    found: dict[str, str] = {}
    while body:
        length, space, _ = body.partition(b" ")
        if not space or not length.isdigit() or not len(length) < int(length) <= len(body):
            break
        record, body = body[len(length) + 1 : int(length) - 1], body[int(length) :]
        key, _, value = record.decode("utf-8", "surrogateescape").partition("=")
        found[key] = value
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else -1


def _sha256(handle: IO[bytes], offset: int, size: int) -> str:
    hashed = hashlib.sha256()
    handle.seek(offset)
    while size:
        block = handle.read(min(size, 1 << 20))
        if not block:
            break
        hashed.update(block)
        size -= len(block)
    return hashed.hexdigest()
