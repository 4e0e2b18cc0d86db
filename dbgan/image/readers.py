"""One reader for each picture format: bytes to upright HWC uint8 RGB, and the bytes that may be kept. See `codec`."""

from __future__ import annotations

import ctypes
import functools
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, _imaging
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from dbgan.errors import ImageError, require
from dbgan.image import boxes, colour, jpeg, png
from dbgan.image.metadata import orientation

Pixels = NDArray[np.uint8]
Icc = Literal["keep", "srgb"]
Check = Callable[[int, int], None]
"""Told a width and a height before memory is taken; raises `ImageError` where they are not wanted."""

_UNCHECKED = ("jpeg", "tiff_jpeg", "group3", "group4", "tiff_ccitt")
"""Compressions of TIFF whose damage libtiff repairs, with a word on stderr at most."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded file: upright pixels and, where its bytes may be kept, those bytes and their extension.

    `profile` is the ICC profile, `mode` the Pillow mode of the pixels that it was made for, `warnings` and `exif` as in
    `codec.Stored`.
    """

    pixels: Pixels
    kept: bytes = b""
    extension: str = ""
    warnings: tuple[str, ...] = ()
    profile: bytes = b""
    mode: str = "RGB"
    exif: bytes | None = None


def read_jpeg(data: bytes, check: Check, icc: Icc, thorough: bool) -> Picture:
    """A JPEG; `thorough` refuses those whose coded data libjpeg warns of."""
    parsed = jpeg.parse(data)
    check(parsed.width, parsed.height)
    if thorough:
        jpeg.check(parsed)
    turn = orientation(parsed.exif, parsed.xmp)
    source = parsed.kept if parsed.same_colours else parsed.picture
    if parsed.components == 4:
        pixels = _rgb(JpegImageFile(io.BytesIO(source)), parsed.profile if icc == "srgb" else b"")
    else:
        pixels = opencv(source, "JPEG")
    warnings = ("trailing_data",) if parsed.trailing else ()
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[parsed.components]
    if turn != 1:
        pixels, warnings = _turned(pixels, turn), (*warnings, "rotated")
    keep = parsed.components == 3 and parsed.same_colours and turn == 1
    kept = (parsed.kept, "jpg") if keep else (b"", "")
    return Picture(pixels, *kept, warnings, parsed.profile, mode, parsed.exif)


def read_png(data: bytes, check: Check, icc: Icc) -> Picture:
    """A PNG; libpng decodes 8-bit RGB, Pillow the other forms."""
    check(*png.size(data))
    parsed = png.parse(data)
    if parsed.frames > 1:
        raise ImageError("animated", f"PNG: {parsed.frames} frames")
    turn = orientation(parsed.exif, parsed.xmp)
    if parsed.is_rgb8:
        pixels = opencv(parsed.kept, "PNG")
    else:
        parsed.check_rows()
        pixels = _rgb(PngImageFile(io.BytesIO(parsed.kept)))
    warnings = ("trailing_data",) if parsed.trailing else ()
    if turn != 1:
        pixels, warnings = _turned(pixels, turn), (*warnings, "rotated")
    keep = parsed.is_rgb8 and turn == 1 and not parsed.has_hidden_data()
    mode = "L" if parsed.colour in (0, 4) else "RGB"
    kept = (parsed.kept, "png") if keep else (b"", "")
    return Picture(pixels, *kept, warnings, parsed.profile, mode, parsed.exif)


def read_heif(data: bytes, check: Check, icc: Icc) -> Picture:
    """The primary picture of a HEIC or HEIF file."""
    check(*_promised(data))
    require("pillow_heif", "reading HEIC and HEIF pictures", distribution="pillow-heif")
    import pillow_heif

    heif = pillow_heif.open_heif(io.BytesIO(data))
    primary = heif[heif.primary_index]
    check(*primary.size)
    # libheif has applied the file's own rotation, and pillow-heif resets EXIF's: turning again would be once too often.
    image = primary.to_pillow()
    warnings = ("first_of_several",) if len(heif) > 1 else ()
    return Picture(_rgb(image), warnings=warnings, profile=_profile(image), mode=_colour_mode(image))


