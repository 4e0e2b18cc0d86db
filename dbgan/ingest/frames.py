"""Layout `frames`: sharp frames of high rate, as numbered pictures in folders or as clips, averaged into pairs (Eq. 2).

A folder or a clip is a sequence; windows of consecutive frames of it are the pairs. A gap in the numbers begins a new
run of frames, which no window spans; cuts are found in the pictures themselves.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dbgan.blur.frames import windows
from dbgan.corpus.recordings import ROOT_SEQUENCE
from dbgan.image.video import is_video
from dbgan.ingest.scan import Frame, RejectedFile, Scan, device_of, is_picture, walk
from dbgan.params import IngestParams

EXPECTED = "folders of consecutively numbered sharp frames, or clips of them"
LIKELY = 5
"""Consecutive pictures called by nothing but their number that make a folder look like frames."""

_NUMBER = re.compile(r"(\d+)$")


def shape(params: IngestParams) -> tuple[int, int, int]:
    """Frames before and after the sharp one, and from one window to the next."""
    before = params.window // 2 if params.centre < 0 else params.centre
    return before, params.window - 1 - before, params.stride or params.window


def scan(root: Path, params: IngestParams) -> Scan:
    """Windows of every folder of numbered pictures; those of clips are known once they were looked into."""
    tree = walk(root)
    rejects, ignored = list(tree.rejects), tree.ignored
    folders: dict[str, dict[str, str]] = defaultdict(dict)
    seen: dict[tuple[str, int], str] = {}
    clips: list[str] = []
    for path in tree.files:
        whole, _ = posixpath.splitext(path)
        folder, stem = posixpath.split(whole)
        number = _NUMBER.search(stem)
        if is_video(path):
            clips.append(path)
        elif number is None or not is_picture(path):
            ignored += 1
        elif seen.setdefault((folder, int(number[1])), path) != path:
            rejects.append(RejectedFile(path, "duplicate_key", "another frame of this folder has its number", folder))
        else:
            folders[folder][stem] = path
    frames: list[Frame] = []
    for folder, by_stem in sorted(folders.items()):
        sequence = folder or ROOT_SEQUENCE
        try:
            frames += _pairs(sequence, by_stem, params)
        except ValueError as error:
            rejects.append(RejectedFile(min(by_stem.values()), "window_incomplete", str(error), sequence))
    return Scan(frames, rejects, ignored, "paired", notes(params), dict(tree.litter), tuple(clips))


def detect(files: Sequence[str]) -> dict[str, str] | None:
    """A folder of pictures whose names are nothing but consecutive numbers."""
    numbers: dict[str, set[int]] = defaultdict(set)
    for path in filter(is_picture, files):
        folder, name = posixpath.split(path)
        stem = posixpath.splitext(name)[0]
        if stem.isdecimal():
            numbers[folder].add(int(stem))
    for found in numbers.values():
        if any(all(number + step in found for step in range(LIKELY)) for number in found):
            return {}
    return None


def notes(params: IngestParams) -> tuple[str, ...]:
    """The sentence for the card."""
    before, after, stride = shape(params)
    return (
        f"The blurry frames are averages of {params.window} consecutive frames ({before} before and {after} after the "
        f"sharp one, every {stride}), response `{params.response}` (Eqs. 2 and 4).",
    )


def _pairs(sequence: str, by_stem: Mapping[str, str], params: IngestParams) -> Iterator[Frame]:
    before, after, stride = shape(params)
    for stem, names in windows(by_stem, before, after, stride).items():
        sharp = by_stem[stem]
        window = tuple(by_stem[name] for name in names)
        yield Frame(sequence, stem, {"sharp": sharp}, device_of(sharp, params.device), window)
