"""Sharp pictures of source corpora, each decoded once for all its variants and for all windows that hold it."""

from __future__ import annotations

import collections
import json
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbgan.corpus import Corpus
from dbgan.corpus.layout import pixel_digest
from dbgan.image import quality
from dbgan.image.codec import decode, encode


@dataclass(frozen=True)
class Sharp:
    """A sharp picture, ready to be blurred and stored.

    Attributes:
        pixels: HWC uint8 RGB, as the source holds them. meta: its `json` member.
        data: the file as the new corpus holds it. copied: whether that is the source's own file.
        seen: what `data` decodes to: other pixels than `pixels` only where it was encoded with loss.
    """

    pixels: NDArray[np.uint8]
    meta: Mapping[str, Any]
    data: bytes
    copied: bool
    seen: NDArray[np.uint8]

    @cached_property
    def columns(self) -> dict[str, Any]:
        """Manifest columns: the digest and the measures of what a reader sees. The same for every variant."""
        measures = quality.columns("sharp", self.seen, self.data)
        return {"sharp_pixels_sha256": pixel_digest(self.seen), **measures}

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return len(self.data) + self.pixels.nbytes + (0 if self.seen is self.pixels else self.seen.nbytes)


class SharpPictures:
    """Reads sharp pictures and keeps the last ones. Safe between threads; a picture that two ask for is read once.

    Kept are those that fit into `limit`: variants of a shard come after each other and in one order, where dropping the
    least recent for the newest would drop each just before it is asked for. Windows move along a sequence; there the
    oldest make room.

    Args:
        corpora: by source name.
        ext: file type of the new corpus. quality: of its JPEGs.
        limit: bytes.
    """

    def __init__(self, corpora: Mapping[str, Corpus], ext: str, quality: int, limit: int) -> None:
        self._corpora, self._ext, self._quality, self._limit = corpora, ext, quality, limit
        self._kept: collections.OrderedDict[tuple[str, str], Future[Sharp]] = collections.OrderedDict()
        self._lock = threading.Lock()
        self._group, self._bytes = "", 0
        self.decoded = 0
        """Pictures decoded so far."""

    def turn_to(self, group: str) -> None:
        """Forget the pictures of another group of plans."""
        with self._lock:
            if group != self._group or not group:
                self._kept.clear()
                self._bytes = 0
            self._group = group

    def get(self, source: str, key: str, *, moving: bool = False) -> Sharp:
        """The picture `key` of a source. `moving`: it is one of a window, whose oldest pictures may be dropped.

        Raises:
            CorpusError: the source's shard cannot be read. ImageError: the picture cannot be decoded.
        """
        where = (source, key)
        with self._lock:
            found = self._kept.get(where)
            if found is None:
                mine = self._kept[where] = Future()
        if found is not None:
            return found.result()
        try:
            picture = self._read(source, key)
        except BaseException as error:
            with self._lock:
                self._kept.pop(where, None)
            mine.set_exception(error)
            raise
        mine.set_result(picture)
        with self._lock:
            self.decoded += 1
            if self._kept.get(where) is mine:
                self._admit(where, picture.bytes, moving)
        return picture

    def _admit(self, where: tuple[str, str], size: int, moving: bool) -> None:
        self._bytes += size
        while moving and self._bytes > self._limit and len(self._kept) > 1:
            oldest = next(iter(self._kept))
            if oldest == where or not self._kept[oldest].done():
                break
            self._bytes -= self._kept.pop(oldest).result().bytes
        if self._bytes > self._limit:
            self._bytes -= size
            del self._kept[where]

    def _read(self, source: str, key: str) -> Sharp:
        corpus = self._corpora[source]
        stored = corpus.encoded(key, "sharp")
        pixels = decode(stored, max_pixels=corpus.header.max_pixels)
        meta = json.loads(corpus.encoded(key, "json"))
        if corpus.header.ext == self._ext:
            return Sharp(pixels, meta, stored, True, pixels)
        data = encode(pixels, self._ext, quality=self._quality)
        return Sharp(pixels, meta, data, False, pixels if self._ext == "png" else decode(data))
