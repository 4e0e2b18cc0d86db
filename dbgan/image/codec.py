"""Bytes of a picture file to upright HWC uint8 RGB and back; the only place where pictures are decoded and encoded.

Rules, one each, the same for every format:
- rotation: EXIF orientation, else XMP's `tiff:Orientation`, as Pillow does; HEIF and TIFF are turned by their readers;
- 16 bits per sample: the high byte (`>> 8`), as libpng's strip_16 and Pillow do for RGB;
- palette, grey, 1-bit, CMYK: Pillow's `convert("RGB")`, without colour management;
- transparency: composited over black, so that what was invisible stays so;
- ICC profiles: `keep` leaves pixel values as they are and of the profile, where it describes RGB, what colours need
  (`profile.reduced`) inside the stored file;
  `srgb` converts pictures whose profile is not sRGB by littleCMS, as the last step. CMYK and grey that are stored as
  RGB lose their profile under `keep`. Profiles that cannot be used are left out, and said;
- several pictures: the first of an MPO, multi-page TIFF or HEIF (its primary one); GIF, WebP, APNG and AVIF with more
  than one frame are refused as animated.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from PIL import Image

from dbgan.errors import ImageError, MemoryShortageError, MissingPackageError
from dbgan.image import boxes, colour, jpeg, png, readers
from dbgan.image.readers import Icc, Picture, Pixels

MAX_PIXELS = 200_000_000
_NOT_READ = (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cJXL ", b"\xff\x0a")
"""The first bytes of JPEG 2000 and JPEG XL."""
JPEG_QUALITY = 98


@dataclass(frozen=True, slots=True)
class Stored:
    """A picture as a corpus stores it.

    Attributes:
        data: file bytes, of the asked type. pixels: what `data` decodes to, HWC uint8 RGB, upright.
        kept: True when `data` holds the input's own compressed pixels, False when they were encoded anew.
        warnings: of `layout.WARNINGS`, such as "rotated"; empty for most.
        exif: the input's EXIF block, for `read_allowed`; never stored. None where it was not looked for.
    """

    data: bytes
    pixels: Pixels
    kept: bool
    warnings: tuple[str, ...] = ()
    exif: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture for editing: HWC uint8 RGB, upright; the ICC profile of its colours as `colour.storable` leaves it
    (empty: none, or none that describes RGB); and `layout.WARNINGS`."""

    pixels: Pixels
    profile: bytes
    warnings: tuple[str, ...]


