"""What Pillow finds in photos of positions, serial numbers and owners is found nowhere in the corpus of them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PIL.ExifTags import GPSTAGS

from dbgan.corpus import Corpus
from dbgan.image import codec
from dbgan.ingest import ingest
from dbgan.ingest.refusals import origins_path
from dbgan.params import IngestParams
from tests.image.test_colour import WIDE

from .conftest import CAPTURES, photo, pixels, put, raw_png

Snapshot = Callable[[Path], dict[str, bytes]]


def test_nothing_private_is_in_any_byte(tmp_path: Path, snapshot: Snapshot) -> None:
    for number in range(3):
        put(tmp_path / "raw" / "p" / f"{number}.jpg", photo(number))
    for ext in ("png", "jpg"):
        ingest(ext, CAPTURES.model_copy(update={"image": ext}), tmp_path / "raw", tmp_path / ext)
        for name, data in snapshot(tmp_path / ext).items():
            for secret in (b"Anna", b"SERIAL-4711", b"Exif\0", b"GPS"):
                if not name.endswith("README.md"):
                    assert secret not in data, (name, secret)
    origins = json.loads(origins_path("jpg", tmp_path / "jpg").read_bytes())
    assert sorted(origins.values()) == ["p/0.jpg", "p/1.jpg", "p/2.jpg"]
    assert Corpus.open(tmp_path / "jpg")["p/0"].meta["origin"] == hashlib.sha256(b"p/0.jpg").hexdigest()


def test_no_glob_with_a_persons_name_is_in_the_corpus(tmp_path: Path) -> None:
    png = raw_png(pixels(1))
    for folder in ("b", "s"):
        put(tmp_path / "raw" / "Annas phone" / folder / "1.png", png)
    params = IngestParams(layout="paired", blur_glob="Annas phone/b/*.png", sharp_glob="Annas phone/s/*.png")
    ingest("pairs", params, tmp_path / "raw", tmp_path / "out")
    assert not [p.name for p in (tmp_path / "out").rglob("*") if p.is_file() and b"Annas" in p.read_bytes()]


def secrets(path: Path) -> set[bytes]:
    """What must not leave the phone, as Pillow reads it: positions, serial numbers, owners, unique ids."""
    if codec.sniff(path.read_bytes()) == "heif":
        pillow_heif = pytest.importorskip("pillow_heif")
        exif = Image.Exif()
        exif.load(pillow_heif.open_heif(path).info.get("exif") or b"")
    else:
        exif = Image.open(path).getexif()
    found: set[bytes] = set()
    inner = exif.get_ifd(0x8769)
    texts = [exif.get(tag) for tag in (0x013B, 0x8298, 0x010E, 0x013C)]
    texts += [inner.get(tag) for tag in (0xA430, 0xA431, 0xA435, 0xA420, 0x9286)]
    told = " ".join(str(exif.get(tag, "")) for tag in (0x010F, 0x0110))  # make and model may stand in other tags too
    for text in texts:
        if isinstance(text, str) and len(text.strip("\0 ")) >= 6 and text.strip("\0 ") not in told:
            found.add(text.strip("\0 ").encode())
    for tag, value in exif.get_ifd(0x8825).items():
        if GPSTAGS.get(tag) in ("GPSLatitude", "GPSLongitude") and isinstance(value, tuple) and any(value):
            parts = [part for number in value for part in _rational(number)]
            found |= {b"".join(part.to_bytes(4, order) for part in parts) for order in ("big", "little")}
    return found


def _rational(value: object) -> tuple[int, int]:
    return int(getattr(value, "numerator", 0)), int(getattr(value, "denominator", 1))


@pytest.mark.slow
def test_no_secret_of_a_real_photo_is_in_the_corpus(shared_data: Path, tmp_path: Path) -> None:
    root = shared_data / "exif"
    report = ingest("e", CAPTURES.model_copy(update={"image": "jpg", "quality": False}), root, tmp_path / "e")
    assert report.samples + report.rejects == sum(path.is_file() for path in root.rglob("*"))
    hidden = set().union(*(secrets(path) for path in sorted(root.rglob("*")) if path.is_file()))
    assert len(hidden) > 20
    whole = b"".join(path.read_bytes() for path in sorted((tmp_path / "e").iterdir()) if path.is_file())
    in_inputs = b"".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file())
    assert sum(secret in in_inputs for secret in hidden) > 20
    assert [secret for secret in sorted(hidden) if secret in whole] == []


def test_no_text_of_a_colour_profile_is_in_the_corpus(tmp_path: Path, snapshot: Snapshot) -> None:
    """Text, a private tag and the header's maker fields, planted in a valid profile of each kind of picture."""
    profile = WIDE.replace(b"hand\0", b"Anna\0")
    profile = profile[:4] + b"Anna" + profile[8:48] + b"Anna" + profile[52:]
    for name, form in (("a.jpg", "JPEG"), ("b.png", "PNG"), ("c.tif", "TIFF")):
        encoded = io.BytesIO()
        Image.fromarray(pixels(1, 40, 48)).save(encoded, form, icc_profile=profile)
        assert b"Anna" in encoded.getvalue() or form == "PNG"  # a PNG holds its profile compressed
        put(tmp_path / "raw" / name, encoded.getvalue())
    ingest("toy", CAPTURES, tmp_path / "raw", tmp_path / "out")
    corpus = Corpus.open(tmp_path / "out")
    assert len(corpus) == 3
    for key in corpus.keys:
        kept = Image.open(io.BytesIO(corpus.encoded(key, "blur"))).info.get("icc_profile", b"")
        assert kept
        assert b"Anna" not in kept
    assert not any(b"Anna" in data for data in snapshot(tmp_path / "out").values())
    assert corpus.verify() == []
