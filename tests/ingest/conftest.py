"""Raw folders of tiny pictures. PNGs are written here byte by byte, so that no encoder decides what is ingested."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dbgan.params import IngestParams

GOPRO = IngestParams(layout="gopro", blur="blur", shard_samples=2)
CAPTURES = IngestParams(layout="captures")


def pixels(seed: int, height: int = 20, width: int = 24) -> NDArray[np.uint8]:
    """A picture from a fixed arithmetic rule, HWC uint8 RGB."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((x * 7 + y * 13 + c * 50 + seed * 31 + (x * y) % 11) % 256).astype(np.uint8)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(image: NDArray[np.uint8]) -> bytes:
    """A PNG of stored (not compressed) deflate blocks."""
    height, width, _ = image.shape
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    blocks = [rows[i : i + 65535] for i in range(0, len(rows), 65535)]
    stored = b"\x78\x01" + b"".join(
        struct.pack("<BHH", i == len(blocks) - 1, len(block), 65535 - len(block)) + block
        for i, block in enumerate(blocks)
    )
    stored += struct.pack(">I", zlib.adler32(rows))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", stored) + chunk(b"IEND", b"")


def put(path: Path, data: bytes) -> Path:
    """Write a file that looks old, so that its digest may be remembered."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_000))
    return path


def photo(seed: int, *, private: bool = True, orientation: int = 1, model: str = "Phone 1") -> bytes:
    """A JPEG with EXIF: maker, and where `private` a position, a serial number and an owner."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Maker", model, orientation
    if private:
        exif[0x013B] = "Anna Owner"
        exif.get_ifd(0x8769)[0xA431] = "SERIAL-4711"
        exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.25)
    buffer = io.BytesIO()
    Image.fromarray(pixels(seed, 40, 48)).save(buffer, "JPEG", quality=95, exif=exif)
    return buffer.getvalue()


def add_sequence(root: Path, name: str, frames: int, *, first: int = 1) -> None:
    """A sequence of GOPRO's layout."""
    for number in range(first, first + frames):
        for side, offset in (("blur", 0), ("sharp", 100)):
            put(root / name / side / f"{number:06d}.png", raw_png(pixels(number + offset)))


@pytest.fixture
def gopro_root(tmp_path: Path) -> Path:
    root = tmp_path / "raw" / "gopro"
    add_sequence(root, "GOPR0001_11_00", 5)
    add_sequence(root, "GOPR0002_11_00", 3, first=20)
    return root


@pytest.fixture
def snapshot() -> Callable[[Path], dict[str, bytes]]:
    """All files of a folder by name."""

    def read(folder: Path) -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    return read
