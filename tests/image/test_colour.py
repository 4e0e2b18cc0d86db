"""Colour profiles: kept or converted, checked by Pillow's own conversion; broken ones never raise."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from dbgan.corpus.privacy import metadata_in
from dbgan.image import codec, colour
from dbgan.image.profile import reduced
from tests.image.pictures import PICTURE, SRGB, saved

IMAGE = Image.fromarray(PICTURE)


def s15(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def matrix_profile(columns: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """A minimal matrix/TRC display profile (ICC.1:2022, 8.3.3), written by hand from primaries in D50 XYZ."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    points = [b"XYZ " + bytes(4) + b"".join(map(s15, xyz)) for xyz in (*columns, (0.9642, 1.0, 0.8249))]
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"hand\0" + bytes(78) + bytes(1)
    blocks = [*points, curve, text]
    starts = [128 + 4 + 12 * 8]
    for block in blocks:
        starts.append(starts[-1] + len(block))
    names = ((b"rXYZ", 0), (b"gXYZ", 1), (b"bXYZ", 2), (b"wtpt", 3), *((n, 4) for n in (b"rTRC", b"gTRC", b"bTRC")))
    table = [*names, (b"desc", 5)]
    body = struct.pack(">I", len(table))
    body += b"".join(name + struct.pack(">II", starts[i], len(blocks[i])) for name, i in table) + b"".join(blocks)
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), b"lcms", 0x02200000, b"mntr", b"RGB ", b"XYZ ")
    head = head + bytes(12) + b"acsp" + bytes(28) + s15(0.9642) + s15(1.0) + s15(0.8249)
    return head.ljust(128, b"\0") + body


WIDE = matrix_profile(((0.515, 0.241, -0.001), (0.292, 0.692, 0.042), (0.157, 0.067, 0.784)), 2.2)
"""Display P3's primaries, with a plain gamma."""


def by_pillow(image: Image.Image, profile: bytes) -> np.ndarray:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return np.asarray(ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB"))


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_another_profile_is_converted_as_pillow_does(fmt: str) -> None:
    options = {"lossless": True} if fmt == "WEBP" else {}
    data = saved(IMAGE, fmt, icc_profile=WIDE, **options)
    stored = codec.store(data, "png", icc="srgb")
    assert np.array_equal(stored.pixels, by_pillow(Image.open(io.BytesIO(data)), WIDE))
    assert not np.array_equal(stored.pixels, codec.decode(data))
    assert (stored.kept, stored.warnings) == (False, ("colours_converted",))
    assert "icc_profile" not in Image.open(io.BytesIO(stored.data)).info
    assert np.array_equal(codec.decode(stored.data), stored.pixels)


@pytest.mark.parametrize("ext", ["png", "jpg"])
def test_srgb_under_any_name_is_kept_and_not_converted(ext: str) -> None:
    data = saved(IMAGE, {"png": "PNG", "jpg": "JPEG"}[ext], icc_profile=SRGB)
    stored = codec.store(data, ext, icc="srgb")
    assert (stored.kept, stored.warnings) == (True, ())
    assert np.array_equal(stored.pixels, codec.decode(data))


@pytest.mark.parametrize("ext", ["png", "jpg"])
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "TIFF"])
def test_keep_leaves_pixels_and_passes_the_profile_on(fmt: str, ext: str) -> None:
    data = saved(IMAGE, fmt, icc_profile=WIDE)
    stored = codec.store(data, ext)
    image = Image.open(io.BytesIO(stored.data))
    assert image.info["icc_profile"] == reduced(WIDE)
    assert np.array_equal(np.asarray(image), stored.pixels)
    assert metadata_in(stored.data, ext) == []
    if ext == "png":
        assert np.array_equal(stored.pixels, codec.decode(data))


def test_a_profile_of_many_segments_is_embedded_whole(shared_data: Path) -> None:
    big = Image.open(shared_data / "malformed" / "icc_profile_big.jpg").info["icc_profile"]
    assert len(reduced(big)) > 4 * 65_519
    stored = codec.store(saved(IMAGE, "TIFF", icc_profile=big), "jpg")
    assert Image.open(io.BytesIO(stored.data)).info["icc_profile"] == reduced(big)
    assert metadata_in(stored.data, "jpg") == []
    assert codec.store(stored.data, "jpg").data == codec.store(stored.data, "jpg", icc="keep").data


