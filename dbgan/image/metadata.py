"""EXIF of a picture, cut down to the privacy allow-list (`layout.empty_meta`), and its orientation.

Nothing else of a file's metadata is ever returned: no position, serial number, owner, maker note or comment. Broken
EXIF never raises; what cannot be read is missing.
"""

from __future__ import annotations

import datetime
import io
import math
import re
from typing import Any

from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile

from dbgan.corpus.layout import empty_meta
from dbgan.errors import ImageError, require
from dbgan.image import boxes, jpeg, png

MAX_TEXT = 64

# EXIF 3.0 tags of the allow-list.
_MAKE, _MODEL, _ORIENTATION, _EXIF_IFD, _GPS_IFD = 0x010F, 0x0110, 0x0112, 0x8769, 0x8825
_EXPOSURE, _F_NUMBER, _ISO, _ORIGINAL, _DIGITIZED, _FOCAL = 0x829A, 0x829D, 0x8827, 0x9003, 0x9004, 0x920A

_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')


def read_allowed(data: bytes, exif_block: bytes | None = None) -> dict[str, Any]:
    """The allow-listed metadata of an encoded picture of any supported format.

    Args:
        data: the whole file.
        exif_block: its EXIF where that is known already, so that the file is not searched a second time.

    Returns:
        Exactly the keys of `layout.empty_meta()`: text at most 64 printable characters, `captured_at` ISO 8601 local
        time without zone, `exposure_s` seconds, `focal_mm` millimetres; `device` is make and model as one name.
    """
    meta = empty_meta()
    exif = _exif(data) if exif_block is None else _load(exif_block)
    inner = _inner(exif)
    meta["make"], meta["model"] = printable(exif.get(_MAKE)), printable(exif.get(_MODEL))
    meta["captured_at"] = _time(inner.get(_ORIGINAL)) or _time(inner.get(_DIGITIZED))
    for name, tag in (("exposure_s", _EXPOSURE), ("iso", _ISO), ("f_number", _F_NUMBER), ("focal_mm", _FOCAL)):
        value = _number(inner.get(tag))
        meta[name], meta[f"has_{name}"] = value, value > 0.0
    meta["device"] = device_name(meta["make"], meta["model"])
    return meta


def position(data: bytes) -> dict[int, Any]:
    """The EXIF position of an encoded picture, by tag; empty where there is none or it cannot be written again.

    The one way around the allow-list, for a person who edits own photographs and asks for it
    (`dbgan deblur --keep-location`). It never enters a corpus.
    """
    try:
        found = dict(_exif(data).get_ifd(_GPS_IFD))
        probe = Image.Exif()
        probe.get_ifd(_GPS_IFD).update(found)
        probe.tobytes()
    except Exception:  # broken EXIF makes Pillow raise a dozen kinds of errors; it counts as absent
        return {}
    return found


def device_name(make: str, model: str) -> str:
    """Make and model as one name, without repeating the make.

    >>> device_name("NIKON CORPORATION", "NIKON D800")
    'NIKON D800'
    >>> device_name("Apple", "iPhone 7")
    'Apple iPhone 7'
    """
    if not make or not model:
        return make or model
    if model.lower().split()[0] == make.lower().split()[0] or model.lower().startswith(make.lower()):
        return model
    return printable(f"{make} {model}")


def printable(value: Any) -> str:
    """Printable text of at most 64 characters, white space folded; cut at the first NUL, as EXIF ends its strings.

    Anything but text is empty. Lone surrogates (undecodable file names) are not printable and fall out.
    """
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return ""
    folded = " ".join(value.partition("\x00")[0].split())
    return "".join(c for c in folded if c.isprintable())[:MAX_TEXT].strip()


def orientation(exif: bytes, xmp: bytes) -> int:
    """EXIF orientation 1..8 from a raw EXIF block, else from XMP's `tiff:Orientation`, else 1 (Pillow's rule)."""
    value = _load(exif).get(_ORIENTATION)
    if value is None and (found := _XMP_ORIENTATION.search(xmp)):
        return int(found[1])
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _load(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    try:
        exif.load(block)
        exif.get(_ORIENTATION)
    except Exception:  # broken EXIF makes Pillow raise a dozen kinds of errors; it counts as absent
        return Image.Exif()
    return exif


def _exif(data: bytes) -> Image.Exif:
    """The EXIF of an encoded picture; empty where there is none or it cannot be read."""
    try:
        if data.startswith(jpeg.SIGNATURE):
            return _load(jpeg.parse(data).exif)
        if data.startswith(png.SIGNATURE):
            return _load(png.parse(data).exif)
    except ImageError:
        return Image.Exif()
    if boxes.brand(data) == "heif":
        return _load(_heif_exif(data))
    try:
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _load(WebPImageFile(io.BytesIO(data)).info.get("exif", b""))
        if data[:4] in (b"II*\x00", b"MM\x00*"):
            return _load(data)  # an EXIF block is a TIFF without a picture
        if boxes.brand(data) == "avif":
            from PIL.AvifImagePlugin import AvifImageFile

            return _load(AvifImageFile(io.BytesIO(data)).info.get("exif", b""))
    except Exception:  # as above: a damaged container has no EXIF
        return Image.Exif()
    return Image.Exif()


def _heif_exif(data: bytes) -> bytes:
    require("pillow_heif", "reading HEIC and HEIF pictures", distribution="pillow-heif")
    import pillow_heif

    try:
        heif = pillow_heif.open_heif(io.BytesIO(data))
        block = heif[heif.primary_index].info.get("exif")
    except Exception:  # as above
        return b""
    return block if isinstance(block, bytes) else b""


def _inner(exif: Image.Exif) -> dict[int, Any]:
    try:
        return dict(exif.get_ifd(_EXIF_IFD))
    except Exception:  # as above
        return {}


def _time(value: Any) -> str:
    """`2020:01:31 12:00:00` as `2020-01-31T12:00:00`; empty when it is not a time."""
    try:
        return datetime.datetime.strptime(printable(value), "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return ""


def _number(value: Any) -> float:
    """A finite positive number, the first of several, else 0.0."""
    if isinstance(value, tuple | list):
        value = value[0] if value else None
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
