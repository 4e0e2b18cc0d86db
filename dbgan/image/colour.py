"""Colour profiles (ICC.1): which are sRGB anyway, and converting pictures of the others by littleCMS.

A profile that littleCMS cannot use is treated as if it were not there, and never raises.
"""

from __future__ import annotations

import functools
import io
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from dbgan.image.profile import reduced

MAX_PROFILE = 4 << 20
SRGB_TOLERANCE = 2
"""A profile that moves no colour of a grid by more than this (of 255) is sRGB under another name."""

_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_SEGMENT = 65_519
"""Bytes of a profile in one APP2 segment (ICC.1:2022, B.4)."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A usable profile: the Pillow mode it describes (RGB, L, CMYK), its transform to sRGB, whether it is sRGB."""

    mode: str
    transform: Any
    is_srgb: bool

    def to_srgb(self, image: Image.Image) -> NDArray[np.uint8]:
        """HWC uint8 sRGB of an image in this profile's mode, as `ImageCms.profileToProfile` converts it."""
        return np.array(ImageCms.applyTransform(image, self.transform))


@functools.lru_cache(maxsize=32)
def load(data: bytes) -> Profile | None:
    """The profile in `data`; None where it is broken, too large, or of another kind than RGB, grey or CMYK."""
    if len(data) > MAX_PROFILE or data[36:40] != b"acsp" or int.from_bytes(data[:4], "big") != len(data):
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(data))
        mode = _SPACES[source.profile.xcolor_space.strip()]
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        return Profile(mode, transform, _moves_nothing(mode, transform))
    except (ImageCms.PyCMSError, OSError, ValueError, KeyError, TypeError):
        return None


def storable(data: bytes) -> bytes:
    """What of a profile a stored RGB picture carries (`profile.reduced`); empty where the profile cannot be used."""
    kept = reduced(data) if load(data) else b""
    return kept if load(kept) else b""


def _moves_nothing(mode: str, transform: Any) -> bool:
    if mode == "CMYK":
        return False
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(1, -1, 3)
    if mode == "L":
        grid = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    image = Image.fromarray(grid if mode == "RGB" else np.ascontiguousarray(grid[:, :, 0]))
    moved = np.asarray(ImageCms.applyTransform(image, transform)).astype(np.int16)
    return int(np.abs(moved - grid).max()) <= SRGB_TOLERANCE


def embed(encoded: bytes, profile: bytes, ext: str) -> bytes:
    """A PNG or JPEG, as `codec.encode` writes it, with a profile put in as it is."""
    if ext == "png":
        return encoded[:33] + png_chunk(profile) + encoded[33:]  # after the signature and IHDR, before all else
    start = 4 + int.from_bytes(encoded[4:6], "big")  # SOI, then JFIF's APP0, which stays first
    return encoded[:start] + jpeg_segments(profile) + encoded[start:]


def png_chunk(profile: bytes) -> bytes:
    """An iCCP chunk. The profile is not compressed: what a zlib makes of it depends on the zlib."""
    body = b"iCCPicc\x00\x00" + zlib.compress(profile, 0)
    return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def jpeg_segments(profile: bytes) -> bytes:
    """The APP2 segments of a profile, as many as it needs."""
    parts = [profile[i : i + _SEGMENT] for i in range(0, len(profile), _SEGMENT)]
    return b"".join(
        b"\xff\xe2" + (16 + len(part)).to_bytes(2, "big") + b"ICC_PROFILE\x00" + bytes((i, len(parts))) + part
        for i, part in enumerate(parts, 1)
    )
