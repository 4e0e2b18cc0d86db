"""Frames of clips as samples: which there are (`look`), and the builder that reads each clip once, in order."""

from __future__ import annotations

import itertools
import os
import platform
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbgan.corpus.layout import Kind, Reject
from dbgan.image import video
from dbgan.image.codec import store_pixels
from dbgan.image.video import ClipError, ClipFrame
from dbgan.ingest.build import Item, Taken
from dbgan.ingest.digests import DigestCache, FileState, refuse_changed
from dbgan.ingest.scan import Frame, RejectedFile, Scan, device_of
from dbgan.ingest.windows import WindowBuilder, average
from dbgan.params import IngestParams
from dbgan.recipe import version

GAP = 1.5
"""Frames further apart than so many times the clip's usual step do not follow each other."""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames `first` to `first + count - 1` of a clip, `centre` the sharp one; a single one where `count` is 1."""

    first: int
    count: int
    centre: int

    def recipe(self) -> list[Any]:
        """What of it determines bytes."""
        return ["frames", self.first, self.count, self.centre]


def decoder() -> dict[str, str]:
    """What shapes decoded frames beyond our code, for recipes: PyAV (with its libraries) and the machine's kind."""
    return {"av": version("av"), "machine": platform.machine()}


def look(
    root: Path, scan: Scan, states: Mapping[str, FileState | OSError], cache: DigestCache, params: IngestParams
) -> Scan:
    """The scan with the frames of its clips. A clip's content is decoded once and remembered by its digest.

    A clip that breaks gives the frames before, and a reject that says where.
    """
    known = {path: state for path in scan.files if isinstance(state := states[path], FileState)}
    reader = f"video {decoder()} {params.max_pixels}"
    found = cache.contents(root, known, reader, lambda path: _surveyed(path, params.max_pixels), "clips")
    frames, rejects = list(scan.frames), list(scan.rejects)
    names = _sequences(scan.files)
    for path in scan.files:
        state = states[path]
        if isinstance(state, OSError):
            rejects.append(RejectedFile(path, "unreadable", state.strerror or "cannot be read", names[path]))
            continue
        clip = found[path]
        if clip["reason"]:
            rejects.append(RejectedFile(path, clip["reason"], clip["broken"], names[path]))
        device = device_of(path, params.device)
        which = "blur" if params.take == "blurry" else "sharp"
        spans = _spans(clip["times_s"], params)
        if not spans and params.layout == "frames" and not clip["reason"]:
            said = f"a window is {params.window} consecutive frames, found {len(clip['times_s'])}"
            rejects.append(RejectedFile(path, "window_incomplete", said, names[path]))
        frames += [Frame(names[path], f"{span.centre:06d}", {which: path}, device, part=span) for span in spans]
    kind: Kind = "paired" if params.layout == "frames" else "blurry" if params.take == "blurry" else "sharp"
    notes = (*scan.notes, f"Frames of clips were decoded by PyAV {version('av')}.") if found else scan.notes
    return Scan(frames, rejects, scan.ignored, kind, notes, scan.litter)


def _surveyed(path: Path, max_pixels: int) -> dict[str, Any]:
    try:
        clip = video.survey(path, max_pixels=max_pixels)
    except ClipError as error:
        return {"times_s": [], "reason": error.reason, "broken": error.detail}
    return {"times_s": list(clip.times_s), "reason": clip.reason, "broken": clip.broken}


def _sequences(files: Sequence[str]) -> dict[str, str]:
    """Sequence of each clip: its path without extension; with it where two clips share a stem."""
    stems = Counter(os.path.splitext(path)[0] for path in files)
    return {
        path: f"{stem}-{suffix[1:]}" if stems[stem] > 1 else stem
        for path in files
        for stem, suffix in (os.path.splitext(path),)
    }


def _spans(times_s: Sequence[float], params: IngestParams) -> list[Span]:
    if params.layout == "video":
        return [Span(index, 1, index) for index in range(0, len(times_s), params.every)]
    from dbgan.ingest.frames import shape

    before, _, stride = shape(params)
    spans = []
    for start, end in _runs(times_s):
        for first in range(start, end - params.window + 1, stride):
            spans.append(Span(first, params.window, first + before))
    return spans


def _runs(times_s: Sequence[float]) -> list[tuple[int, int]]:
    """(first, end) of runs of frames without a gap in time: a variable rate leaves frames out where nothing moved."""
    steps = [b - a for a, b in itertools.pairwise(times_s)]
    usual = statistics.median(steps) if steps else 0.0
    ends = [index + 1 for index, step in enumerate(steps) if step > GAP * usual]
    starts = [0, *ends]
    return list(zip(starts, [*ends, len(times_s)], strict=True))


