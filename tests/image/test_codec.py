"""Decoding, kept bytes and refusals, checked by Pillow or by the bytes themselves."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from dbgan.corpus.layout import REJECT_REASONS
from dbgan.corpus.privacy import metadata_in
from dbgan.errors import ImageError
from dbgan.image import codec, colour, png
from dbgan.image.profile import reduced

RNG = np.random.default_rng(3)
PICTURE = cv2.GaussianBlur(RNG.integers(0, 256, (48, 80, 3)).astype(np.uint8), (0, 0), 1.5)


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(image: Image.Image, fmt: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(width: int, height: int, colour: int, packed: bytes, *extra: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    middle = b"".join(extra)
    return png.SIGNATURE + chunk(b"IHDR", header) + middle + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def reason(data: bytes, **limits: int) -> str:
    with pytest.raises(ImageError) as caught:
        codec.decode(data, thorough=True, **limits)
    assert caught.value.reason in REJECT_REASONS
    return caught.value.reason


def exif_with(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    return exif


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
    grey = RNG.integers(0, 65536, (9, 11)).astype(np.uint16)
    colour = RNG.integers(0, 65536, (9, 11, 3)).astype(np.uint16)
    colour_png = cv2.imencode(".png", colour)[1].tobytes()
    for fmt in ("PNG", "TIFF"):
        assert np.array_equal(codec.decode(saved(Image.fromarray(grey), fmt))[..., 1], grey >> 8)
    assert np.array_equal(codec.decode(colour_png)[..., ::-1], colour >> 8)
    assert np.array_equal(codec.decode(colour_png), np.asarray(Image.open(io.BytesIO(colour_png)).convert("RGB")))


def test_png_encoding_is_lossless_and_repeatable() -> None:
    first, again = codec.encode(PICTURE, "png"), codec.encode(PICTURE.copy(), "png")
    assert first == again
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(first))), PICTURE)


def test_jpeg_encoding_is_444_at_quality_98() -> None:
    image = Image.open(io.BytesIO(codec.encode(PICTURE, "jpg")))
    assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3
    quantised = saved(Image.fromarray(PICTURE), "JPEG", quality=98, subsampling=0)
    assert image.quantization == Image.open(io.BytesIO(quantised)).quantization


def test_kept_png_has_only_allowed_chunks_and_the_same_pixels() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in PICTURE)
    private = (chunk(b"tEXt", b"Author\0Anna"), chunk(b"eXIf", b"II*\0secret"), chunk(b"gAMA", bytes(4)))
    stored = codec.store(raw_png(80, 48, 2, zlib.compress(rows), *private) + b"trailing", "png")
    kinds, position = [], 8
    while position < len(stored.data):
        kinds.append(stored.data[position + 4 : position + 8])
        position += 12 + int.from_bytes(stored.data[position : position + 4], "big")
    assert stored.kept
    assert kinds == [b"IHDR", b"gAMA", b"IDAT", b"IEND"]
    assert stored.warnings == ("trailing_data",)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(stored.data))), PICTURE)


HIDING = {
    "gAMA": (chunk(b"gAMA", b"\0\0\xb1\x8fSECRET"),),
    "cHRM": (chunk(b"cHRM", bytes(32) + b"SECRET"),),
    "sRGB": (chunk(b"sRGB", b"\0SECRET"),),
    "sBIT": (chunk(b"sBIT", b"\x08\x08\x08SECRET"),),
    "PLTE": (chunk(b"PLTE", b"SECRET"),),
    "twice": (chunk(b"gAMA", b"\0\0\xb1\x8f"), chunk(b"gAMA", b"SECRET"[:4])),
}


@pytest.mark.parametrize("extra", HIDING.values(), ids=HIDING)
def test_allowed_chunks_hide_nothing(extra: tuple[bytes, ...], capfd: pytest.CaptureFixture[str]) -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in PICTURE)
    stored = codec.store(raw_png(80, 48, 2, zlib.compress(rows), *extra), "png")
    assert stored.kept
    assert b"SECR" not in stored.data
    assert metadata_in(stored.data, "png") == []
    assert np.array_equal(codec.decode(stored.data), PICTURE)
    assert capfd.readouterr().err == ""  # libpng warns of odd chunks there


def test_what_stands_behind_the_compressed_rows_or_inside_the_end_is_not_stored() -> None:
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in PICTURE))
    plain = raw_png(80, 48, 2, rows)
    end = plain.index(b"IEND") - 4
    pieces = [rows[i : i + 64] for i in range(0, len(rows), 64)]
    cut = b"".join(chunk(b"IDAT", piece) for piece in [*pieces, b"SECRET" * 12])
    for data in (
        raw_png(80, 48, 2, rows + b"SECRET"),
        raw_png(80, 48, 2, zlib.compress(zlib.decompress(rows) + b"SECRET", 0)),
        plain[:end] + chunk(b"IDAT", b"SECRET") + plain[end:],
        plain[: plain.index(b"IDAT") - 4] + cut + plain[end:],
        plain[:end] + chunk(b"IEND", b"SECRET"),
    ):
        stored = codec.store(data, "png")
        assert b"SECRET" not in stored.data
        assert metadata_in(stored.data, "png") == []
        assert np.array_equal(codec.decode(stored.data), PICTURE)


def test_a_jpeg_s_line_count_segment_is_dropped() -> None:
    plain = saved(Image.fromarray(PICTURE), "JPEG")
    stored = codec.store(plain[:2] + b"\xff\xdc\x00\x08SECRET" + plain[2:], "jpg")
    assert stored.kept
    assert b"SECRET" not in stored.data


def test_files_that_nothing_here_reads_say_what_they_are() -> None:
    for start in (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n", b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"):
        assert reason(start + bytes(50)) == "unsupported_mode"


@pytest.mark.parametrize(("compression", "mode"), [("jpeg", "RGB"), ("group4", "1"), ("group3", "1")])
def test_a_tiff_of_which_damage_cannot_be_told_is_refused(compression: str, mode: str) -> None:
    data = saved(Image.fromarray(PICTURE).convert(mode), "TIFF", compression=compression)
    assert reason(data) == "unsupported_mode"
    for sound in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        assert np.array_equal(codec.decode(saved(Image.fromarray(PICTURE), "TIFF", compression=sound)), PICTURE)


def test_an_oversized_profile_is_dropped() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in PICTURE)
    bomb = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(colour.MAX_PROFILE + 1)))
    small = chunk(b"iCCP", b"x\0\0" + zlib.compress(SRGB))
    assert b"iCCP" not in codec.store(raw_png(80, 48, 2, zlib.compress(rows), bomb), "png").data
    assert b"iCCP" in codec.store(raw_png(80, 48, 2, zlib.compress(rows), small), "png").data


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
    """A JPEG of 8x8 blocks with much in them, and where its coded data starts."""
    noisy = RNG.integers(0, 256, (96, 160, 3)).astype(np.uint8)
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


@pytest.mark.parametrize("colour", [0, 2, 6])
def test_a_png_with_missing_rows_is_refused(colour: int) -> None:
    width = {0: 1, 2: 3, 6: 4}[colour]
    rows = b"".join(b"\0" + bytes(range(40)) * width for _ in range(40))
    assert codec.decode(raw_png(40, 40, colour, zlib.compress(rows))).shape == (40, 40, 3)
    half = raw_png(40, 40, colour, zlib.compress(rows[: len(rows) // 2]))
    assert reason(half) in ("truncated", "unreadable")
    assert reason(raw_png(40, 40, colour, zlib.compress(rows))[:-30]) == "truncated"


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


def test_a_promise_of_100_megapixels_in_a_kilobyte_costs_no_memory() -> None:
    """In a process of its own, because a peak never falls."""
    script = (
        "import resource, sys\n"
        "from dbgan.image import codec\nfrom dbgan.errors import ImageError\n"
        "data = sys.stdin.buffer.read()\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    codec.decode(data)\nexcept ImageError as error:\n    print(error.reason)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    for kind in (0, 2):
        data = raw_png(10_000, 10_000, kind, zlib.compress(bytes(900_000)))
        assert len(data) < 1200
        done = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True)
        found, grown = done.stdout.decode().split()
        assert found == "truncated"
        assert int(grown) < 50_000  # kB


@pytest.mark.parametrize("data", [b"", b"no picture at all", b"\x00" * 64, b"%PDF-1.7"])
def test_what_is_no_picture_says_so(data: bytes) -> None:
    assert reason(data) == "not_an_image"


def test_damaged_bytes_raise_nothing_but_image_errors() -> None:
    """A sweep of flipped and cut bytes over every format; the assertion is that no other exception escapes."""
    image = Image.fromarray(PICTURE)
    inputs = [saved(image, fmt) for fmt in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "AVIF")]
    inputs += [saved(image.convert("P"), "PNG"), saved(image, "JPEG", progressive=True, exif=exif_with(6))]
    decoded = refused = 0
    for data in inputs:
        for _ in range(40):
            hurt = bytearray(data)
            for place in RNG.integers(0, min(len(hurt), 400), 3):
                hurt[place] = RNG.integers(0, 256)
            try:
                decoded += codec.decode(bytes(hurt[: RNG.integers(1, len(hurt) + 1)]), max_pixels=10**6).ndim == 3
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
