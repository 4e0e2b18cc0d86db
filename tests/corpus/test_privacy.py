"""Metadata in picture bytes: everything that is not pixels or colours is found."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from dbgan.corpus.privacy import metadata_in
from tests.corpus.tiny import picture, png

JPEG = cv2.imencode(".jpg", picture(1, 32))[1].tobytes()
PROGRESSIVE = cv2.imencode(".jpg", picture(1, 32), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
PNG = png(picture(1))
PROFILE = (140).to_bytes(4, "big") + bytes(32) + b"acsp" + bytes(100)


def segment(code: int, body: bytes) -> bytes:
    """A JPEG marker segment."""
    return bytes((0xFF, code)) + (len(body) + 2).to_bytes(2, "big") + body


def chunk(kind: bytes, body: bytes) -> bytes:
    """A PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def in_jpeg(part: bytes) -> bytes:
    """JPEG with a segment after SOI."""
    return JPEG[:2] + part + JPEG[2:]


def in_png(part: bytes) -> bytes:
    """PNG with a chunk after IHDR."""
    return PNG[:33] + part + PNG[33:]


@pytest.mark.parametrize("data", [JPEG, PROGRESSIVE])
def test_what_our_jpeg_encoder_writes_is_clean(data: bytes) -> None:
    assert metadata_in(data, "jpg") == []


def test_what_our_png_encoder_writes_is_clean() -> None:
    assert metadata_in(PNG, "png") == []


def test_colour_profiles_and_adobes_transform_flag_are_no_metadata() -> None:
    adobe = segment(0xEE, b"Adobe" + bytes(7))
    icc = segment(0xE2, b"ICC_PROFILE\x00\x01\x02" + PROFILE[:70]) + segment(
        0xE2, b"ICC_PROFILE\x00\x02\x02" + PROFILE[70:]
    )
    assert metadata_in(in_jpeg(icc + adobe), "jpg") == []
    iccp = chunk(b"iCCP", b"icc\x00\x00" + zlib.compress(PROFILE))
    assert metadata_in(in_png(chunk(b"gAMA", bytes(4)) + chunk(b"sRGB", b"\x00") + iccp), "png") == []


@pytest.mark.parametrize("profile", [b"48.1351, 11.5820", PROFILE + b"Anna", PROFILE[:-1], bytes(128)])
def test_what_is_no_colour_profile_is_found_in_its_place(profile: bytes) -> None:
    found = metadata_in(in_jpeg(segment(0xE2, b"ICC_PROFILE\x00\x01\x01" + profile)), "jpg")
    assert found == [f"{len(profile)} bytes of ICC_PROFILE, no colour profile"]
    for body in (b"icc\x00\x00" + zlib.compress(profile), b"icc\x00\x00" + zlib.compress(PROFILE) + b"Anna"):
        assert metadata_in(in_png(chunk(b"iCCP", body)), "png") == [
            f"chunk iCCP of {len(body)} bytes, no colour profile"
        ]


def test_what_a_profile_carries_beside_colours_is_found() -> None:
    text = b"text" + bytes(4) + b"Annas screen"
    tagged = (164).to_bytes(4, "big") + PROFILE[4:128] + b"\0\0\0\1mmod\0\0\0\x90\0\0\0\x14" + text
    dated = PROFILE[:24] + b"\x07" + PROFILE[25:]
    for profile, named in ((tagged, "with tag mmod of 20 bytes"), (dated, "with header bytes 24 to 35")):
        [found] = metadata_in(in_jpeg(segment(0xE2, b"ICC_PROFILE\x00\x01\x01" + profile)), "jpg")
        assert found == f"{len(profile)} bytes of ICC_PROFILE, {named}"
        [found] = metadata_in(in_png(chunk(b"iCCP", b"icc\x00\x00" + zlib.compress(profile))), "png")
        assert found.endswith(named)


def test_a_named_colour_profile_is_found() -> None:
    body = b"Annas screen\x00\x00" + zlib.compress(PROFILE)
    assert "no colour profile" in metadata_in(in_png(chunk(b"iCCP", body)), "png")[0]


