"""What the outside of HEIF, AVIF and WebP files says: size in pixels, animation, completeness. No pixel is decoded."""

from __future__ import annotations

import re

from dbgan.errors import ImageError

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"miaf")
_KNOWN_BOXES = (b"ftyp", b"meta", b"mdat", b"moov", b"free", b"skip", b"uuid", b"wide")
_EXTENT = re.compile(rb"\x00\x00\x00\x14ispe....(....)(....)", re.DOTALL)


def brand(data: bytes) -> str:
    """`avif`, `heif` or empty, from the `ftyp` box (ISO/IEC 14496-12) with its compatible brands."""
    if data[4:8] != b"ftyp":
        return ""
    length = min(int.from_bytes(data[:4], "big"), 512)
    brands = [data[8:12], *(data[i : i + 4] for i in range(16, length, 4))]
    if b"avif" in brands or b"avis" in brands:
        return "avif"
    return "heif" if any(name in _HEIF_BRANDS for name in brands) else ""


def is_sequence(data: bytes) -> bool:
    """Whether an AVIF file's major brand says image sequence."""
    return data[8:12] == b"avis"


def largest_extent(data: bytes) -> tuple[int, int]:
    """The largest width x height that a HEIF or AVIF file's `ispe` properties promise, (0, 0) without any.

    Raises `ImageError` ("truncated") when a known box ends after the file: libheif decodes such files without a word.
    """
    position, meta = 0, b""
    while position + 8 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        if length == 1:
            length = int.from_bytes(data[position + 8 : position + 16], "big")
        elif length == 0:
            length = len(data) - position
        if kind not in _KNOWN_BOXES:
            break
        if length < 8:
            raise ImageError("unreadable", f"HEIF: box {kind.decode()} at byte {position} has length {length}")
        if position + length > len(data):
            raise ImageError("truncated", f"HEIF: box {kind.decode()} at byte {position} ends after the file")
        if kind == b"meta":
            meta = data[position : position + length]
        position += length
    sizes = [(int.from_bytes(w, "big"), int.from_bytes(h, "big")) for w, h in _EXTENT.findall(meta)]
    return max(sizes, key=lambda size: size[0] * size[1], default=(0, 0))


def webp(data: bytes) -> tuple[int, int, bool]:
    """Width, height and whether it is animated, of a WebP file (RFC 9649). Raises `ImageError`."""
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise ImageError("truncated", "WebP: the RIFF chunk ends after the file")
    kind, body = data[12:16], data[20:]
    if len(body) < 10:
        raise ImageError("truncated", f"WebP: ends at byte {len(data)}, before its size")
    if kind == b"VP8X":
        width, height = 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
        return width, height, bool(body[0] & 2)
    if kind == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF), False
    if kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF, False
    raise ImageError("unreadable", f"WebP: unknown first chunk {kind!r}")