def sniff(data: bytes) -> str:
    """Format by content: jpeg, png, gif, webp, tiff, bmp, ppm, heif, avif, or empty for anything else."""
    if data.startswith(jpeg.SIGNATURE):
        return "jpeg"
    if data.startswith(png.SIGNATURE):
        return "png"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:4] in (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"):
        return "tiff"
    if data[:2] == b"BM" and data[6:10] == bytes(4):
        return "bmp"
    if data[:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "ppm"
    return boxes.brand(data)


def decode(data: bytes, *, max_pixels: int = MAX_PIXELS, min_side: int = 1, thorough: bool = False) -> Pixels:
    """Decode a picture file of any supported format.

    Args:
        data: the whole file.
        max_pixels: headers that promise more are refused before memory is taken.
        min_side: pictures with a shorter side are refused, px.
        thorough: also refuse JPEGs whose coded data libjpeg warns of (`jpeg.check`), for files that come from outside:
            what a corpus holds was checked when it came in.

    Returns:
        HWC uint8 RGB, upright, contiguous.

    Raises:
        ImageError: with one of `layout.REJECT_REASONS`; never another exception, whatever the bytes.
    """
    return _read(data, max_pixels, min_side, "keep", thorough).pixels


def decode_whole(data: bytes, *, max_pixels: int = MAX_PIXELS) -> Decoded:
    """As a thorough `decode`, with the colour profile that an edited copy of the picture has to carry."""
    picture = _read(data, max_pixels, 1, "keep", thorough=True)
    return Decoded(picture.pixels, picture.profile, picture.warnings)


def encode(pixels: Pixels, ext: str, *, quality: int = JPEG_QUALITY) -> bytes:
    """Encode HWC uint8 RGB; the same pixels give the same bytes. `python -m benchmarks codec` compares the settings.

    Args:
        pixels: HWC uint8 RGB.
        ext: `png` (OpenCV's default, its fastest), `jpg` (4:4:4), or `webp` (lossless, effort 0 of method 4: as small
            as OpenCV's in half the time; sides of at most 16383 px).
        quality: of `jpg`.
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"encode: expected HWC uint8 RGB, found {pixels.dtype} of shape {pixels.shape}")
    options: list[int] = []
    if ext == "jpg":
        subsampling = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
        options = [cv2.IMWRITE_JPEG_QUALITY, quality, *subsampling]
    elif ext == "webp":
        return _webp(pixels)
    elif ext != "png":
        raise ValueError(f"encode: extension {ext!r} is not png, jpg or webp")
    done, encoded = cv2.imencode(f".{ext}", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"encode: OpenCV could not encode {pixels.shape} as {ext}")
    return bytes(encoded)


def _webp(pixels: Pixels) -> bytes:
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=0, method=4)
    except (OSError, ValueError) as error:
        raise ValueError(f"encode: {pixels.shape[1]}x{pixels.shape[0]} px do not fit into one webp ({error})") from None
    return buffer.getvalue()


def encode_to_show(pixels: Pixels, quality: int) -> bytes:
    """Lossy WebP (4:2:0) of HWC uint8 RGB, for pages to look at: a third smaller than a JPEG of equal error."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def store(data: bytes, ext: str, *, max_pixels: int = MAX_PIXELS, min_side: int = 1, icc: Icc = "keep") -> Stored:
    """Turn a picture file into what a corpus of extension `ext` holds.

    An 8-bit RGB PNG (for `png`) and a three-component 8-bit JPEG (for `jpg`) that stand upright are kept: their
    compressed pixels with nothing but the allow-listed chunks and segments around them. All else is encoded anew.

    Args:
        data: the whole file. ext: `png` or `jpg`. max_pixels, min_side: as in `decode`.
        icc: what becomes of colour profiles (see above).

    Raises:
        ImageError: as `decode`.
    """
    picture = _read(data, max_pixels, min_side, icc, thorough=True)
    if picture.extension == ext:
        return Stored(picture.kept, picture.pixels, True, picture.warnings, picture.exif)
    made = store_pixels(picture.pixels, ext, profile=picture.profile, warnings=picture.warnings)
    return replace(made, exif=picture.exif)


def store_pixels(pixels: Pixels, ext: str, *, profile: bytes = b"", warnings: tuple[str, ...] = ()) -> Stored:
    """Encode pixels that no file holds (or not as `ext`) as a corpus of extension `ext` holds them.

    Args:
        pixels: HWC uint8 RGB. profile: an ICC profile to embed, as `read` gives it. warnings: told of them.

    Raises:
        ImageError: they do not fit into a file of this type.
    """
    try:
        encoded = encode(pixels, ext)
    except (ValueError, cv2.error):
        height, width, _ = pixels.shape
        raise ImageError("too_large", f"{width}x{height} px do not fit into one {ext} file") from None
    if profile:
        encoded = colour.embed(encoded, profile, ext)
    if ext == "png":
        return Stored(encoded, pixels, False, warnings)
    return Stored(encoded, readers.opencv(encoded, "JPEG"), False, (*warnings, "lossy"))


def read(
    data: bytes, *, max_pixels: int = MAX_PIXELS, min_side: int = 1, icc: Icc = "keep"
) -> tuple[Pixels, bytes, tuple[str, ...]]:
    """Pixels of a picture file, the profile a picture made of them needs (empty: none), and what is to be told.

    Raises:
        ImageError: as `decode`.
    """
    picture = _read(data, max_pixels, min_side, icc, thorough=True)
    return picture.pixels, picture.profile, picture.warnings


def _read(data: bytes, max_pixels: int, min_side: int, icc: Icc, thorough: bool) -> Picture:
    size = [0, 0]

    def check(width: int, height: int) -> None:
        size[:] = width, height
        if width * height > max_pixels:
            raise ImageError("too_large", f"{width}x{height} px, over the limit of {max_pixels} px")
        if min(width, height) < min_side:
            raise ImageError("too_small", f"{width}x{height} px, the shorter side is under {min_side} px")

    kind = sniff(data)
    if not data:
        raise ImageError("not_an_image", "the file is empty")
    if data.startswith(_NOT_READ):
        raise ImageError("unsupported_mode", "JPEG 2000 or JPEG XL")
    if not kind:
        raise ImageError("not_an_image", f"unknown file type, first bytes {data[:8].hex(' ')}")
    try:
        if kind == "jpeg":
            picture = readers.read_jpeg(data, check, icc, thorough)
        else:
            reader = {"png": readers.read_png, "heif": readers.read_heif}.get(kind)
            picture = reader(data, check, icc) if reader else readers.read_other(data, kind, check, icc)
        return _with_profile(picture, icc) if picture.profile else picture
    except (ImageError, MissingPackageError):
        raise
    except MemoryError:
        _blame_the_machine(*size)
        raise ImageError("too_large", f"{kind}: its decoder asks for more memory than its size explains") from None
    except Image.DecompressionBombError as error:
        raise ImageError("too_large", f"{kind}: {error}") from None
    except Exception as error:  # foreign decoders raise a dozen kinds on hostile bytes; all mean the same here
        raise _refusal(kind, error) from error


def _blame_the_machine(width: int, height: int) -> None:
    """Raise `MemoryShortageError` where there is no room for a picture of this size: it must not become a reject.

    A hostile file can make a decoder ask for any amount; then there is room for what the picture says it is.
    """
    needed = max(16 << 20, 8 * width * height)
    try:
        bytearray(needed)
    except MemoryError:
        raise MemoryShortageError(
            f"not enough memory to decode a picture of {width}x{height} px (about {needed >> 20} MB). "
            "Next: free memory, use fewer workers, or raise the limit (ulimit -v), and run the same command again."
        ) from None


def _refusal(kind: str, error: Exception) -> ImageError:
    # Details are stored: an object's address in a message would make two runs differ.
    text = re.sub(r"<[^>]*>|0x[0-9a-f]+", "", str(error))
    text = " ".join(text.split())[:200] or type(error).__name__
    cut = isinstance(error, EOFError) or any(word in text.lower() for word in ("truncat", "end of file", "not enough"))
    return ImageError("truncated" if cut else "unreadable", f"{kind}: {text}")


def _with_profile(picture: Picture, icc: Icc) -> Picture:
    """What becomes of a picture's colour profile; the result has one only where an encoder is to embed it."""
    profile = colour.load(picture.profile)
    grey = picture.mode == "L"
    if profile is None or profile.mode != picture.mode:
        return replace(picture, profile=b"", warnings=(*picture.warnings, "profile_ignored"))
    if icc == "srgb" and not profile.is_srgb:
        pixels = picture.pixels
        if picture.mode != "CMYK":  # that was converted where its four channels were at hand
            image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0]) if grey else pixels)
            pixels = profile.to_srgb(image)
        return Picture(pixels, warnings=(*picture.warnings, "colours_converted"), exif=picture.exif)
    if icc == "srgb" or picture.mode != "RGB":
        return replace(picture, profile=b"")
    stored = colour.storable(picture.profile)
    lost = () if stored else ("profile_ignored",)
    return replace(picture, profile=stored, warnings=(*picture.warnings, *lost))