def test_a_rotated_picture_is_converted_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(IMAGE, "JPEG", icc_profile=WIDE, exif=exif)
    stored = codec.store(data, "png", icc="srgb")
    assert np.array_equal(stored.pixels, by_pillow(ImageOps.exif_transpose(Image.open(io.BytesIO(data))), WIDE))
    assert stored.warnings == ("rotated", "colours_converted")


def test_the_name_of_a_png_profile_is_not_kept() -> None:
    data = saved(IMAGE, "PNG", icc_profile=WIDE)
    named = data.replace(b"iCCPICC Profile\0", b"iCCPAnnas  Mac.\0")
    assert named != data
    body = named.index(b"iCCP")
    length = int.from_bytes(named[body - 4 : body], "big")
    crc = zlib.crc32(named[body : body + 4 + length]).to_bytes(4, "big")
    named = named[: body + 4 + length] + crc + named[body + 8 + length :]
    stored = codec.store(named, "png")
    assert stored.kept
    assert b"Annas" not in stored.data
    assert Image.open(io.BytesIO(stored.data)).info["icc_profile"] == reduced(WIDE)


BROKEN = [b"profile" * 30, WIDE[:200], b"", bytes(128), WIDE[:36] + b"xxxx" + WIDE[40:], WIDE + b"Anna's secret"]


@pytest.mark.parametrize("icc", ["keep", "srgb"])
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("profile", BROKEN[:2] + BROKEN[3:])
def test_a_broken_profile_is_left_out_and_said(profile: bytes, fmt: str, icc: codec.Icc) -> None:
    data = saved(IMAGE, fmt, icc_profile=profile)
    for ext in ("png", "jpg"):
        stored = codec.store(data, ext, icc=icc)
        assert "profile_ignored" in stored.warnings
        assert "icc_profile" not in Image.open(io.BytesIO(stored.data)).info
    assert np.array_equal(codec.store(data, "png", icc=icc).pixels, codec.decode(data))


def test_any_changed_byte_of_a_profile_never_raises() -> None:
    draw = np.random.default_rng(0)
    for _ in range(300):
        hurt = bytearray(WIDE)
        for place in draw.integers(0, len(hurt), 4):
            hurt[place] = draw.integers(256)
        found = colour.load(bytes(hurt))
        assert found is None or found.to_srgb(Image.new(found.mode, (2, 2))).shape == (2, 2, 3)


def test_grey_and_cmyk_lose_a_profile_that_rgb_cannot_have(shared_data: Path) -> None:
    path = shared_data / "exif" / "phone" / "multiple-icc-segments.jpg"
    data = path.read_bytes()
    profile = Image.open(path).info["icc_profile"]
    converted = codec.store(data, "png", icc="srgb")
    assert np.array_equal(converted.pixels, by_pillow(Image.open(path), profile))
    assert "colours_converted" in converted.warnings
    kept = codec.store(data, "png")
    assert np.array_equal(kept.pixels, np.asarray(Image.open(path).convert("RGB")))
    assert "icc_profile" not in Image.open(io.BytesIO(kept.data)).info
    grey = codec.store(saved(IMAGE.convert("L"), "JPEG", icc_profile=WIDE), "png", icc="srgb")
    assert grey.warnings == ("profile_ignored",)


@pytest.mark.parametrize(
    "name", ["heic/apple-iphone-7.heic", "phone-sequence/apple-iphone-11/IMG_5810.JPG", "orientation/portrait_6.jpg"]
)
def test_real_phone_pictures_are_converted_as_pillow_does(shared_data: Path, name: str) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    data = (shared_data / "exif" / name).read_bytes()
    heif = name.endswith("heic")
    image = pillow_heif.open_heif(io.BytesIO(data)).to_pillow() if heif else Image.open(io.BytesIO(data))
    profile = image.info["icc_profile"]
    image = image if heif else ImageOps.exif_transpose(image)
    stored = codec.store(data, "png", icc="srgb")
    assert np.array_equal(stored.pixels, by_pillow(image.convert("RGB"), profile))
    assert "colours_converted" in stored.warnings
    assert not stored.kept
