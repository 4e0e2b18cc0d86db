"""One photograph from its file's bytes to pixels and back into a file of the same kind: colours and capture time stay,
position and everything else do not."""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dbgan.errors import DbganError, require
from dbgan.image.codec import Decoded, decode_whole
from dbgan.image.metadata import position, read_allowed

SUFFIXES = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".heic", ".heif", ".hif"), "HEIF"),
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".ppm": "PPM",
    ".pnm": "PPM",
    ".avif": "AVIF",
}
"""Suffix (lower case) -> Pillow's name of the format that is written. Others become PNG, .mpo JPEG."""

OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 98, "subsampling": 0},
    "PNG": {"compress_level": 3},
    "WEBP": {"lossless": True, "quality": 50},
    "HEIF": {"quality": 95, "chroma": 444},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
}
"""How each is encoded: lossless where the format can, else about as well as cameras do at their best. TIFF is not
compressed: Pillow writes no EXIF into a compressed one."""

CARRIES_EXIF = frozenset({"JPEG", "PNG", "TIFF", "WEBP", "HEIF", "AVIF"})

# EXIF 3.0 tags
_MAKE, _MODEL, _INNER, _GPS = 0x010F, 0x0110, 0x8769, 0x8825
_NUMBERS = {"exposure_s": 0x829A, "f_number": 0x829D, "focal_mm": 0x920A}
_ISO, _ORIGINAL = 0x8827, 0x9003


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photograph and what of its metadata its restored version carries."""

    pixels: NDArray[np.uint8]
    profile: bytes
    exif: bytes
    warnings: tuple[str, ...]


def suffix_for(suffix: str, form: str) -> str:
    """The suffix of the restored version of a picture file: its own where that format can be written.

    >>> suffix_for(".JPG", "same"), suffix_for(".gif", "same"), suffix_for(".heic", "jpg")
    ('.JPG', '.png', '.jpg')
    """
    if form != "same":
        return f".{form}"
    if suffix.lower() == ".mpo":
        return ".jpg"
    return suffix if suffix.lower() in SUFFIXES else ".png"


def read(data: bytes, *, keep_location: bool, meta: dict[str, Any] | None = None) -> Photo:
    """Decode a picture file of any kind that ingest reads, upright.

    Args:
        data: the whole file.
        keep_location: take its GPS position along.
        meta: allow-listed metadata that is known otherwise; read from the file when None.

    Raises:
        ImageError: it cannot be used.
    """
    found: Decoded = decode_whole(data)
    block = exif(read_allowed(data) if meta is None else meta, position(data) if keep_location else {})
    return Photo(found.pixels, found.profile, block, found.warnings)


def size(handle: IO[bytes]) -> tuple[int, int] | None:
    """Height and width that a file's head promises, px; None where it says nothing that Pillow understands."""
    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    try:
        with Image.open(handle) as image:
            return image.height, image.width
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def exif(meta: dict[str, Any], gps: dict[int, Any]) -> bytes:
    """An EXIF block of the allow-listed metadata (`layout.empty_meta`) and, where given, a position.

    Returns:
        The block with its `Exif` head; empty where nothing is known. The orientation is left out: pixels are upright.
    """
    block = Image.Exif()
    for tag, name in ((_MAKE, "make"), (_MODEL, "model")):
        if meta[name]:
            block[tag] = meta[name]
    inner: dict[int, Any] = {tag: meta[name] for name, tag in _NUMBERS.items() if meta[f"has_{name}"]}
    if meta["has_iso"]:
        inner[_ISO] = min(65535, round(meta["iso"]))
    if meta["captured_at"]:
        inner[_ORIGINAL] = str(meta["captured_at"])[:19].replace("-", ":").replace("T", " ")
    if inner:
        block.get_ifd(_INNER).update(inner)
    if gps:
        block.get_ifd(_GPS).update(gps)
    return block.tobytes() if inner or gps or len(block) else b""


def write(pixels: NDArray[np.uint8], photo: Photo, suffix: str) -> bytes:
    """Encode restored pixels as the file type of `suffix`, with the photograph's colour profile and EXIF.

    Raises:
        DbganError: Pillow cannot write this format here.
    """
    name = SUFFIXES[suffix.lower()]
    if name == "HEIF":
        require("pillow_heif", "writing HEIC pictures", distribution="pillow-heif")
        import pillow_heif

        pillow_heif.register_heif_opener()
    options = dict(OPTIONS.get(name, {}))
    if photo.profile and name != "PPM":
        options["icc_profile"] = photo.profile
    if photo.exif and name in CARRIES_EXIF:
        options["exif"] = photo.exif
    buffer = io.BytesIO()
    try:
        Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, name, **options)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise DbganError(
            f"a picture of {pixels.shape[1]}x{pixels.shape[0]} px cannot be written as {name} ({error}).\n"
            "Next: --format png."
        ) from None
    return buffer.getvalue()


def lost(photo: Photo, path: Path) -> list[str]:
    """What the restored version cannot carry, in words."""
    name = SUFFIXES[path.suffix.lower()]
    said = []
    if photo.exif and name not in CARRIES_EXIF:
        said.append(f"{name} holds no EXIF: camera and capture time are lost")
    if "profile_ignored" in photo.warnings:
        said.append("its colour profile could not be used")
    return said
