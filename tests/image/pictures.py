"""A picture in the formats that people have, PNGs chunk by chunk, and the reason for which one is refused."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from dbgan.corpus.layout import REJECT_REASONS
from dbgan.errors import ImageError
from dbgan.image import codec, png

PICTURE = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 256, (48, 80, 3)).astype(np.uint8), (0, 0), 1.5)

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
