"""What belongs together among captures: bursts and sessions (pictures without a long gap between them).

Times are local and say no zone: they order the pictures of one folder and are compared with nothing else. A burst is
never divided.
"""

from __future__ import annotations

import datetime
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dbgan.corpus.recordings import ROOT_SEQUENCE
from dbgan.image.metadata import read_allowed
from dbgan.ingest.digests import DigestCache, FileState
from dbgan.ingest.scan import Frame, Scan
from dbgan.params import IngestParams

READER = "captured_at 1"
"""Names `_captured_at` in the cache of contents: raise its number when it reads other times than before."""

UNDATED = "undated"
BURST_STEP_S = 1
LEAST_BURST = 3
"""Pictures that follow each other within a second are a burst from so many on; names tell bursts of two."""

# 00100lrPORTRAIT_00100_BURST20190101120000000_COVER, IMG_20190101_120000_BURST001, 20190101_120000_001
_BURST = re.compile(r"(?P<shared>BURST\d{10,})|^(?P<stem>.+)_BURST\d{1,4}(?:_COVER)?$|^(?P<second>\d{8}_\d{6})_\d{3}$")
_IN_NAME = re.compile(r"(?<!\d)(20\d{6})[_-]?(\d{6})")

Time = datetime.datetime


def burst_of(path: str) -> str:
    """What the pictures of a burst have in common in their names, with their folder; empty for single pictures.

    >>> burst_of("a/IMG_20190101_120000_BURST002.jpg")
    'a/IMG_20190101_120000'
    """
    folder, name = posixpath.split(path)
    found = _BURST.search(posixpath.splitext(name)[0])
    return f"{folder}/{next(text for text in found.groups() if text)}" if found else ""


def named_bursts(paths: Iterable[str]) -> list[list[str]]:
    """Pictures of each burst that names tell of; at least two each."""
    bursts: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        burst = burst_of(path)
        if burst:
            bursts[burst].append(path)
    return [members for members in bursts.values() if len(members) > 1]


def burst_notes(bursts: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The sentence for the card; none where there are no bursts."""
    if not bursts:
        return ()
    pictures = sum(len(members) for members in bursts)
    thinned = "`near_bits` and `keep_per_burst` of `curate` thin them."
    return (f"{pictures} pictures are of {len(bursts)} bursts: {thinned}",)


def look(
    root: Path, scan: Scan, states: Mapping[str, FileState | OSError], cache: DigestCache, params: IngestParams
) -> Scan:
    """The scan with each folder cut into sessions, by the times in the pictures' metadata.

    A session is called by its folder and its first picture's time. Pictures without a time are one sequence, unless
    no picture of the folder has one: then times in names are taken.
    """
    gap = datetime.timedelta(minutes=params.session_gap_min or 0)
    known = {
        path: state for frame in scan.frames for path in frame.files if isinstance(state := states[path], FileState)
    }
    taken = cache.contents(root, known, READER, _captured_at, "capture times")
    folders: dict[str, list[Frame]] = defaultdict(list)
    for frame in scan.frames:
        folders[frame.sequence].append(frame)
    frames: list[Frame] = []
    bursts = named_bursts(frame.paths["blur"] for frame in scan.frames)
    others = [note for note in scan.notes if note not in burst_notes(bursts)]
    together = {path: members[0] for members in bursts for path in members}
    named = {path for members in bursts for path in members}
    sessions = 0
    for folder, members in sorted(folders.items()):
        times = _times([frame.paths["blur"] for frame in members], taken)
        by_path = {frame.paths["blur"]: frame for frame in members}
        cut = _sessions(times, gap, together)
        sessions += len(cut)
        for name, paths in cut.items():
            own = name if folder == ROOT_SEQUENCE else f"{folder}/{name}"
            frames += [replace(by_path[path], sequence=own) for path in paths]
        bursts += [run for run in _timed_bursts(times) if not named & {*run}]
    said = f"Sequences are sessions: {sessions} of them, with gaps of more than {params.session_gap_min:g} min between."
    return replace(scan, frames=frames, notes=(said, *burst_notes(bursts), *others))


def _captured_at(path: Path) -> str:
    try:
        return str(read_allowed(path.read_bytes())["captured_at"])
    except OSError:
        return ""  # the builder reports files that cannot be read any more


def _times(paths: Sequence[str], taken: Mapping[str, str]) -> dict[str, Time | None]:
    """Time of each picture of a folder, in order of time and name; those without one last."""
    times = {path: Time.fromisoformat(taken[path]) if taken.get(path) else None for path in paths}
    if not any(times.values()):
        times = {path: _time_in_name(path) for path in paths}
    return dict(sorted(times.items(), key=lambda item: (item[1] or Time.max, item[0])))


def _time_in_name(path: str) -> Time | None:
    found = _IN_NAME.search(posixpath.basename(path))
    try:
        return Time.strptime(found[1] + found[2], "%Y%m%d%H%M%S") if found else None
    except ValueError:
        return None


def _sessions(
    times: Mapping[str, Time | None], gap: datetime.timedelta, together: Mapping[str, str]
) -> dict[str, list[str]]:
    """Name -> pictures. `together`: picture -> the one whose session it shares."""
    sessions: dict[str, list[str]] = {}
    name, last = "", Time.min
    of: dict[str, str] = {}
    for path, time in times.items():
        if time is None:
            of[path] = UNDATED
            continue
        if not name or time - last > gap:
            name = time.strftime("%Y%m%d-%H%M%S")
        of[path], last = name, time
    for path, own in of.items():
        leader = together.get(path, path)
        sessions.setdefault(of.get(leader, own), []).append(path)
    return sessions


def _timed_bursts(times: Mapping[str, Time | None]) -> list[list[str]]:
    """Runs of pictures of which each follows the one before within a second."""
    runs: list[list[str]] = []
    last: Time | None = None
    for path, time in times.items():
        if time is None:
            continue
        if last is None or (time - last).total_seconds() > BURST_STEP_S:
            runs.append([])
        runs[-1].append(path)
        last = time
    return [run for run in runs if len(run) >= LEAST_BURST]
