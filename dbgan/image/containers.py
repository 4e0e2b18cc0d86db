"""What the outside of a video file says: which container it is, and whether it is all there. Nothing is decoded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

HEAD = 32
"""Bytes from an element's begin that its kind and length need, at most."""


def sniff(head: bytes) -> str:
    """libavformat's name of a container, by its first bytes (12 or more); empty for anything else."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return "mov"
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return "avi"
    return "matroska" if head[:4] == b"\x1a\x45\xdf\xa3" else ""


def missing_bytes(path: Path) -> int:
    """How many bytes the outermost elements of a container promise behind the file's end; 0 for a whole file."""
    size = path.stat().st_size
    with path.open("rb") as handle:
        kind, position = sniff(handle.read(HEAD)), 0
        while position + 8 <= size:
            handle.seek(position)
            length = _LENGTHS[kind](handle.read(HEAD))
            if not length:
                return 0
            position += length
    return max(0, position - size)


def _box_length(head: bytes) -> int:
    """Of a box of ISO/IEC 14496-12, 4.2; 0 where it has none (to the end of the file) or is none."""
    length = int.from_bytes(head[:4], "big")
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    return length if length >= 8 and head[4:8].isascii() else 0


def _chunk_length(head: bytes) -> int:
    """Of a RIFF chunk, padded to even; 0 where a recorder never wrote it."""
    length = int.from_bytes(head[4:8], "little")
    return 8 + length + length % 2 if length and head[:4] in (b"RIFF", b"JUNK", b"idx1") else 0


def _element_length(head: bytes) -> int:
    """Of an EBML element (RFC 8794, 4 to 6); 0 where it is unknown, as in live recordings."""
    if not head[0]:
        return 0
    start = 9 - head[0].bit_length()
    width = 9 - head[start].bit_length()
    if width > 8:
        return 0
    length = int.from_bytes(head[start : start + width], "big") & ((1 << 7 * width) - 1)
    return start + width + length if length != (1 << 7 * width) - 1 else 0


_LENGTHS: dict[str, Callable[[bytes], int]] = {"mov": _box_length, "avi": _chunk_length, "matroska": _element_length}
