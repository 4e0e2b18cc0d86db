"""PNGs: the chunks that are kept, what could hide in them, and missing rows."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from dbgan.corpus.privacy import metadata_in
from dbgan.image import codec, colour
from tests.image.pictures import PICTURE, SRGB, chunk, raw_png, reason


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


def test_an_oversized_profile_is_dropped() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in PICTURE)
    bomb = chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(colour.MAX_PROFILE + 1)))
    small = chunk(b"iCCP", b"x\0\0" + zlib.compress(SRGB))
    assert b"iCCP" not in codec.store(raw_png(80, 48, 2, zlib.compress(rows), bomb), "png").data
    assert b"iCCP" in codec.store(raw_png(80, 48, 2, zlib.compress(rows), small), "png").data


@pytest.mark.parametrize("colour", [0, 2, 6])
def test_a_png_with_missing_rows_is_refused(colour: int) -> None:
    width = {0: 1, 2: 3, 6: 4}[colour]
    rows = b"".join(b"\0" + bytes(range(40)) * width for _ in range(40))
    assert codec.decode(raw_png(40, 40, colour, zlib.compress(rows))).shape == (40, 40, 3)
    half = raw_png(40, 40, colour, zlib.compress(rows[: len(rows) // 2]))
    assert reason(half) in ("truncated", "unreadable")
    assert reason(raw_png(40, 40, colour, zlib.compress(rows))[:-30]) == "truncated"


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
