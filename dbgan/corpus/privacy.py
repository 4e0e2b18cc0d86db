"""Find metadata in the bytes of a stored picture. An allow-list: what is not known to be harmless is found.

Independent of `dbgan.image`, which decides what is stored: a fault there must not blind the check.
"""

from __future__ import annotations

import functools
import re
import zlib

from dbgan.corpus.profile import beside_colours, is_profile

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_ALLOWED = frozenset((b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"IDAT", b"IEND"))
_PNG_LENGTHS = {b"IHDR": (13,), b"gAMA": (4,), b"cHRM": (32,), b"sRGB": (1,), b"sBIT": (1, 2, 3, 4)}
_JPEG_TABLES = frozenset({0xC4, 0xCC, 0xDA, 0xDB, 0xDD, *range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC)})
_JPEG_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))
_AFTER_SCAN = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
MAX_PROFILE = 4 << 20
_NAMES = (
    (0xE1, b"Exif\x00", "EXIF"),
    (0xE1, b"http://ns.adobe.com/x", "XMP"),
    (0xE2, b"MPF\x00", "MPF (more pictures)"),
    (0xE0, b"JFXX\x00", "JFXX (embedded thumbnail)"),
    (0xED, b"Photoshop", "IPTC"),
    (0xFE, b"", "a comment"),
)


def metadata_in(data: bytes, ext: str) -> list[str]:
    """What a picture carries beside its pixels and colours; empty if nothing.

    Args:
        data: bytes of the file.
        ext: `png`, `jpg` or `webp`; bytes of another format are found as such.

    >>> metadata_in(b"GIF89a", "png")
    ['no PNG at all']
    """
    return {"png": _in_png, "webp": _in_webp}.get(ext, _in_jpeg)(data)


def _in_png(data: bytes) -> list[str]:
    if not data.startswith(_PNG):
        return ["no PNG at all"]
    found: list[str] = []
    packed: list[bytes] = []
    position = len(_PNG)
    while position + 12 <= len(data):
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        position += 12 + length
        if kind not in _PNG_ALLOWED or length not in _PNG_LENGTHS.get(kind, (length,)):
            found.append(f"chunk {kind.decode('ascii', 'backslashreplace')} of {length} bytes")
        if kind == b"IDAT":
            packed.append(data[position - 4 - length : position - 4])
        if kind == b"iCCP":
            found += _in_profile(_inflated(data[position - 4 - length : position - 4]), f"chunk iCCP of {length} bytes")
        if kind == b"IEND":
            if hidden := _behind_pixels(data[16:29], packed):
                found.append(f"{hidden} bytes behind the pixels inside IDAT")
            if length:
                found.append(f"{length} bytes inside IEND")
            if position < len(data):
                found.append(f"{len(data) - position} bytes after the end")
            return found
    return [*found, "no end (IEND)"]


def _behind_pixels(header: bytes, packed: list[bytes]) -> int:
    """Bytes in IDAT behind the rows and behind the compressed data; 0 also for damaged data, which others tell."""
    inflater = zlib.decompressobj()
    behind = -_raw_bytes(header)
    for rest in packed:
        try:
            while rest and not inflater.eof:
                behind += len(inflater.decompress(rest, 1 << 20))
                rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        except zlib.error:
            return 0
        behind += len(rest)
    return max(0, behind)


def _raw_bytes(header: bytes) -> int:
    """Bytes of all rows of a PNG with this IHDR before compression, each with its filter (W3C PNG, 7.2 and 8.1)."""
    if len(header) < 13:
        return 0
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    bits = header[8] * {2: 3, 4: 2, 6: 4}.get(header[9], 1)
    starts = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    passes = starts if header[12] else ((0, 0, 1, 1),)
    sizes = ((-(-(width - x) // across), -(-(height - y) // down)) for x, y, across, down in passes)
    return sum(rows * (1 + -(-columns * bits // 8)) for columns, rows in sizes if columns > 0 and rows > 0)


def _in_jpeg(data: bytes) -> list[str]:
    if not data.startswith(b"\xff\xd8"):
        return ["no JPEG at all"]
    found: list[str] = []
    profile: list[bytes] = []
    position = 2
    while position + 4 <= len(data) or data[position : position + 2] == b"\xff\xd9":
        if data[position] != 0xFF:
            return [*found, f"no marker at byte {position}"]
        code = data[position + 1]
        if code == 0xFF:
            position += 1  # markers may be padded
            continue
        if code == 0xD9:
            if profile:
                whole = b"".join(profile)
                found += _in_profile(whole, f"{len(whole)} bytes of ICC_PROFILE")
            rest = len(data) - position - 2
            return [*found, f"{rest} bytes after the end"] if rest else found
        if code in _JPEG_ALONE:
            position += 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        body = data[position + 4 : position + 2 + length]
        if code == 0xE2 and body.startswith(b"ICC_PROFILE\x00"):
            profile.append(body[14:])
        elif not _harmless(code, body):
            found.append(_named(code, body))
        position += 2 + max(2, length)
        if code == 0xDA:
            end = _AFTER_SCAN.search(data, position)
            if end is None:
                break
            position = end.start()
    return [*found, "no end (EOI)"]


def _in_webp(data: bytes) -> list[str]:
    """A WebP that carries nothing has one chunk, of lossless pixels: profiles, EXIF and XMP need the extended form."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return ["no WebP at all"]
    found: list[str] = []
    position, end = 12, 8 + int.from_bytes(data[4:8], "little")
    while position + 8 <= min(end, len(data)):
        kind, length = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        if kind != b"VP8L" or position != 12:
            found.append(f"chunk {kind.decode('ascii', 'backslashreplace')} of {length} bytes")
        position += 8 + length + length % 2
    if position != end or end > len(data):
        found.append("no end where its header says")
    if end < len(data):
        found.append(f"{len(data) - end} bytes after the end")
    return found


def _harmless(code: int, body: bytes) -> bool:
    """Tables and scans; JFIF without thumbnail; Adobe's twelve bytes on the colour transform."""
    if code in _JPEG_TABLES:
        return True
    if code == 0xE0:
        return body.startswith(b"JFIF\x00") and len(body) == 14 and body[12:14] == b"\x00\x00"
    return code == 0xEE and body.startswith(b"Adobe") and len(body) == 12


@functools.lru_cache(maxsize=32)
def _in_profile(profile: bytes, where: str) -> tuple[str, ...]:
    """Pictures of one camera have one profile: it is looked through once."""
    if not is_profile(profile):
        return (f"{where}, no colour profile",)
    return tuple(f"{where}, with {what}" for what in beside_colours(profile))


def _inflated(body: bytes) -> bytes:
    """The profile in an iCCP chunk that has our neutral name; empty for any other chunk."""
    name, _, packed = body.partition(b"\x00")
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(packed[1:], MAX_PROFILE)
    except zlib.error:
        return b""
    return profile if name == b"icc" and inflater.eof and not inflater.unused_data else b""


def _named(code: int, body: bytes) -> str:
    for marker, start, name in _NAMES:
        if code == marker and body.startswith(start):
            return f"{name} of {len(body)} bytes"
    return f"segment FF{code:02X} of {len(body)} bytes"