@pytest.mark.parametrize(
    ("part", "named"),
    [
        (segment(0xE1, b"Exif\x00\x00MM\x00*"), "EXIF"),
        (segment(0xE1, b"http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta/>"), "XMP"),
        (segment(0xE1, b"http://ns.adobe.com/xmp/extension/\x00"), "XMP"),
        (segment(0xE2, b"MPF\x00II*\x00"), "MPF"),
        (segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\x00"), "segment FFE2"),
        (segment(0xED, b"Photoshop 3.0\x008BIM"), "IPTC"),
        (segment(0xE0, b"JFXX\x00\x10"), "JFXX"),
        (segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x01\x01abc"), "segment FFE0"),
        (segment(0xEE, b"Adobe" + bytes(7) + b"Anna"), "segment FFEE"),
        (segment(0xFE, b"made by Anna"), "a comment"),
        (segment(0xEF, b"maker note"), "segment FFEF"),
        (segment(0xE4, b""), "segment FFE4"),
    ],
)
def test_every_other_jpeg_segment_is_found(part: bytes, named: str) -> None:
    assert [found[: len(named)] for found in metadata_in(in_jpeg(part), "jpg")] == [named]


@pytest.mark.parametrize("kind", [b"eXIf", b"tEXt", b"iTXt", b"zTXt", b"tIME", b"pHYs", b"acTL", b"prVt", b"caBX"])
def test_every_other_png_chunk_is_found(kind: bytes) -> None:
    assert metadata_in(in_png(chunk(kind, b"Anna")), "png") == [f"chunk {kind.decode()} of 4 bytes"]


def test_a_comment_between_the_scans_of_a_progressive_jpeg_is_found() -> None:
    second = PROGRESSIVE.index(b"\xff\xda", PROGRESSIVE.index(b"\xff\xda") + 2)
    data = PROGRESSIVE[:second] + segment(0xFE, b"Anna") + PROGRESSIVE[second:]
    assert metadata_in(data, "jpg") == ["a comment of 4 bytes"]


@pytest.mark.parametrize(("data", "ext"), [(JPEG, "jpg"), (PNG, "png")])
def test_bytes_after_the_picture_are_found(data: bytes, ext: str) -> None:
    assert metadata_in(data + JPEG, ext) == [f"{len(JPEG)} bytes after the end"]


@pytest.mark.parametrize(("data", "ext"), [(JPEG, "jpg"), (PNG, "png")])
def test_any_cut_is_found_and_never_raises(data: bytes, ext: str) -> None:
    assert all(metadata_in(data[:length], ext) for length in range(len(data)))


@pytest.mark.parametrize(("data", "ext"), [(JPEG, "jpg"), (PNG, "png"), (PROGRESSIVE, "jpg")])
def test_any_changed_byte_never_raises(data: bytes, ext: str) -> None:
    draw = np.random.default_rng(0)
    for _ in range(2000):
        changed = bytearray(data)
        for position in draw.integers(0, len(data), 3):
            changed[position] = draw.integers(256)
        assert isinstance(metadata_in(bytes(changed), ext), list)


def test_a_picture_of_the_other_type_is_found() -> None:
    assert metadata_in(PNG, "jpg") == ["no JPEG at all"]
    assert metadata_in(JPEG, "png") == ["no PNG at all"]


def test_every_real_phone_photo_is_found_to_carry_metadata(shared_data: Path) -> None:
    photos = sorted(p for p in (shared_data / "exif" / "phone").rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    assert photos
    for photo in photos:
        assert metadata_in(photo.read_bytes(), "jpg"), photo.name


@pytest.mark.parametrize(("kind", "size"), [(b"gAMA", 4), (b"cHRM", 32), (b"sRGB", 1), (b"sBIT", 4)])
def test_what_stands_behind_a_chunk_s_values_is_found(kind: bytes, size: int) -> None:
    assert metadata_in(in_png(chunk(kind, bytes(size))), "png") == []
    assert metadata_in(in_png(chunk(kind, bytes(size) + b"Anna")), "png") == [
        f"chunk {kind.decode()} of {size + 4} bytes"
    ]


def test_what_stands_behind_the_pixels_in_their_own_chunk_is_found() -> None:
    start, end = PNG.index(b"IDAT") - 4, PNG.index(b"IEND") - 4
    body = PNG[start + 8 : end - 4]
    longer = zlib.compress(zlib.decompress(body) + b"Anna")
    for hidden in (
        chunk(b"IDAT", body + b"Anna"),
        chunk(b"IDAT", body) + chunk(b"IDAT", b"Anna"),
        chunk(b"IDAT", longer),
    ):
        assert metadata_in(PNG[:start] + hidden + PNG[end:], "png") == ["4 bytes behind the pixels inside IDAT"]


def test_a_jpeg_s_line_count_segment_is_found() -> None:
    assert metadata_in(in_jpeg(segment(0xDC, b"Anna")), "jpg") == ["segment FFDC of 4 bytes"]
