"""A restored photograph is of its own kind, with its colours and capture time, and without its position."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from dbgan.corpus.layout import empty_meta
from dbgan.deblur import picture
from dbgan.image import colour
from dbgan.image.codec import decode
from dbgan.image.metadata import position, read_allowed

GPS = {1: "N", 2: (48.0, 8.0, 14.5), 3: "E", 4: (11.0, 34.0, 31.0)}
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)


def photo_file(form: str = "JPEG", **options: Any) -> bytes:
    """A file with make, capture time, exposure, serial number, position, orientation."""
    block = Image.Exif()
    block[0x010F], block[0x0110], block[0x0112] = "Google", "Pixel 8", 6
    block.get_ifd(0x8769).update({0x9003: "2024:05:06 07:08:09", 0x829A: 0.02, 0xA431: "SERIAL-1"})
    block.get_ifd(0x8825).update(GPS)
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, form, exif=block.tobytes(), **options)
    return buffer.getvalue()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".heic", ".avif", ".bmp", ".ppm"])
def test_every_format_that_can_be_written_is_read_again(suffix: str) -> None:
    photo = picture.read(photo_file(), keep_location=False)
    restored = np.ascontiguousarray(photo.pixels[::-1])
    data = picture.write(restored, photo, suffix)
    found = decode(data)
    assert found.shape == restored.shape
    if suffix in (".png", ".tif", ".webp", ".bmp", ".ppm"):
        assert np.array_equal(found, restored)
    else:
        assert np.abs(found.astype(int) - restored).mean() < 6
    if picture.SUFFIXES[suffix] in picture.CARRIES_EXIF:
        meta = read_allowed(data)
        assert (meta["captured_at"], meta["device"]) == ("2024-05-06T07:08:09", "Google Pixel 8")
        assert meta["exposure_s"] == pytest.approx(0.02)
        assert not picture.lost(photo, Path(f"x{suffix}"))
    else:
        assert "capture time" in picture.lost(photo, Path(f"x{suffix}"))[0]
    assert b"SERIAL-1" not in data
    assert position(data) == {}


def test_upright_pixels_lose_their_orientation() -> None:
    data = photo_file("PNG")
    photo = picture.read(data, keep_location=False)
    assert np.array_equal(photo.pixels, np.rot90(PIXELS, -1))
    again = picture.read(picture.write(photo.pixels, photo, ".png"), keep_location=False)
    assert np.array_equal(again.pixels, photo.pixels), "it is not turned a second time"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".heic", ".avif"])
def test_a_position_is_kept_only_when_asked_for(suffix: str) -> None:
    assert position(photo_file())[1] == "N"
    photo = picture.read(photo_file(), keep_location=True)
    found = position(picture.write(photo.pixels, photo, suffix))
    assert (found[1], found[3]) == ("N", "E")
    assert [float(v) for v in found[2]] == pytest.approx([48.0, 8.0, 14.5])


def test_a_broken_position_is_none() -> None:
    assert position(b"") == {}
    assert position(photo_file()[:60]) == {}


def test_a_colour_profile_stays(shared_data: Path) -> None:
    """Display P3 of a phone: reduced to what colours need, and of the same colours."""
    found = next(p for p in sorted((shared_data / "exif").rglob("*.*")) if _wide(p))
    photo = picture.read(found.read_bytes(), keep_location=False)
    assert photo.profile
    for suffix in (".jpg", ".png", ".tif"):
        made = Image.open(io.BytesIO(picture.write(photo.pixels[:50, :50], photo, suffix)))
        assert made.info["icc_profile"] == photo.profile


def _wide(path: Path) -> bool:
    try:
        photo = picture.read(path.read_bytes(), keep_location=False)
    except Exception:
        return False
    profile = colour.load(photo.profile) if photo.profile else None
    return profile is not None and not profile.is_srgb


def test_srgb_profiles_stay_too() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = picture.read(photo_file(icc_profile=profile), keep_location=False)
    made = Image.open(io.BytesIO(picture.write(photo.pixels, photo, ".jpg")))
    assert made.info["icc_profile"] == photo.profile != b""


def test_without_metadata_there_is_no_exif() -> None:
    assert picture.exif(empty_meta(), {}) == b""


def test_the_same_picture_gives_the_same_bytes() -> None:
    photo = picture.read(photo_file(), keep_location=True)
    for suffix in (".jpg", ".png", ".tif"):
        assert picture.write(photo.pixels, photo, suffix) == picture.write(photo.pixels, photo, suffix)
