"""The allow-list, against EXIF written here and against Pillow's own parsing of real photos."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from dbgan.corpus.layout import empty_meta
from dbgan.image.metadata import MAX_TEXT, device_name, read_allowed


def photo(fmt: str = "JPEG", **changes: object) -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = changes.get("make", "Apple\0junk"), changes.get("model", " iPhone  7 ")
    inner = exif.get_ifd(0x8769)
    inner[0x829A], inner[0x8827], inner[0x829D] = IFDRational(1, 125), 200, IFDRational(9, 5)
    inner[0x9003], inner[0xA431], inner[0xA430] = changes.get("time", "2020:01:31 12:00:01"), "SERIAL-1", "Anna"
    exif.get_ifd(0x8825)[2] = (52.0, 30.0, 12.0)
    if fmt == "TIFF":
        return exif.tobytes().removeprefix(b"Exif\0\0")  # Pillow's TIFF writer leaves the inner directory out
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, fmt, exif=exif)
    return buffer.getvalue()


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_allow_list_and_nothing_else(fmt: str) -> None:
    meta = read_allowed(photo(fmt))
    assert meta == {
        "make": "Apple",
        "model": "iPhone 7",
        "captured_at": "2020-01-31T12:00:01",
        "exposure_s": 1 / 125,
        "has_exposure_s": True,
        "iso": 200.0,
        "has_iso": True,
        "f_number": 1.8,
        "has_f_number": True,
        "focal_mm": 0.0,
        "has_focal_mm": False,
        "device": "Apple iPhone 7",
    }


def test_heif_metadata_is_read() -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    source = Image.open(io.BytesIO(photo()))
    pillow_heif.from_pillow(source).save(buffer, exif=source.info["exif"])
    assert read_allowed(buffer.getvalue())["device"] == "Apple iPhone 7"


@pytest.mark.parametrize("time", ["0000:00:00 00:00:00", "yesterday", "    :  :     :  :  "])
def test_a_time_that_is_none_is_missing(time: str) -> None:
    assert read_allowed(photo(time=time))["captured_at"] == ""


def test_text_is_printable_and_short() -> None:
    meta = read_allowed(photo(make="A\x07B" + "x" * 200, model=""))
    assert meta["make"] == "AB" + "x" * (MAX_TEXT - 2)
    assert meta["device"] == meta["make"]


@pytest.mark.parametrize(
    "data", [b"", b"text", b"\xff\xd8\xff\xe1\x00", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"RIFF1234WEBP"]
)
def test_broken_files_have_no_metadata(data: bytes) -> None:
    assert read_allowed(data) == empty_meta()


def test_damaged_exif_never_raises() -> None:
    data = photo()
    start = data.index(b"Exif")
    for place in range(start, start + 250):
        hurt = bytearray(data)
        hurt[place] ^= 0xFF
        assert read_allowed(bytes(hurt)).keys() == empty_meta().keys()


def test_the_make_is_not_repeated() -> None:
    assert device_name("Canon", "Canon DIGITAL IXUS 40") == "Canon DIGITAL IXUS 40"
    assert device_name("HUAWEI", "ELE-L29") == "HUAWEI ELE-L29"
    assert device_name("", "Z10") == "Z10"


def test_real_photos_agree_with_pillow(shared_data: Path) -> None:
    seen = 0
    for path in sorted((shared_data / "exif").rglob("*.[jJ][pP][gG]")):
        meta = read_allowed(path.read_bytes())
        exif = Image.open(path).getexif()
        if isinstance(model := exif.get(0x0110), str) and model.strip("\0 ") and "odd" not in path.parts:
            seen += 1
            assert meta["model"] == " ".join(model.split("\0")[0].split())
            exposure = exif.get_ifd(0x8769).get(0x829A)
            assert meta["exposure_s"] == (float(exposure) if exposure else 0.0)
    assert seen > 15


def test_pillow_prints_nothing_about_damaged_exif() -> None:
    """In a process of its own: pytest has its own way with warnings."""
    damage = (
        "import sys\ndata = sys.stdin.buffer.read()\nstart = data.index(b'Exif')\n"
        "for place in range(start, start + 250):\n    hurt = bytearray(data)\n    hurt[place] ^= 255\n    read(hurt)\n"
    )
    ours = "from dbgan.image.metadata import read_allowed\nread = lambda hurt: read_allowed(bytes(hurt))\n"
    loud = "import warnings\nwarnings.simplefilter('always')\n"
    said = [
        subprocess.run([sys.executable, "-c", code + damage], input=photo(), capture_output=True, check=False).stderr
        for code in (ours, ours + loud)
    ]
    assert said[0] == b""
    assert b"UserWarning" in said[1]