@dataclass(slots=True)
class _Cursor:
    """One open clip, read forwards; the frames that are still needed wait in `held`."""

    path: str = ""
    position: int = 0
    needed: set[int] = field(default_factory=set)
    held: dict[int, ClipFrame] = field(default_factory=dict)
    reading: Iterator[ClipFrame] = field(default_factory=lambda: iter(()))
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClipBuilder(WindowBuilder):
    """Samples from frames of clips, and from windows of files. See `WindowBuilder`.

    A clip is decoded in order by the builder's own thread, its frames are encoded and measured by all. Shards of a clip
    that follow each other go on where the last one ended.
    """

    @property
    def modules(self) -> tuple[str, ...]:
        """The code that decides a shard's bytes."""
        return (*super(ClipBuilder, self).modules, "dbgan.ingest.clips")

    @property
    def at_once(self) -> int:
        """One: a clip is read in order."""
        return 1

    @property
    def _ahead(self) -> int:
        """One: an item waits with all frames of its window."""
        return 1

    def _open(self) -> Callable[[Iterable[Item]], Iterator[tuple[Item, Any]]]:
        cursor = _Cursor()
        return lambda items: self._supply(cursor, list(items))

    def _supply(self, cursor: _Cursor, items: list[Item]) -> Iterator[tuple[Item, Any]]:
        spans = [item.part for item in items]
        if not items or not isinstance(spans[0], Span):
            yield from ((item, None) for item in items)
            return
        path = items[0].paths[0][1]
        refuse_changed(Path(self.root) / path, items[0].states[0])
        needed = {index for span in spans for index in range(span.first, span.first + span.count)}
        gone = {index for index in needed if index < cursor.position} - cursor.held.keys()
        if cursor.path != path or gone:
            self._reopen(cursor, path)
        cursor.needed |= needed
        for item, span in zip(items, spans, strict=True):
            cursor.held = {index: frame for index, frame in cursor.held.items() if index >= span.first}
            try:
                while cursor.position < span.first + span.count:
                    frame = next(cursor.reading)
                    cursor.position = frame.index + 1
                    if frame.pixels is not None:
                        cursor.held[frame.index] = frame
                window = [cursor.held[index] for index in range(span.first, span.first + span.count)]
                yield item, (window, cursor.meta)
            except (ClipError, StopIteration, KeyError) as error:
                refuse_changed(Path(self.root) / path, item.states[0])
                detail = error.detail if isinstance(error, ClipError) else "the clip ends before this frame"
                yield item, ClipError("unreadable", detail)
        refuse_changed(Path(self.root) / path, items[0].states[0])

    def _reopen(self, cursor: _Cursor, path: str) -> None:
        full = Path(self.root) / path
        cursor.path, cursor.position, cursor.needed, cursor.held = path, 0, set(), {}
        cursor.meta = video.metadata(full)
        needed = cursor.needed
        cursor.reading = video.frames(full, wanted=needed.__contains__, max_pixels=self.max_pixels)

    def _take(self, item: Item, supplied: Any) -> Taken | Reject:
        if supplied is None:
            return super(ClipBuilder, self)._take(item, supplied)
        if isinstance(supplied, ClipError):
            return Reject(item.origin, supplied.reason, supplied.detail, item.sequence)
        window, meta = supplied
        span: Span = item.part
        centre: ClipFrame = window[span.centre - span.first]
        pixels = centre.pixels
        assert pixels is not None
        height, width, _ = pixels.shape
        if min(height, width) < self.min_side:
            said = f"{width}x{height} px, the shorter side is under {self.min_side} px"
            return Reject(item.origin, "too_small", said, item.sequence)
        which = item.paths[0][0]
        stored = {which: store_pixels(pixels, self.ext, warnings=centre.warnings)}
        if span.count > 1:
            names = [str(frame.index) for frame in window]
            made = average([frame.pixels for frame in window], names, self.response, refuse_cuts=self.refuse_cuts)
            if made.pixels is None:
                return Reject(item.origin, made.reason, made.detail, item.sequence)
            stored = {"blur": store_pixels(made.pixels, self.ext, warnings=made.warnings), **stored}
        meta = {**meta, "captured_at": video.moment(meta["captured_at"], centre.time_s)}
        return Taken(stored, {}, meta, columns={"time_s": centre.time_s})
