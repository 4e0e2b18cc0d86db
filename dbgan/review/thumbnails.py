"""Small pictures for the grid, made once into `.dbgan/thumbnails/` and named by the digest of the picture's bytes."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from PIL import Image

from dbgan.errors import DbganError, ImageError
from dbgan.files import state_dir, write_bytes

SIDE = 320
"""Longer side, px: sharp on the grid's cards (up to 240 px wide) and on dense screens, about 15 KB each."""
QUALITY = 82


def thumbnail_path(digest: str) -> Path:
    """Where the thumbnail of the picture with these bytes is kept. The same picture in two corpora has one."""
    return state_dir() / "thumbnails" / digest[:2] / f"{digest}.jpg"


def thumbnail(digest: str, read: Callable[[], bytes], max_pixels: int) -> bytes:
    """The thumbnail as JPEG, from the cache or made now from the encoded picture that `read` gives.

    Raises:
        ImageError: the picture is damaged, or promises more than `max_pixels` pixels.
    """
    path = thumbnail_path(digest)
    if path.is_file():
        return path.read_bytes()
    small = shrink(read(), max_pixels)
    write_bytes(path, small)
    return small


def shrink(encoded: bytes, max_pixels: int) -> bytes:
    """An encoded picture (JPEG or PNG) as a JPEG of at most `SIDE` px; smaller ones keep their size.

    Of a JPEG only as many coefficients are decoded as the size needs: 12 MP in a fraction of a full decode.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            if picture.width * picture.height > max_pixels:
                raise ImageError("too_large", f"{picture.width}x{picture.height} px, over {max_pixels} px")
            picture.draft("RGB", (SIDE, SIDE))
            small = picture.convert("RGB")
            small.thumbnail((SIDE, SIDE))
            out = io.BytesIO()
            small.save(out, "JPEG", quality=QUALITY, icc_profile=picture.info.get("icc_profile"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError("unreadable", str(error)) from None
    return out.getvalue()


class Maker:
    """Makes the thumbnails that are missing on a thread of its own, so that pages to come are there already."""

    def __init__(self, jobs: Iterable[tuple[str, Callable[[], bytes]]], max_pixels: int) -> None:
        self._jobs, self._max_pixels = jobs, max_pixels
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="thumbnails", daemon=True)
        self.failed: dict[str, str] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the picture in work."""
        self._stop.set()
        self._thread.join()

    def join(self) -> None:
        """Wait until all are made."""
        self._thread.join()

    def _run(self) -> None:
        for digest, read in self._jobs:
            if self._stop.is_set():
                return
            if thumbnail_path(digest).is_file():
                continue
            try:
                thumbnail(digest, read, self._max_pixels)
            except DbganError as error:
                # The grid shows it as a picture that cannot be drawn; the others go on.
                self.failed[digest] = str(error)
