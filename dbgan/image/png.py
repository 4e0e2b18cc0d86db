"""The chunk structure of a PNG: header, EXIF block, completeness, and the bytes that may be kept (W3C PNG, 3rd ed.)."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from dbgan.errors import ImageError
from dbgan.image import colour

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEPT_CHUNKS = (b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"IDAT", b"IEND")
_LENGTHS = {b"gAMA": (4,), b"cHRM": (32,), b"sRGB": (1,), b"sBIT": (1, 2, 3, 4), b"IEND": (0,)}
"""What a chunk's body must measure: behind its values a longer one could carry anything."""
_SUGGESTION = b"PLTE"
"""Of RGB pictures a palette is a suggestion to viewers of few colours, which nobody needs."""
_DEFLATE_RATIO = 1032
"""deflate's largest ratio (zlib technical details): data that would need more cannot be whole."""

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_XMP = b"XML:com.adobe.xmp\x00\x00"
_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_PIECE = 4096
_HEAD = struct.Struct(">I4s")
_CRC = struct.Struct(">I")
_CRC_OF_TYPE = zlib.crc32(b"IDAT")
_CHUNK_TYPE = re.compile(rb"[A-Za-z]{4}")


@dataclass(frozen=True, slots=True)
class Png:
    """One PNG file.

    Attributes:
        width, height: px, as stored (before EXIF rotation).
        depth: bits per sample. colour: PNG colour type (0 grey, 2 RGB, 3 palette, 4 grey+alpha, 6 RGBA).
        interlaced: whether it is stored in Adam7's seven passes. image_data: the bodies of IDAT, as views.
        transparent: whether a tRNS chunk is present.
        frames: 1, or what an APNG announces.
        kept: signature and the chunks of `KEPT_CHUNKS`; a colour profile as `colour.storable` leaves it.
        exif: TIFF block of eXIf, or empty. xmp: text of the XMP chunk, or empty.
        profile: the ICC profile, inflated, usable or not; empty without one.
        trailing: bytes after IEND.
    """

    width: int
    height: int
    depth: int
    colour: int
    interlaced: bool
    image_data: tuple[memoryview, ...]
    transparent: bool
    frames: int
    kept: bytes
    exif: bytes
    xmp: bytes
    profile: bytes
    trailing: int

    @property
    def is_rgb8(self) -> bool:
        """8-bit RGB without transparency: the form that a corpus keeps."""
        return self.colour == 2 and self.depth == 8 and not self.transparent

    def has_hidden_data(self) -> bool:
        """Whether IDAT holds more than the rows, compressed or behind the compressed data: no decoder looks there.

        Looked for (by inflating all) only where IDAT is not cut into pieces of a round size with a smaller last one, as
        encoders do it: it costs half of a decoding. `dbgan corpus verify` looks everywhere.
        """
        sizes = [len(body) for body in self.image_data]
        if sizes[0] % _PIECE == 0 and set(sizes[:-1]) == {sizes[0]} and 0 < sizes[-1] <= sizes[0]:
            return False
        inflater, rest, found = zlib.decompressobj(), b"".join(self.image_data), 0
        while rest and not inflater.eof and found <= self._raw_bytes():
            found += len(inflater.decompress(rest, 1 << 20))
            rest = inflater.unconsumed_tail
        return bool(inflater.unused_data) or found > self._raw_bytes()

    def check_rows(self) -> None:
        """Raise `ImageError` ("truncated") unless the compressed data holds every row.

        For the forms that Pillow decodes: it paints missing rows black and says nothing. libpng refuses by itself.
        """
        needed = self._raw_bytes()
        inflater, packed, found = zlib.decompressobj(), b"".join(self.image_data), 0
        while packed and found < needed and not inflater.eof:
            found += len(inflater.decompress(packed, 1 << 20))
            packed = inflater.unconsumed_tail
        if found < needed:
            raise ImageError("truncated", f"PNG: the image data holds {found} of {needed} bytes")

    def _raw_bytes(self) -> int:
        """Bytes of all rows before compression, each with its filter."""
        return sum(rows * (1 + -(-columns * self._bits() // 8)) for columns, rows in self._passes())

    def _bits(self) -> int:
        return self.depth * _CHANNELS[self.colour]

    def _passes(self) -> list[tuple[int, int]]:
        """Columns and rows of each pass: one, or the seven of Adam7 (those that are not empty)."""
        if not self.interlaced:
            return [(self.width, self.height)]
        sizes = [(-(-(self.width - x) // dx), -(-(self.height - y) // dy)) for x, y, dx, dy in _ADAM7]
        return [(columns, rows) for columns, rows in sizes if columns > 0 and rows > 0]


def parse(data: bytes) -> Png:
    """Walk the chunks to IEND. Raises `ImageError` (truncated, unreadable)."""
    whole = memoryview(data)  # slices of it copy nothing: a picture's chunks are as large as its file
    exif, xmp, profile, frames = b"", b"", b"", 1
    pieces: list[bytes | memoryview] = [SIGNATURE]
    untouched = True
    header, transparent = b"", False
    image_data: list[memoryview] = []
    seen: set[bytes] = set()
    position = len(SIGNATURE)
    while True:
        kind, end = _chunk(data, position)
        if kind == b"IDAT" and header:
            end = _image_data(whole, position, image_data)
            pieces.append(whole[position:end])
            position = end
            continue
        body = whole[position + 8 : end - 4]
        if not header and kind != b"IHDR":
            raise ImageError("unreadable", f"PNG: the first chunk is {kind!r}, not IHDR")
        if kind == b"IHDR":
            if header:
                raise ImageError("unreadable", "PNG: two IHDR chunks")
            header = _header(bytes(body))
        elif kind == b"tRNS":
            transparent = True
        elif kind == b"eXIf":
            exif = exif or bytes(body)
        elif kind == b"iTXt" and body[: len(_XMP)] == _XMP:
            xmp = xmp or bytes(body)
        elif kind == b"acTL":
            frames = max(1, int.from_bytes(body[:4], "big"))
        if kind == b"iCCP" and not profile:
            profile = _profile(bytes(body))
            untouched = False
            if kept := colour.storable(profile):
                pieces.append(colour.png_chunk(kept))
        elif (
            kind in KEPT_CHUNKS
            and kind != b"iCCP"
            and _sound(kind, whole[position:end])
            and _harmless(kind, body, header, seen)
        ):
            pieces.append(whole[position:end])
        else:
            untouched = False
        seen.add(kind)
        position = end
        if kind == b"IEND":
            if len(body):
                pieces.append(_END)
            break
    parsed = Png(
        width=int.from_bytes(header[:4], "big"),
        height=int.from_bytes(header[4:8], "big"),
        depth=header[8],
        colour=header[9],
        interlaced=bool(header[12]),
        image_data=tuple(image_data),
        transparent=transparent,
        frames=frames,
        kept=data if untouched and position == len(data) else b"".join(pieces),
        exif=exif,
        xmp=xmp,
        profile=profile,
        trailing=len(data) - position,
    )
    _check_amount(parsed)
    return parsed


def _image_data(whole: memoryview, position: int, bodies: list[memoryview]) -> int:
    """Walk the IDAT chunks from `position` on, a hundred or more in most files; returns the place behind them."""
    while position + 12 <= len(whole):
        length, kind = _HEAD.unpack_from(whole, position)
        end = position + 12 + length
        if kind != b"IDAT" or end > len(whole):
            break
        body = whole[position + 8 : end - 4]
        if zlib.crc32(body, _CRC_OF_TYPE) != _CRC.unpack_from(whole, end - 4)[0]:
            raise _wrong_checksum(kind)
        bodies.append(body)
        position = end
    return position


def size(data: bytes) -> tuple[int, int]:
    """Width and height from IHDR alone, so that a gigapixel header is refused before its chunks are walked."""
    kind, end = _chunk(data, len(SIGNATURE))
    if kind != b"IHDR":
        raise ImageError("unreadable", f"PNG: the first chunk is {kind!r}, not IHDR")
    header = _header(data[len(SIGNATURE) + 8 : end - 4])
    return int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")


def _chunk(data: bytes, position: int) -> tuple[bytes, int]:
    """Type and end of the chunk at `position`; its body begins 8 bytes later and ends 4 before its end."""
    if position + 12 > len(data):
        raise ImageError("truncated", f"PNG: ends at byte {len(data)} before IEND")
    length = int.from_bytes(data[position : position + 4], "big")
    kind = data[position + 4 : position + 8]
    if not _CHUNK_TYPE.fullmatch(kind):
        raise ImageError("unreadable", f"PNG: no chunk type at byte {position + 4}")
    end = position + 12 + length
    if end > len(data):
        raise ImageError("truncated", f"PNG: chunk {kind.decode()} at byte {position} ends after the file")
    return kind, end


def _header(body: bytes) -> bytes:
    if len(body) != 13:
        raise ImageError("unreadable", f"PNG: IHDR has {len(body)} bytes, not 13")
    depth, kind, compression, filtering, interlace = body[8:13]
    if depth not in _DEPTHS.get(kind, ()):
        raise ImageError("unreadable", f"PNG: colour type {kind} with {depth} bits does not exist")
    if compression or filtering or interlace > 1:
        raise ImageError("unreadable", f"PNG: unknown compression, filter or interlace ({body[10:13].hex()})")
    if body[:4] == bytes(4) or body[4:8] == bytes(4):
        raise ImageError("unreadable", "PNG: the header says 0 px")
    return body


def _harmless(kind: bytes, body: memoryview, header: bytes, seen: set[bytes]) -> bool:
    """Whether a chunk is no longer than its values, is there once, and is needed."""
    if kind == _SUGGESTION and header[9] == 2:
        return False
    return len(body) in _LENGTHS.get(kind, (len(body),)) and kind not in seen


def _sound(kind: bytes, chunk: memoryview) -> bool:
    """Whether a chunk of `KEPT_CHUNKS` has the right checksum.

    Raises `ImageError` where the picture needs the chunk (its type starts with a capital).
    """
    if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
        if kind[:1].isupper():
            raise _wrong_checksum(kind)
        return False
    return True


def _wrong_checksum(kind: bytes) -> ImageError:
    return ImageError("unreadable", f"PNG: chunk {kind.decode()} has a wrong checksum")


def _profile(body: bytes) -> bytes:
    """The profile of an iCCP chunk; of a broken one something that is no profile."""
    packed = body.partition(b"\x00")[2][1:]
    inflater = zlib.decompressobj()
    try:
        profile = inflater.decompress(packed, colour.MAX_PROFILE + 1)
    except zlib.error:
        profile = b""
    whole = inflater.eof and not inflater.unused_data
    return profile if whole else b"broken"


def _check_amount(parsed: Png) -> None:
    raw = parsed.height * (parsed.width * parsed.depth * _CHANNELS[parsed.colour] // 8 + 1)
    packed = sum(map(len, parsed.image_data))
    if raw > _DEFLATE_RATIO * (packed + 1):
        held = f"{packed} bytes of image data"
        raise ImageError("truncated", f"PNG: {held} cannot hold {parsed.width}x{parsed.height} px")
