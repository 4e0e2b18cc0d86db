"""The builder of ingest: read a frame's files, keep or encode its pictures, take the allow-listed metadata, measure."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dbgan.corpus.layout import EncodedSample, Plan, Reject, origin_digest, pixel_digest
from dbgan.errors import ImageError
from dbgan.image import quality
from dbgan.image.codec import Stored, sniff, store
from dbgan.image.metadata import read_allowed
from dbgan.image.readers import Icc
from dbgan.ingest.digests import FileState, gone, refuse_changed

NAME = "ingest"
REVISION = 7
"""Raise by hand when the same inputs and parameters give other bytes than before."""

MODULES = (
    "dbgan.image",
    "dbgan.ingest.build",
    "dbgan.corpus.write",
    "dbgan.corpus.layout",
    "dbgan.corpus.columns",
)

_FORMATS = {
    "jpeg": {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"},
    "png": {".png", ".apng"},
    "tiff": {".tif", ".tiff"},
    "ppm": {".pbm", ".pgm", ".ppm", ".pnm"},
    "heif": {".heic", ".heif", ".hif"},
}


@dataclass(frozen=True, slots=True)
class Item:
    """One sample of a plan.

    Attributes:
        paths: (field, path below the root) pairs. states: of these files.
        device: its name, None: EXIF decides.
        window: files, with their states, whose average is the blurry picture.
        part: which part of the files is meant (see `scan.Frame.part`).
    """

    key: str
    paths: tuple[tuple[str, str], ...]
    states: tuple[FileState, ...]
    device: str | None
    window: tuple[tuple[str, FileState], ...] = ()
    part: Any = None

    @property
    def origin(self) -> str:
        """Digest of the blurry (or only) file's path; of the sharp one's where the blurry picture is an average.

        Of a member of a tar it is that of `TAR/MEMBER`.
        """
        return origin_digest(getattr(self.part, "name", "") or self.paths[0][1])

    @property
    def sequence(self) -> str:
        """The key's first part."""
        return self.key.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Taken:
    """What an item's files gave: pictures and the files they came from (empty: none) by field, allow-listed metadata,
    warnings, further manifest columns, and sha256 of stored pictures of which it is known.
    """

    stored: dict[str, Stored]
    sources: dict[str, bytes]
    meta: dict[str, Any]
    warnings: tuple[str, ...] = ()
    columns: Mapping[str, Any] = field(default_factory=dict)
    digests: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IngestBuilder:
    """See `engine.worker.Builder`. This one stores files as they are; layouts that make pictures derive from it.

    Attributes:
        root: absolute raw folder. ext: file type of every image.
        max_pixels, min_side, icc, measured: as in `IngestParams` (`measured` is its `quality`).
        threads: pictures worked on at a time. It never changes bytes.
    """

    root: str
    ext: str
    max_pixels: int
    min_side: int
    measured: bool
    icc: Icc = "keep"
    threads: int = 1

    @property
    def name(self) -> str:
        """Part of every recipe."""
        return NAME

    @property
    def revision(self) -> int:
        """The REVISION integer."""
        return REVISION

    @property
    def modules(self) -> tuple[str, ...]:
        """The code that decides a shard's bytes."""
        return MODULES

    @property
    def at_once(self) -> int:
        """Shards that may be made beside each other in this process."""
        return 2 if self.threads > 1 else 1

    def open(self) -> Callable[[Plan], Iterator[EncodedSample | Reject]]:
        """The function that makes a shard's samples, in the order of the plan. All shards share the threads."""
        supply = self._open()
        if self.threads == 1:
            return lambda plan: itertools.starmap(self._sample, supply(plan.items))
        pool = ThreadPoolExecutor(self.threads)
        return lambda plan: self._in_order(pool, supply(plan.items))

    @property
    def _ahead(self) -> int:
        """Items per thread that may wait with what was supplied for them, for each shard in work."""
        return 2

    def _open(self) -> Callable[[Iterable[Item]], Iterator[tuple[Item, Any]]]:
        """The function that gives, one after the other, each item with what only reading in order can give it."""
        return lambda items: ((item, None) for item in items)

    def _in_order(
        self, pool: ThreadPoolExecutor, items: Iterable[tuple[Item, Any]]
    ) -> Iterator[EncodedSample | Reject]:
        """Results in the order of items, with at most `_ahead` per thread in memory."""
        waiting: deque[Future[EncodedSample | Reject]] = deque()
        try:
            for item, supplied in items:
                waiting.append(pool.submit(self._sample, item, supplied))
                if len(waiting) >= self._ahead * self.threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for left in waiting:
                left.cancel()

    def _take(self, item: Item, supplied: Any) -> Taken | Reject:
        """An item's pictures; `supplied` is what `_open` gave for it."""
        stored: dict[str, Stored] = {}
        sources: dict[str, bytes] = {}
        warnings: list[str] = []
        meta: dict[str, Any] = {}
        digests: dict[str, bytes] = {}
        for (which, path), state in zip(item.paths, item.states, strict=True):
            data = sources[which] = self._read(path, state)
            try:
                stored[which] = self._store(data)
            except ImageError as error:
                return Reject(origin_digest(path), error.reason, f"{which}: {error.detail}", item.sequence)
            if state.fresh and stored[which].data is data:  # untouched, and hashed for the recipe in this run
                digests[which] = bytes.fromhex(state.sha256)
            meta = meta or read_allowed(data, stored[which].exif)
            warnings += [f"{which}:{text}" for text in wrong_extension(path, data)]
        return Taken(stored, sources, meta, tuple(warnings), digests=digests)

    def _sample(self, item: Item, supplied: Any) -> EncodedSample | Reject:
        sequence, _, frame = item.key.partition("/")
        taken = self._take(item, supplied)
        if isinstance(taken, Reject):
            return taken
        stored, meta = taken.stored, dict(taken.meta)
        warnings = [*taken.warnings, *(f"{which}:{text}" for which, p in stored.items() for text in p.warnings)]
        sizes = {which: picture.pixels.shape for which, picture in stored.items()}
        if len(set(sizes.values())) > 1:
            said = ", ".join(f"{which} {width}x{height} px" for which, (height, width, _) in sizes.items())
            return Reject(item.origin, "pair_size_mismatch", said, sequence)
        height, width, _ = next(iter(sizes.values()))
        meta |= {"key": item.key, "sequence": sequence, "frame": frame, "width": width, "height": height}
        meta["origin"] = item.origin
        if item.device is not None:
            meta["device"] = item.device
        fields = {which: picture.data for which, picture in stored.items()}
        kept = frozenset(which for which, picture in stored.items() if picture.kept)
        columns = {**self._columns(stored, taken.sources), **taken.columns}
        return EncodedSample(item.key, fields, meta, columns, kept, tuple(warnings), taken.digests)

    def _store(self, data: bytes) -> Stored:
        return store(data, self.ext, max_pixels=self.max_pixels, min_side=self.min_side, icc=self.icc)

    def _columns(self, stored: dict[str, Stored], sources: dict[str, bytes]) -> dict[str, Any]:
        columns: dict[str, Any] = {f"{w}_pixels_sha256": pixel_digest(p.pixels) for w, p in stored.items()}
        if self.measured:
            for which, picture in stored.items():
                columns |= quality.columns(which, picture.pixels, sources.get(which, b""))
            if len(stored) == 2:
                columns["pair_psnr"] = quality.pair_psnr(stored["blur"].pixels, stored["sharp"].pixels)
        return columns

    def _read(self, path: str, state: FileState) -> bytes:
        """The file's bytes; an error where it is no longer the file whose digest is in the recipe."""
        full = Path(self.root) / path
        try:
            data = full.read_bytes()
        except OSError as error:
            raise gone(full, error) from None
        refuse_changed(full, state, data)
        return data


def wrong_extension(path: str, data: bytes) -> list[str]:
    """The warning of a file whose content is not what its name says; empty for all others."""
    kind, suffix = sniff(data), PurePosixPath(path).suffix.lower()
    return [] if suffix in _FORMATS.get(kind, {f".{kind}"}) else ["wrong_extension"]
