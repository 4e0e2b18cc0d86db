"""The layouts by name, what a folder looks like, and the error that says so where another layout was asked for."""

from __future__ import annotations

import posixpath
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from dbgan.errors import DbganError
from dbgan.ingest import captures, clips, frames, gopro, gopro_all, paired, sessions, tars, video
from dbgan.ingest.digests import DigestCache, FileState
from dbgan.ingest.presets import PRESETS
from dbgan.ingest.scan import Scan, walk
from dbgan.params import IngestParams

Settings = dict[str, str]
"""Parameter -> value, of those that a layout cannot do without."""


class Layout(Protocol):
    """What a module of a layout has."""

    EXPECTED: str

    def scan(self, root: Path, params: IngestParams) -> Scan:
        """What is there, by names alone."""

    def detect(self, files: Sequence[str]) -> Settings | None:
        """Whether files (paths below the root) are in this layout, and the parameters that it then needs; else None."""


LAYOUTS: Mapping[str, Layout] = {
    "gopro": gopro,
    "gopro-all": gopro_all,
    "paired": paired,
    "corpus": tars,
    "video": video,
    "frames": frames,
    "captures": captures,
}
"""In the order in which they are thought of: the first that detects a folder names it."""

ENOUGH = 20
"""Files of a folder that are looked at."""

PAIRS = {"captures": ("gopro", "gopro-all", "paired"), "frames": ("gopro", "paired")}
"""Layout of pictures of one kind -> layouts that hold the other kind, too, and that it must not be taken for."""


def scanned(params: IngestParams, root: Path, out: Path) -> Scan:
    """The layout's scan of `root`.

    Raises:
        DbganError: no folder; nothing of this layout; or a folder of pairs that is asked for as something else. It
            says what the folder looks like and the command that works.
    """
    if not root.is_dir():
        raise DbganError(
            f"{root}: no such folder.\nNext: put the raw files there (datasets/README.md says where to get them), "
            "or correct `root` of the source."
        )
    scan = LAYOUTS[params.layout].scan(root, params)
    if params.layout in PAIRS:
        taken = [path for frame in scan.frames for path in frame.files]
        particular = next(iter(_detected(taken, PAIRS[params.layout])), None)
        if particular is not None:
            raise DbganError(_wrong(root, out, params, particular))
    if scan.frames or scan.files or (scan.rejects and params.layout in ("captures", "video", "corpus")):
        return scan
    others = [
        (name, settings)
        for name, settings in _detected(walk(root).files, tuple(LAYOUTS))
        if name != params.layout or any(getattr(params, key) != value for key, value in settings.items())
    ]
    expected = PRESETS[params.preset].expected if params.preset else LAYOUTS[params.layout].EXPECTED
    raise DbganError(
        f"{root}: nothing of the layout `{params.layout}` was found.\n"
        f"Expected: {expected}.\n"
        f"Found: {_found(scan)}. " + (_looks_like(root, out, *others[0]) if others else _none_fits())
    )


def look(
    root: Path, scan: Scan, states: Mapping[str, FileState | OSError], cache: DigestCache, params: IngestParams
) -> Scan:
    """The scan with what only the content of files tells: frames of clips, samples of tars, sessions of photos.

    Args:
        states: of all files of the scan. cache: remembers contents by digest, so that known files are not read again.
    """
    if params.layout == "corpus":
        return tars.look(root, scan, states, cache, params)
    if scan.files:
        return clips.look(root, scan, states, cache, params)
    if params.session_gap_min is not None:
        return sessions.look(root, scan, states, cache, params)
    return scan


def _detected(files: Sequence[str], names: Sequence[str]) -> list[tuple[str, Settings]]:
    some = _some_of_each_folder(files)
    found = ((name, LAYOUTS[name].detect(some)) for name in names)
    return [(name, settings) for name, settings in found if settings is not None]


def _some_of_each_folder(files: Sequence[str]) -> list[str]:
    """A few files of every folder: more say nothing more of a layout, and there may be a million."""
    seen: Counter[str] = Counter()
    some = []
    for path in files:
        folder = posixpath.dirname(path)
        seen[folder] += 1
        if seen[folder] <= ENOUGH:
            some.append(path)
    return some


def _wrong(root: Path, out: Path, params: IngestParams, found: tuple[str, Settings]) -> str:
    if params.layout == "frames":
        kind, other, harm = "sharp", "blurry", "Averages of blurry frames are no exposure of a camera."
    else:
        kind, other, harm = "blurry", "sharp", "They would teach BGAN that real photos are sharp."
    return (
        f"{root}: the layout is `{params.layout}`, which takes all pictures for {kind} ones; {other} ones lie there.\n"
        f"{harm} " + _looks_like(root, out, *found) + f"\nOr point `root` at the {kind} pictures alone."
    )


def _found(scan: Scan) -> str:
    """How many files were refused, with the first of each reason, and how many were none of the layout's business."""
    first = {reject.reason: reject for reject in reversed(scan.rejects)}
    refused = [
        f"{count} x {reason} (such as {first[reason].path}: {first[reason].detail})"
        for reason, count in sorted(Counter(reject.reason for reject in scan.rejects).items())
    ]
    others = scan.ignored + sum(map(len, scan.unused.values()))
    return ", ".join([*refused, f"{others} other files"])


def _looks_like(root: Path, out: Path, name: str, settings: Settings) -> str:
    words = ["dbgan", "ingest", str(root), str(out), "--layout", name]
    words += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    yaml = ", ".join([f"layout: {name}", *(f"{key}: {value!r}" for key, value in settings.items())])
    choose = "\n(`take: blurry`, where the frames are not sharp)" if "take" in settings else ""
    return (
        f"It looks like the layout `{name}`: {LAYOUTS[name].EXPECTED}.\n"
        f"Next: {shlex.join(words)}\nor in params.yaml: ingest: {{{yaml}}}{choose}"
    )


def _none_fits() -> str:
    return (
        "No layout fits what is there.\n"
        f"Next: correct `root` of the source, or `layout` (one of {', '.join(LAYOUTS)}; datasets/README.md)."
    )
