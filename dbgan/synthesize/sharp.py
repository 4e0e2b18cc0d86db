"""Sharp pictures of source corpora, each decoded once for all its variants and for all windows that hold it."""

from __future__ import annotations

import collections
import hashlib
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
from dbgan.corpus.columns import nullable_columns
from dbgan.corpus.layout import LOSSLESS, pixel_digest
from dbgan.corpus.rows import RowsByKey
from dbgan.errors import CorpusError
from dbgan.image import quality
from dbgan.image.codec import decode, encode
from dbgan.recipe import codec_versions


@dataclass(frozen=True)
class Sharp:
    """A sharp picture, ready to be blurred and stored.

    Attributes:
        pixels: HWC uint8 RGB, as the source holds them. meta: its `json` member.
        data: the file as the new corpus holds it. copied: whether that is the source's own file.
        seen: what `data` decodes to: other pixels than `pixels` only where it was encoded with loss.
        known: digests of `data` and of `seen` and the measures, as far as the source's manifest tells them.
        measured: whether measures are wanted.
    """

    pixels: NDArray[np.uint8]
    meta: Mapping[str, Any]
    data: bytes
    copied: bool
    seen: NDArray[np.uint8]
    known: Mapping[str, Any]
    measured: bool

    @cached_property
    def columns(self) -> dict[str, Any]:
        """Manifest columns: the digest and the measures of what a reader sees. The same for every variant."""
        columns = {name: value for name, value in self.known.items() if name != "sharp_sha256"}
        if "sharp_pixels_sha256" not in columns:
            columns["sharp_pixels_sha256"] = pixel_digest(self.seen)
        if self.measured and len(columns) == 1:
            columns |= quality.columns("sharp", self.seen, self.data)
        return columns

    @property
    def sha256(self) -> dict[str, bytes]:
        """The digest of `data` by its field, where it is known."""
        return {"sharp": self.known["sharp_sha256"]} if "sharp_sha256" in self.known else {}

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        return len(self.data) + self.pixels.nbytes + (0 if self.seen is self.pixels else self.seen.nbytes)


_Where = tuple[str, str, str]
"""Group, source and key."""


class SharpPictures:
    """Reads sharp pictures and keeps the last ones. Safe between threads; a picture that two ask for is read once.

    Kept are those that fit into `limit`: variants of a shard come after each other and in one order, where dropping the
    least recent for the newest would drop each just before it is asked for. Windows move along a sequence; there the
    oldest make room, and so do those of a group that is about to be left: no other plan asks for its first ones.

    Args:
        corpora: by source name.
        ext: file type of the new corpus. quality: of its JPEGs.
        limit: bytes.
        measured: whether measures are wanted.
    """

    def __init__(
        self, corpora: Mapping[str, Corpus], ext: str, quality: int, limit: int, *, measured: bool = True
    ) -> None:
        self._corpora, self._ext, self._quality, self._limit = corpora, ext, quality, limit
        self._measured = measured
        self._manifests = {name: RowsByKey(corpus.path, _told(corpus, measured)) for name, corpus in corpora.items()}
        self._kept: collections.OrderedDict[_Where, Future[Sharp]] = collections.OrderedDict()
        self._lock = threading.Lock()
        self._sizes: dict[_Where, int] = {}
        self._bytes = 0
        self.decoded = 0
        """Pictures decoded so far."""

    def turn_to(self, group: str) -> None:
        """Forget the pictures of other groups of plans."""
        with self._lock:
            for where in [where for where in self._kept if where[0] != group or not group]:
                self._drop(where)

    def get(self, source: str, key: str, group: str = "", *, moving: bool = False) -> Sharp:
        """The picture `key` of a source. `moving`: it is one of a window, whose oldest pictures may be dropped.

        It is kept for the plans of `group`.

        Raises:
            CorpusError: the source's shard cannot be read, or is not what its manifest says.
            ImageError: the picture cannot be decoded.
        """
        where = (group, source, key)
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

    def _admit(self, where: _Where, size: int, moving: bool) -> None:
        self._bytes += size
        self._sizes[where] = size
        while self._bytes > self._limit:
            oldest = next(iter(self._sizes))
            if oldest == where or not (moving or oldest[0] != where[0]):
                break
            self._drop(oldest)
        if self._bytes > self._limit:
            self._drop(where)

    def _drop(self, where: _Where) -> None:
        """Keep a picture no longer; one that is being read is not kept when it comes."""
        self._kept.pop(where, None)
        self._bytes -= self._sizes.pop(where, 0)

    def _read(self, source: str, key: str) -> Sharp:
        corpus = self._corpora[source]
        stored = corpus.encoded(key, "sharp")
        known = self._manifests[source][key]
        # The only time that these bytes are hashed: for all variants, and for the shards they are copied into.
        if hashlib.sha256(stored).digest() != known["sharp_sha256"]:
            raise CorpusError(
                f"{corpus.path}: the sharp picture of {key} is not the one of the manifest: its sha256 is another.\n"
                "Next: `dbgan corpus verify --repair`, then `dvc pull` or build the corpus again."
            )
        pixels = decode(stored, max_pixels=corpus.header.max_pixels)
        meta = json.loads(corpus.encoded(key, "json"))
        if corpus.header.ext == self._ext:
            return Sharp(pixels, meta, stored, True, pixels, known, self._measured)
        data = encode(pixels, self._ext, quality=self._quality)
        seen = pixels if self._ext in LOSSLESS else decode(data)
        return Sharp(pixels, meta, data, False, seen, {}, self._measured)


def _told(corpus: Corpus, measured: bool) -> list[str]:
    """Columns of a source's manifest that hold for a copy of its sharp picture as well."""
    columns = ["sharp_sha256"]
    # Another libjpeg may see other pixels in the same file.
    if corpus.header.ext in LOSSLESS or dict(corpus.header.codecs) == codec_versions():
        columns.append("sharp_pixels_sha256")
        columns += sharp_measures(corpus) if measured else []
    return columns


def sharp_measures(corpus: Corpus) -> list[str]:
    """Columns with the measures of sharp pictures; none where the source was not measured, or by an older version."""
    wanted = [name for name in nullable_columns("sharp") if name.startswith("sharp_")]
    return wanted if corpus.header.quality and set(wanted) <= set(corpus.columns) else []
