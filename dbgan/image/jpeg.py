"""The marker structure of a JPEG: size, EXIF block, completeness, and the bytes that may be kept (ITU-T T.81).

libjpeg decodes damaged files to partly grey or shifted pictures and only warns. What can be told from the markers is
therefore told here before any decoder runs (`parse`); of the coded data its warnings tell (`check`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dbgan.errors import ImageError, require
from dbgan.image import colour

SIGNATURE = b"\xff\xd8\xff"
MAX_SCANS = 500

_MARKER = re.compile(rb"\xff+([^\x00\xff])")
_SCAN_END = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_HARMLESS = ("Unknown Adobe", "Invalid SOS", "Warning: unknown JFIF")
"""How libjpeg begins what it says of files whose pixels are right nevertheless."""
_SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_HUFFMAN = {0xC0, 0xC1, 0xC2}
_EXIF, _XMP, _ICC = b"Exif\x00\x00", b"http://ns.adobe.com/xap/1.0/\x00", b"ICC_PROFILE\x00"


@dataclass(slots=True)
class _Component:
    horizontal: int
    vertical: int
    approximation: list[int | None] = field(default_factory=lambda: [None] * 64)
    """Per DCT coefficient the low bits still missing: None not sent yet, 0 complete."""


@dataclass(slots=True)
class Jpeg:
    """The first picture of a JPEG file.

    Attributes:
        width, height: px, as stored (before EXIF rotation).
        components: 1 grey, 3 colour, 4 CMYK or YCCK.
        picture: SOI to EOI of the first picture, all segments.
        kept: the same with no APPn but Adobe's APP14 and an ICC profile as `colour.storable` leaves it, no comments.
        same_colours: whether `kept` means the same colours as `picture` (dropping JFIF's APP0 can change that).
        exif, xmp: payload of the first such APP1 segment, or empty.
        profile: ICC profile, joined from its segments in their order, or empty.
        trailing: bytes after EOI (further pictures of MPO, gain maps, motion photos).
    """

    width: int = 0
    height: int = 0
    components: int = 0
    picture: bytes = b""
    kept: bytes = b""
    same_colours: bool = True
    exif: bytes = b""
    xmp: bytes = b""
    profile: bytes = b""
    trailing: int = 0


def parse(data: bytes) -> Jpeg:
    """Walk the markers of the first picture. Raises `ImageError` (truncated, unreadable, unsupported_mode)."""
    return _Walk(data).run()


def check(parsed: Jpeg) -> None:
    """Decode the coded data, of which only the lowest frequencies, and raise `ImageError` where libjpeg warns.

    Truncated or unreadable where data is missing, surplus or no code; unsupported_mode for sampling factors that
    TurboJPEG does not know. Damage that makes other, valid codes is found by nobody.
    """
    said = _said(parsed.kept, parsed.components)
    if said.endswith("bytes before marker 0xd9"):  # some cameras pad with zeros
        coded = parsed.kept[:-2].rstrip(b"\x00")
        stuffed = b"\x00" if coded.endswith(b"\xff") else b""  # FF00 is a byte of data
        said = _said(coded + stuffed + parsed.kept[-2:], parsed.components)
    if not said or said.startswith(_HARMLESS):
        return
    if "subsampling" in said:
        raise ImageError("unsupported_mode", "JPEG: unusual sampling factors, whose coded data cannot be checked")
    cut = "premature end" in said.lower()
    raise ImageError("truncated" if cut else "unreadable", f"JPEG: {said[:200]}")


def _said(data: bytes, components: int) -> str:
    """libjpeg's first warning or its error; empty for sound data."""
    require("simplejpeg", "checking JPEG pictures")
    import simplejpeg

    try:
        simplejpeg.decode_jpeg(data, "CMYK" if components == 4 else "GRAY", min_height=1, min_width=1, strict=True)
    except ValueError as error:
        return str(error)
    return ""


class _Walk:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.jpeg = Jpeg()
        self.pieces = [b"\xff\xd8"]
        self.parts: dict[int, _Component] = {}
        self.progressive = False
        self.restart_interval = 0
        self.scans = 0
        self.scan_bytes = 0
        self.jfif = False
        self.adobe: int | None = None
        self.profile: list[tuple[bytes, bytes]] = []
        self.profile_at = 0

    def run(self) -> Jpeg:
        position = 2
        while True:
            marker = _MARKER.search(self.data, position)
            if marker is None:
                raise ImageError("truncated", f"JPEG: no end-of-image marker in {len(self.data)} bytes")
            code, position = marker[1][0], marker.end()
            if code == 0xD9:
                break
            if code == 0xD8:
                raise ImageError("truncated", f"JPEG: a second picture starts at byte {position - 2} before the end")
            if code == 0x01 or 0xD0 <= code <= 0xD7:
                continue
            position = self._segment(code, position)
        return self._finish(position)

    def _segment(self, code: int, position: int) -> int:
        length = int.from_bytes(self.data[position : position + 2], "big")
        if position + max(2, length) > len(self.data):
            raise ImageError("truncated", f"JPEG: segment FF{code:02X} at byte {position} ends after the file")
        if length < 2:
            raise ImageError("unreadable", f"JPEG: segment FF{code:02X} at byte {position} has length {length}")
        body = self.data[position + 2 : position + length]
        end = position + length
        if 0xE0 <= code <= 0xEF or code == 0xFE:
            self._application(code, body)
            return end
        if code == 0xDC:
            return end  # DNL: no decoder here reads it, and it could carry anything
        self.pieces.append(b"\xff" + bytes([code]) + self.data[position:end])
        if code in _SOF:
            self._frame(code, body)
        elif code == 0xDD:
            self.restart_interval = int.from_bytes(body[:2], "big")
        elif code == 0xDA:
            return self._scan(body, end)
        return end

    def _application(self, code: int, body: bytes) -> None:
        jpeg = self.jpeg
        if code == 0xE0 and body.startswith(b"JFIF\x00"):
            self.jfif = True
        elif code == 0xE1 and body.startswith(_EXIF):
            jpeg.exif = jpeg.exif or body
        elif code == 0xE1 and body.startswith(_XMP):
            jpeg.xmp = jpeg.xmp or body[len(_XMP) :]
        elif code == 0xE2 and body.startswith(_ICC):
            self.profile_at = self.profile_at or len(self.pieces)
            self.profile.append((body[12:13], body[14:]))
        elif code == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            # Exactly the 12 bytes that Adobe defined: a longer segment could carry anything.
            self.adobe = body[11]
            self.pieces.append(b"\xff\xee\x00\x0e" + body[:12])

    def _frame(self, code: int, body: bytes) -> None:
        if self.parts:
            raise ImageError("unreadable", "JPEG: two frame headers in one picture")
        if code not in _HUFFMAN:
            raise ImageError(
                "unsupported_mode", f"JPEG: frame type FF{code:02X} (lossless, arithmetic or hierarchical)"
            )
        if len(body) < 6 or len(body) < 6 + 3 * body[5]:
            raise ImageError("unreadable", "JPEG: frame header too short")
        if body[0] != 8:
            raise ImageError("unsupported_mode", f"JPEG: {body[0]} bits per sample, only 8 are supported")
        self.progressive = code == 0xC2
        jpeg = self.jpeg
        jpeg.height, jpeg.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
        jpeg.components = body[5]
        for i in range(body[5]):
            identifier, sampling = body[6 + 3 * i], body[7 + 3 * i]
            if not (1 <= sampling >> 4 <= 4 and 1 <= sampling & 15 <= 4):
                raise ImageError("unreadable", f"JPEG: sampling factors {sampling:#04x}")
            self.parts[identifier] = _Component(sampling >> 4, sampling & 15)
        if jpeg.components not in (1, 3, 4) or len(self.parts) != jpeg.components:
            raise ImageError("unsupported_mode", f"JPEG: {jpeg.components} components")
        if not jpeg.width or not jpeg.height:
            raise ImageError("unreadable", f"JPEG: the header says {jpeg.width}x{jpeg.height} px")

    def _scan(self, body: bytes, start: int) -> int:
        count = body[0] if body else 0
        if not self.parts or not 1 <= count <= 4 or len(body) < 4 + 2 * count:
            raise ImageError("unreadable", "JPEG: scan header without frame header, or too short")
        self.scans += 1
        if self.scans > MAX_SCANS:
            raise ImageError("unreadable", f"JPEG: more than {MAX_SCANS} scans")
        found = _SCAN_END.search(self.data, start)
        if found is None:
            raise ImageError(
                "truncated", f"JPEG: scan {self.scans} runs to the end of the file ({len(self.data)} bytes)"
            )
        end = found.start()
        coded = self.data[start:end]
        self.pieces.append(coded)
        self.scan_bytes += len(coded)
        members = [self.parts.get(body[1 + 2 * i]) for i in range(count)]
        first, last, low = body[1 + 2 * count], body[2 + 2 * count], body[3 + 2 * count] & 15
        if not self.progressive:
            first, last, low = 0, 63, 0
        for part in members:
            if part is None:
                raise ImageError("unreadable", "JPEG: a scan names a component that the frame header lacks")
            part.approximation[first : last + 1] = [low] * len(part.approximation[first : last + 1])
        self._check_restarts([part for part in members if part is not None], coded)
        return end

    def _check_restarts(self, members: list[_Component], coded: bytes) -> None:
        if not self.restart_interval:
            return
        columns, rows = self._blocks(members[0]) if len(members) == 1 else self._units()
        needed = -(-columns * rows // self.restart_interval) - 1
        found = _RESTART.findall(coded)
        if len(found) < needed:
            raise ImageError("truncated", f"JPEG: scan {self.scans} has {len(found)} of {needed} restart markers")
        for i, marker in enumerate(found):
            if marker[1] != 0xD0 + i % 8 or i >= needed:
                detail = f"restart marker {i + 1} of {needed} is FF{marker[1]:02X}"
                raise ImageError("unreadable", f"JPEG: scan {self.scans} is damaged, its {detail}")

    def _peak(self) -> tuple[int, int]:
        return max(p.horizontal for p in self.parts.values()), max(p.vertical for p in self.parts.values())

    def _units(self) -> tuple[int, int]:
        """Columns and rows of MCUs in a scan of all components."""
        horizontal, vertical = self._peak() if len(self.parts) > 1 else (1, 1)
        return -(-self.jpeg.width // (8 * horizontal)), -(-self.jpeg.height // (8 * vertical))

    def _blocks(self, part: _Component) -> tuple[int, int]:
        """Columns and rows of 8x8 blocks of one component."""
        horizontal, vertical = self._peak()
        width = -(-self.jpeg.width * part.horizontal // horizontal)
        height = -(-self.jpeg.height * part.vertical // vertical)
        return -(-width // 8), -(-height // 8)

    def _finish(self, end: int) -> Jpeg:
        jpeg = self.jpeg
        if not self.parts or not self.scans:
            raise ImageError("truncated", "JPEG: ends before its first scan")
        if any(missing != 0 for part in self.parts.values() for missing in part.approximation):
            raise ImageError("truncated", f"JPEG: after {self.scans} scan(s) some coefficients were never sent")
        blocks = sum(columns * rows for columns, rows in map(self._blocks, self.parts.values()))
        if 8 * self.scan_bytes < blocks:
            # No code is shorter than a bit per block, so a header that promises more than its data is refused unread.
            raise ImageError("truncated", f"JPEG: {self.scan_bytes} bytes cannot hold {jpeg.width}x{jpeg.height} px")
        jpeg.picture = self.data[:end]
        jpeg.profile = b"".join(part for _, part in sorted(self.profile, key=lambda numbered: numbered[0]))
        if kept := colour.storable(jpeg.profile):
            self.pieces.insert(self.profile_at, colour.jpeg_segments(kept))
        jpeg.kept = b"".join([*self.pieces, b"\xff\xd9"])
        jpeg.trailing = len(self.data) - end
        jpeg.same_colours = self._colours(self.jfif) == self._colours(False)
        return jpeg

    def _colours(self, jfif: bool) -> str:
        """How libjpeg reads three components (jdapimin.c, default_decompress_parms)."""
        if self.jpeg.components != 3:
            return "given by the component count"
        if jfif:
            return "YCbCr"
        if self.adobe is not None:
            return "RGB" if self.adobe == 0 else "YCbCr"
        return "RGB" if list(self.parts) == [0x52, 0x47, 0x42] else "YCbCr"