def read_other(data: bytes, kind: str, check: Check, icc: Icc) -> Picture:
    """GIF, WebP, AVIF, TIFF, BMP and PPM, by Pillow."""
    if kind == "webp":
        width, height, animated = boxes.webp(data)
        check(width, height)
        if animated:
            raise ImageError("animated", "WebP: has an animation")
    if kind == "avif":
        check(*_promised(data))
        if boxes.is_sequence(data):
            raise ImageError("animated", "AVIF: image sequence")
    if kind == "tiff":
        _hush_libtiff()
    image = _plugin(kind)(io.BytesIO(data))
    check(*image.size)
    if kind == "tiff" and (packed := image.info.get("compression")) in _UNCHECKED:
        raise ImageError("unsupported_mode", f"TIFF: compressed as {packed}, of which damage cannot be told")
    frames = getattr(image, "n_frames", 1) if kind in ("gif", "tiff") else 1
    if kind == "gif" and frames > 1:
        raise ImageError("animated", f"GIF: {frames} frames")
    image.load()
    turn = 1 if kind == "tiff" else orientation(image.info.get("exif", b""), image.info.get("xmp", b""))
    profile, mode = _profile(image), _colour_mode(image)
    pixels = _turned(_rgb(image, profile if icc == "srgb" else b""), turn)
    warnings = ("first_of_several",) if frames > 1 else ()
    return Picture(pixels, warnings=(*warnings, "rotated") if turn != 1 else warnings, profile=profile, mode=mode)


@functools.cache
def _hush_libtiff() -> None:
    """Take away the handler, one for the process, by which Pillow's libtiff prints of damage without naming the file.

    The refusal says that the file is damaged. Where libtiff is no library of its own its lines stay.
    """
    handler = getattr(ctypes.CDLL(_imaging.__file__), "TIFFSetErrorHandler", None)
    if handler is not None:
        handler.restype, handler.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        handler(None)


def _profile(image: Image.Image) -> bytes:
    found = image.info.get("icc_profile")
    return found if isinstance(found, bytes) else b""


def _colour_mode(image: Image.Image) -> str:
    """The mode that a profile of this image describes."""
    if image.mode == "CMYK":
        return "CMYK"
    return "L" if image.mode in ("1", "L", "LA", "La", "I") or image.mode.startswith("I;16") else "RGB"


def _promised(data: bytes) -> tuple[int, int]:
    width, height = boxes.largest_extent(data)
    if not width or not height:
        raise ImageError("unreadable", "HEIF: no picture size in its header")
    return width, height


def _plugin(kind: str) -> type[ImageFile]:
    """Pillow's reader of one format. Used directly, because `Image.open` refuses over a process-wide pixel limit."""
    if kind == "avif":
        from PIL.AvifImagePlugin import AvifImageFile

        return AvifImageFile
    readers: dict[str, type[ImageFile]] = {
        "gif": GifImageFile,
        "webp": WebPImageFile,
        "tiff": TiffImageFile,
        "bmp": BmpImageFile,
        "ppm": PpmImageFile,
    }
    return readers[kind]


def opencv(data: bytes, name: str) -> Pixels:
    """HWC uint8 RGB by OpenCV, not turned; `name` of the format is what the error says."""
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from None
        raise ImageError("unreadable", f"{name}: {' '.join(str(error).split())[:200]}") from None
    if decoded is None:
        raise ImageError("unreadable", f"{name}: the compressed data is damaged")
    return cast(Pixels, decoded)


def _rgb(image: Image.Image, profile: bytes = b"") -> Pixels:
    """Any Pillow mode to HWC uint8 RGB by the rules above; CMYK by its profile, where one is given."""
    image.load()
    mode = image.mode
    if mode == "CMYK" and (found := colour.load(profile)) and found.mode == "CMYK":
        return found.to_srgb(image)
    if mode.startswith("I;16") or (mode == "I" and image.format in ("PNG", "PPM")):
        return _from_16_bit(image)
    if mode in ("1", "L", "RGB", "CMYK", "YCbCr") and "transparency" not in image.info:
        return np.array(image.convert("RGB"))
    if mode in ("P", "PA", "LA", "La", "RGBA", "RGBa", "1", "L", "RGB"):
        clear = image.convert("RGBA")
        black = Image.new("RGBA", clear.size, (0, 0, 0, 255))
        return np.array(Image.alpha_composite(black, clear).convert("RGB"))
    raise ImageError("unsupported_mode", f"{image.format}: pixel mode {mode}")


def _from_16_bit(image: Image.Image) -> Pixels:
    values = np.asarray(image).astype(np.int64)
    grey = (values >> 8).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 0
    return np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))


_TURNS: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p),
}
"""EXIF orientation -> upright."""


def _turned(pixels: Pixels, turn: int) -> Pixels:
    return np.ascontiguousarray(_TURNS[turn](pixels))
