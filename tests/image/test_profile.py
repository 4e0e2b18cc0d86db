"""Reduced profiles convert every colour as the whole ones do, and carry no byte of what was planted beside colours."""

from __future__ import annotations

import hashlib
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from dbgan.corpus.profile import beside_colours
from dbgan.image import codec
from dbgan.image.profile import reduced
from tests.image.pictures import PICTURE, SRGB, saved
from tests.image.test_colour import WIDE

STEPS = np.arange(0, 256, 15, dtype=np.uint8)
GRID = np.stack(np.meshgrid(STEPS, STEPS, STEPS, indexing="ij"), -1).reshape(1, -1, 3)
GOLDEN = "cda70008233684bb070001b0e222e2b7979991e540237ce7d5bed57b3ae159d1"
SECRET = b"Annas iPhone 48.1351 N"


def table(profile: bytes) -> dict[bytes, bytes]:
    """Tag -> element, read here by hand."""
    (count,) = struct.unpack(">I", profile[128:132])
    entries = [struct.unpack(">4sII", profile[132 + 12 * i : 144 + 12 * i]) for i in range(count)]
    return {tag: profile[start : start + size] for tag, start, size in entries}


def assembled(head: bytes, elements: dict[bytes, bytes], gap: bytes = b"") -> bytes:
    """A profile of these elements, with `gap` before each and at the end."""
    position, entries, body = 132 + 12 * len(elements), b"", b""
    for tag, element in elements.items():
        body += gap + bytes(-len(gap) % 4)
        entries += struct.pack(">4sII", tag, position + len(body), len(element))
        body += element + bytes(-len(element) % 4)
    body += gap
    size = struct.pack(">I", position + len(body))
    return size + head[4:128] + struct.pack(">I", len(elements)) + entries + body


def converted(profile: bytes) -> np.ndarray:
    """Every colour of a grid in sRGB, by Pillow."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    done = ImageCms.profileToProfile(Image.fromarray(GRID), source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    return np.asarray(done)


def real_profiles(shared_data: Path) -> dict[str, bytes]:
    """Every RGB profile of the real photos that Pillow opens, by the first file that has it."""
    found: dict[bytes, str] = {}
    for path in sorted((shared_data / "exif").rglob("*")) + sorted((shared_data / "malformed").rglob("*")):
        if path.suffix.lower() not in (".jpg", ".png", ".tif", ".tiff"):
            continue
        try:
            profile = Image.open(path).info.get("icc_profile", b"")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue
        if profile[16:20] == b"RGB " and profile[36:40] == b"acsp":
            found.setdefault(profile, path.name)
    return {name: profile for profile, name in found.items()}


@pytest.mark.parametrize("profile", [WIDE, SRGB])
def test_colours_are_converted_equally(profile: bytes) -> None:
    assert np.array_equal(converted(reduced(profile)), converted(profile))


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_colours_of_real_profiles_are_converted_equally(shared_data: Path) -> None:
    profiles = real_profiles(shared_data)
    assert len(profiles) >= 8
    for name, profile in profiles.items():
        kept = reduced(profile)
        assert np.array_equal(converted(kept), converted(profile)), name
        assert beside_colours(kept) == []
        assert beside_colours(profile), name
        assert reduced(kept) == kept


def planted() -> bytes:
    """WIDE with secrets in every place that a profile has for them."""
    elements = table(WIDE)
    for tag in (b"desc", b"cprt", b"mmod", b"dmnd", b"dict", b"meta", b"Anna"):
        elements[tag] = b"text" + bytes(4) + SECRET + b"\0"
    elements = {
        tag: element + SECRET if tag[1:] in (b"XYZ", b"TRC") else element[:4] + SECRET[:4] + element[8:]
        for tag, element in elements.items()
    }
    head = bytearray(WIDE[:128])
    for place, size in ((4, 4), (24, 12), (40, 24), (80, 20), (100, 28)):
        head[place : place + size] = SECRET.ljust(28, b"A")[:size]
    return assembled(bytes(head), elements, SECRET)


def test_secrets_are_nowhere_in_a_reduced_profile() -> None:
    profile = planted()
    assert profile.count(SECRET) > 15
    kept = reduced(profile)
    assert kept == reduced(WIDE)
    assert not any(SECRET[i : i + 4] in kept for i in range(len(SECRET) - 3))
    assert len(beside_colours(profile)) > 5


@pytest.mark.parametrize(("fmt", "ext"), [("JPEG", "jpg"), ("PNG", "png"), ("TIFF", "jpg"), ("TIFF", "png")])
def test_secrets_of_a_profile_are_nowhere_in_a_stored_picture(fmt: str, ext: str) -> None:
    stored = codec.store(saved(Image.fromarray(PICTURE), fmt, icc_profile=planted()), ext)
    assert Image.open(io.BytesIO(stored.data)).info["icc_profile"] == reduced(WIDE)
    assert SECRET[:8] not in stored.data
    assert stored.kept == (fmt != "TIFF")


def test_a_lookup_table_is_kept_to_its_last_number_and_no_further() -> None:
    numbers = np.random.default_rng(0).integers(0, 65536, 3 * 2 + 2**3 * 3 + 3 * 2).astype(">u2").tobytes()
    matrix = b"".join(struct.pack(">i", 65536 * (i % 4 == 0)) for i in range(9))
    lut = b"mft2" + bytes(4) + bytes((3, 3, 2, 0)) + matrix + struct.pack(">HH", 2, 2) + numbers
    elements = {b"A2B0": lut + SECRET, b"wtpt": table(WIDE)[b"wtpt"]}
    head = WIDE[:20] + b"Lab " + WIDE[24:]
    kept = reduced(assembled(head, elements))
    assert table(kept)[b"A2B0"] == lut
    assert np.array_equal(converted(kept), converted(assembled(head, elements)))
    assert beside_colours(kept) == []
    assert len(beside_colours(assembled(kept[:128], {**table(kept), b"A2B0": lut + SECRET}))) == 1


@pytest.mark.parametrize("tag", [b"A2B0", b"D2B0"])
def test_a_transform_that_is_not_understood_costs_the_profile_and_not_its_colours(tag: bytes) -> None:
    profile = assembled(WIDE[:128], {**table(WIDE), tag: b"mAB " + bytes(60)})
    assert reduced(profile) == b""


def test_any_changed_byte_gives_a_clean_profile_or_none() -> None:
    draw = np.random.default_rng(0)
    for _ in range(500):
        hurt = bytearray(planted())
        for place in draw.integers(0, len(hurt), 5):
            hurt[place] = draw.integers(256)
        kept = reduced(bytes(hurt))
        assert not kept or beside_colours(kept) == []


def test_golden_bytes_of_a_reduced_profile() -> None:
    """If this changes, REVISION of dbgan/ingest/build.py must."""
    assert hashlib.sha256(reduced(WIDE)).hexdigest() == GOLDEN


@pytest.mark.parametrize("size", [0, 100, 131, 140, 300])
def test_a_cut_profile_is_none(size: int) -> None:
    assert reduced(WIDE[:size]) == b""
