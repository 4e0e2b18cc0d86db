"""Encoding, limits, and refusals of made and of real files, checked by Pillow."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from dbgan.corpus.layout import REJECT_REASONS
from dbgan.errors import ImageError
from dbgan.image import codec
from tests.image.pictures import PICTURE, exif_with, raw_png, reason, saved


def test_png_encoding_is_lossless_and_repeatable() -> None:
    first, again = codec.encode(PICTURE, "png"), codec.encode(PICTURE.copy(), "png")
    assert first == again
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(first))), PICTURE)


def test_jpeg_encoding_is_444_at_quality_98() -> None:
    image = Image.open(io.BytesIO(codec.encode(PICTURE, "jpg")))
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3
    quantised = saved(Image.fromarray(PICTURE), "JPEG", quality=98, subsampling=0)
    assert image.quantization == Image.open(io.BytesIO(quantised)).quantization


def test_files_that_nothing_here_reads_say_what_they_are() -> None:
    for start in (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"):
        assert reason(start + bytes(50)) == "unsupported_mode"


def test_sizes_are_limited_by_the_header() -> None:
    data = saved(Image.fromarray(PICTURE), "PNG")
    assert reason(data, max_pixels=48 * 80 - 1) == "too_large"
    assert reason(data, min_side=49) == "too_small"
    assert codec.decode(data, max_pixels=48 * 80, min_side=48).shape == (48, 80, 3)
    assert reason(raw_png(60_000, 60_000, 2, b"")) == "too_large"


def test_a_picture_too_long_for_a_jpeg_is_refused_where_one_must_be_written() -> None:
    long = np.zeros((2, 66_000, 3), np.uint8)
    data = saved(Image.fromarray(long), "PNG")
    with pytest.raises(ImageError, match="too_large"):
        codec.store(data, "jpg")
    assert codec.store(data, "png").kept


@pytest.mark.parametrize("data", [b"", b"no picture at all", b"\x00" * 64, b"%PDF-1.7"])
def test_what_is_no_picture_says_so(data: bytes) -> None:
    assert reason(data) == "not_an_image"


def test_damaged_bytes_raise_nothing_but_image_errors() -> None:
    """A sweep of flipped and cut bytes over every format; the assertion is that no other exception escapes."""
    image = Image.fromarray(PICTURE)
    inputs = [saved(image, fmt) for fmt in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF")]
    inputs += [saved(image.convert("P"), "PNG"), saved(image, "JPEG", progressive=True, exif=exif_with(6))]
    rng = np.random.default_rng(3)
    decoded = refused = 0
    for data in inputs:
        for _ in range(40):
            hurt = bytearray(data)
            for place in rng.integers(0, min(len(hurt), 400), 3):
                hurt[place] = rng.integers(0, 256)
            try:
                decoded += codec.decode(bytes(hurt[: rng.integers(1, len(hurt) + 1)]), max_pixels=10**6).ndim == 3
            except ImageError as error:
                refused += error.reason in REJECT_REASONS
    assert decoded + refused == 40 * len(inputs)
    assert refused > 200


EXPECTED_REJECTS = {
    "17000x17000.avif": "too_large",
    "65536-uint32-limit.png": "too_large",
    "big-height.webp": "animated",
    "broken.png": "unreadable",
    "broken_data_stream.png": "unreadable",
    "corrupt-header.jpg": "truncated",
    "corrupted.heic": "unreadable",
    "corrupted.mp4": "not_an_image",
    "decompression_bomb.gif": "too_large",
    "crash-0da013a13571cc8eb457a39fee8db18f8a3c7127.tif": "unsupported_mode",
    "dispose_bgnd.gif": "animated",
    "empty.jpg": "not_an_image",
    "exif_corrupted.jpg": "truncated",
    "hopper.Lab.tif": "unsupported_mode",
    "hopper_bad_exif.jpg": "unreadable",
    "invalid_multiframe.gif": "animated",
    "iss634.webp": "animated",
    "negative_size.ppm": "not_an_image",
    "photoprism_broken.jpg": "truncated",
    "pngsuite_xc1n0g08.png": "unreadable",
    "pngsuite_xcsn0g01.png": "unreadable",
    "pngsuite_xs1n0g01.png": "not_an_image",
    "sharp_truncated.jpg": "truncated",
    "small_jpeg.jpg": "unsupported_mode",
    "small_png-truncated.png": "truncated",
    "truncated.heic": "truncated",
    "truncated_image.png": "truncated",
    "truncated_jpeg.jpg": "truncated",
    "vips_truncated.gif": "truncated",
    "zero_width.gif": "unreadable",
}

ALPHA_OR_16_BIT = {"16bit.cropped.tif", "RGBA_8__29x100.heif", "i_trns.png", "pngsuite_basn6a16.png", "transparent.png"}
"""Files where our documented rule (over black, high byte) differs from Pillow's bare convert("RGB")."""


def test_every_malformed_file_is_refused_with_its_reason_or_decodes_as_pillow_does(shared_data: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    rejects = {}
    for path in sorted((shared_data / "malformed").iterdir()):
        data = path.read_bytes()
        try:
            pixels = codec.decode(data, thorough=True)
        except ImageError as error:
            rejects[path.name] = error.reason
            continue
        if path.name in ALPHA_OR_16_BIT or path.name in ("png_decompression_dos.png", "unknown_compression_method.png"):
            continue  # the last two: Pillow refuses their text chunks, which we never read
        heif = codec.sniff(data) == "heif"
        image = pillow_heif.open_heif(io.BytesIO(data)).to_pillow() if heif else Image.open(io.BytesIO(data))
        assert np.array_equal(pixels, np.asarray(ImageOps.exif_transpose(image).convert("RGB"))), path.name
    assert rejects == EXPECTED_REJECTS


def test_real_photos_keep_their_pixels(shared_data: Path) -> None:
    kept = 0
    for path in sorted((shared_data / "exif").rglob("*.*")):
        data = path.read_bytes()
        if len(data) > 400_000:
            continue
        stored = codec.store(data, "jpg")
        assert np.array_equal(codec.decode(stored.data), stored.pixels), path.name
        if stored.kept:
            kept += 1
            assert np.array_equal(stored.pixels, np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))), path.name
    assert kept > 5
