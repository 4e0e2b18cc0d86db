"""JPEGs: the segments that are kept, and damage that libjpeg paints over."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dbgan.errors import ImageError
from dbgan.image import codec
from dbgan.image.profile import reduced
from tests.image.pictures import PICTURE, SRGB, exif_with, reason, saved


def test_a_jpeg_s_line_count_segment_is_dropped() -> None:
    plain = saved(Image.fromarray(PICTURE), "JPEG")
    stored = codec.store(plain[:2] + b"\xff\xdc\x00\x08SECRET" + plain[2:], "jpg")
    assert stored.kept
    assert b"SECRET" not in stored.data


def test_kept_jpeg_ends_at_its_first_picture_and_says_nothing_private() -> None:
    exif = exif_with(1)
    exif.get_ifd(0x8825)[2] = (52.0, 30.0, 12.0)
    plain = saved(Image.fromarray(PICTURE), "JPEG", exif=exif, comment=b"by Anna", icc_profile=SRGB)
    stored = codec.store(plain + plain, "jpg")
    assert stored.kept
    assert stored.warnings == ("trailing_data",)
    assert stored.data.endswith(b"\xff\xd9")
    for forbidden in (b"Exif", b"Anna", b"Maker", b"JFIF"):
        assert forbidden not in stored.data
    image = Image.open(io.BytesIO(stored.data))
    assert image.info["icc_profile"] == reduced(SRGB)
    assert np.array_equal(np.asarray(image), np.asarray(Image.open(io.BytesIO(plain))))


def test_a_rotated_jpeg_is_encoded_upright() -> None:
    data = saved(Image.fromarray(PICTURE), "JPEG", quality=95, exif=exif_with(6))
    stored = codec.store(data, "jpg")
    assert not stored.kept
    assert stored.warnings == ("rotated", "lossy")
    assert stored.pixels.shape == (80, 48, 3)
    assert np.array_equal(codec.decode(stored.data), stored.pixels)
    assert np.abs(stored.pixels.astype(int) - codec.decode(data)).mean() < 2


def test_dropping_jfif_never_changes_colours() -> None:
    """JFIF says YCbCr and wins over Adobe's "RGB": such a file cannot be kept without JFIF, so it is encoded anew."""
    plain = saved(Image.fromarray(PICTURE), "JPEG")
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    end_of_app0 = 4 + int.from_bytes(plain[4:6], "big")
    data = plain[:end_of_app0] + adobe + plain[end_of_app0:]
    assert np.array_equal(codec.decode(data), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert not codec.store(data, "jpg").kept
    assert codec.store(plain, "jpg").kept


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}, {"subsampling": 0}])
@pytest.mark.parametrize("share", [0.55, 0.8, 0.95])
def test_a_cut_jpeg_is_truncated_even_with_an_end_marker(options: dict[str, object], share: float) -> None:
    large = np.tile(PICTURE, (3, 3, 1))
    whole = saved(Image.fromarray(large), "JPEG", quality=90, **options)
    header = whole.index(b"\xff\xda")
    cut = whole[: header + int(share * (len(whole) - header))]
    assert codec.decode(whole).shape == large.shape
    assert reason(cut) == "truncated"
    assert reason(cut + b"\xff\xd9") == "truncated"


def test_a_jpeg_with_grey_stripes_is_truncated() -> None:
    """Data lost before a restart marker leaves the end of that stretch grey, in the middle of the picture."""
    whole = saved(Image.fromarray(PICTURE), "JPEG", quality=90, subsampling=0, restart_marker_rows=1)
    marker = whole.index(b"\xff\xd2")
    before = whole.index(b"\xff\xd1")
    assert codec.decode(whole).shape == PICTURE.shape
    assert reason(whole[: before + (marker - before) // 2] + whole[marker:]) == "truncated"


def test_a_jpeg_whose_data_does_not_fit_between_its_restart_markers_is_damaged() -> None:
    """libjpeg decodes such files to stripes and only warns."""
    large = np.tile(PICTURE, (3, 3, 1))
    whole = saved(Image.fromarray(large), "JPEG", quality=90, subsampling=0, restart_marker_rows=1)
    assert np.array_equal(codec.decode(whole), np.asarray(Image.open(io.BytesIO(whole))))
    second, third = whole.index(b"\xff\xd1"), whole.index(b"\xff\xd2")
    surplus = whole[:second] + bytes(range(1, 60)) + whole[second:]
    assert reason(surplus) == "unreadable"
    swapped = whole[: second + 1] + b"\xd2" + whole[second + 2 : third + 1] + b"\xd1" + whole[third + 2 :]
    assert reason(swapped) == "unreadable"
    twice = whole[:third] + whole[second:third] + whole[third:]
    assert reason(twice) == "unreadable"


def coded_jpeg(mode: str = "RGB", **options: object) -> tuple[bytes, int]:
    """A JPEG of 8x8 blocks with much in them, and where its coded data starts.

    Of one draw in four, what a loss leaves is valid code by chance, which nobody can tell (`jpeg.check`). Not of this.
    """
    noisy = np.random.default_rng(5).integers(0, 256, (96, 160, 3)).astype(np.uint8)
    data = saved(Image.fromarray(noisy).convert(mode), "JPEG", quality=92, **options)
    return data, data.index(b"\xff\xda") + 14


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 2}, {"subsampling": 2}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_libjpeg_repairs_is_refused(mode: str, options: dict[str, object]) -> None:
    """200 bytes lost in the coded data: libjpeg paints a picture of shifted blocks and only warns."""
    whole, start = coded_jpeg(mode, **options)
    middle = start + (len(whole) - start) // 2
    hurt = whole[:middle] + whole[middle + 200 :]
    assert np.asarray(Image.open(io.BytesIO(hurt))).shape[:2] == (96, 160)
    if mode == "CMYK" and "subsampling" in options:  # TurboJPEG cannot read this sampling, not even of a sound file
        assert reason(hurt) == reason(whole) == "unsupported_mode"
        return
    assert reason(hurt) in ("truncated", "unreadable")
    codec.decode(whole, thorough=True)
    with pytest.raises(ImageError):
        codec.store(hurt, "png")


def test_zeros_before_the_end_marker_are_padding_and_other_bytes_are_damage() -> None:
    whole, _ = coded_jpeg()
    padded = whole[:-2] + bytes(50) + whole[-2:]
    assert np.array_equal(codec.decode(padded, thorough=True), codec.decode(whole))
    assert reason(whole[:-2] + b"\x12\x34" * 25 + whole[-2:]) == "unreadable"


def test_a_refused_jpeg_writes_nothing_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    whole, start = coded_jpeg()
    reason(whole[: start + 300] + bytes(90) + whole[start + 390 :])
    assert capfd.readouterr().err == ""


def test_a_picture_that_is_grey_to_its_end_is_whole() -> None:
    grey = np.full((32, 32, 3), 128, np.uint8)
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 1}):
        assert (codec.decode(saved(Image.fromarray(grey), "JPEG", **options)) == 128).all()
