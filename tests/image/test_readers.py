"""Every format decoded upright to 8-bit RGB, checked by Pillow; and the files of several pictures."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from dbgan.image import codec
from tests.image.pictures import PICTURE, exif_with, reason, saved


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_pictures_stand_upright_as_pillow_says(fmt: str, orientation: int) -> None:
    options = {"lossless": True} if fmt == "WEBP" else {}
    data = saved(Image.fromarray(PICTURE), fmt, exif=exif_with(orientation), **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    assert np.array_equal(codec.decode(data), expected)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_heif_is_rotated_once(orientation: int) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    heif = pillow_heif.from_pillow(Image.fromarray(PICTURE))
    heif.save(buffer, exif=exif_with(orientation).tobytes(), quality=-1, chroma=444)
    upright = np.rot90(PICTURE, {1: 0, 3: 2, 6: -1, 8: 1}[orientation])
    decoded = codec.decode(buffer.getvalue())
    assert decoded.shape == upright.shape
    assert np.abs(decoded.astype(int) - upright).max() < 12  # YCbCr rounding of a lossless encoder


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGB", "YCbCr"])
def test_modes_without_transparency_follow_pillow(mode: str) -> None:
    image = Image.fromarray(PICTURE).convert(mode)
    fmt = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    data = saved(image, fmt)
    assert np.array_equal(codec.decode(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_composited_over_black(mode: str) -> None:
    alpha = np.linspace(0, 255, PICTURE.shape[1]).astype(np.uint8)[None, :].repeat(PICTURE.shape[0], 0)
    image = Image.fromarray(np.dstack([PICTURE, alpha])).convert(mode)
    expected = np.round(np.asarray(image.convert("RGB")) * (alpha[..., None] / 255.0))
    assert np.abs(codec.decode(saved(image, "PNG")) - expected).max() <= 1


def test_sixteen_bits_keep_the_high_byte() -> None:
    rng = np.random.default_rng(3)
    grey = rng.integers(0, 65536, (9, 11)).astype(np.uint16)
    colour = rng.integers(0, 65536, (9, 11, 3)).astype(np.uint16)
    colour_png = cv2.imencode(".png", colour)[1].tobytes()
    for fmt in ("PNG", "TIFF"):
        assert np.array_equal(codec.decode(saved(Image.fromarray(grey), fmt))[..., 1], grey >> 8)
    assert np.array_equal(codec.decode(colour_png)[..., ::-1], colour >> 8)
    assert np.array_equal(codec.decode(colour_png), np.asarray(Image.open(io.BytesIO(colour_png)).convert("RGB")))


@pytest.mark.parametrize(("compression", "mode"), [("jpeg", "RGB"), ("group4", "1"), ("group3", "1")])
def test_a_tiff_of_which_damage_cannot_be_told_is_refused(compression: str, mode: str) -> None:
    data = saved(Image.fromarray(PICTURE).convert(mode), "TIFF", compression=compression)
    assert reason(data) == "unsupported_mode"
    for sound in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        assert np.array_equal(codec.decode(saved(Image.fromarray(PICTURE), "TIFF", compression=sound)), PICTURE)


def test_animations_are_refused_and_single_frames_are_not() -> None:
    frames = [Image.fromarray(PICTURE), Image.fromarray(PICTURE[:, ::-1].copy())]
    for fmt in ("GIF", "WEBP", "PNG", "AVIF"):
        assert reason(saved(frames[0], fmt, save_all=True, append_images=frames[1:])) == "animated"
        assert codec.decode(saved(frames[0], fmt)).shape == PICTURE.shape


def test_the_first_page_of_a_tiff_is_taken_and_said() -> None:
    pages = [Image.fromarray(PICTURE), Image.fromarray(PICTURE // 2)]
    stored = codec.store(saved(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "png")
    assert np.array_equal(stored.pixels, PICTURE)
    assert "first_of_several" in stored.warnings


def test_the_primary_picture_of_a_heif_with_several_is_taken_and_said() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    first, second = Image.new("RGB", (64, 48), (200, 0, 0)), Image.new("RGB", (64, 48), (0, 0, 200))
    for several in (False, True):
        made = pillow_heif.from_pillow(first)
        if several:
            made.add_from_pillow(second)
        buffer = io.BytesIO()
        made.save(buffer, save_all=True)
        stored = codec.store(buffer.getvalue(), "png")
        assert stored.pixels[..., 0].min() > 150
        assert ("first_of_several" in stored.warnings) is several


@pytest.mark.parametrize("packed", ["tiff_adobe_deflate", "tiff_lzw"])
def test_a_damaged_tiff_is_refused_without_lines_of_libtiff_that_name_no_file(
    packed: str, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = bytearray(saved(Image.fromarray(PICTURE), "TIFF", compression=packed))
    codec.decode(bytes(whole))
    for at in range(len(whole) // 4, len(whole) // 4 + 40):
        whole[at] ^= 0xFF
    assert reason(bytes(whole)) == "unreadable"
    assert capfd.readouterr().err == ""
