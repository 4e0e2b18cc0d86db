"""Layout `gopro-all`: GOPRO_Large_all, the 240 fps frames that GOPRO_Large was averaged from, by its own rule.

`[...]/GOPRaaaa_yy_zz/NNNNNN.png`. Image n of a clip (from 1) is centred on stored frame (n - 1) yy + (yy + 1) / 2 - zz
and averages the yy frames around it, as stored; `sharp` is the centre frame. So `blur` is bit-exact for 3200 of the
3214 official pairs. The other 14 are the first image of each clip with zz >= 1, whose window begins before the first
stored frame: they are reported (`window_incomplete`), not guessed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from dbgan.blur.response import Response
from dbgan.ingest.gopro import shared_notes
from dbgan.ingest.official import TEST, TRAIN
from dbgan.ingest.scan import Frame, RejectedFile, Scan, device_of, is_picture, walk
from dbgan.params import IngestParams

EXPECTED = "GOPRaaaa_yy_zz/NNNNNN.png, the single 240 fps frames of GOPRO_Large_all"
RESPONSE: Response = "stored"
"""GOPRO's `blur` is the rounded mean of frames as stored."""

OFFSETS = {"GOPR0378_13_00": 22_000}
"""The stored numbers of this clip begin there and not at 0."""

_CLIP = re.compile(r"GOPR\d{4}_(\d\d)_(\d\d)")


def scan(root: Path, params: IngestParams) -> Scan:
    """Windows of every clip, by the official rule; one reject for each image whose window is not all there."""
    tree = walk(root)
    clips: dict[str, dict[int, str]] = defaultdict(dict)
    rejects, ignored = list(tree.rejects), tree.ignored
    for path in tree.files:
        pure = PurePosixPath(path)
        if not _is_frame(pure):
            ignored += 1
        elif clips[pure.parts[-2]].setdefault(int(pure.stem), path) != path:
            detail = "another file has this clip and number"
            rejects.append(RejectedFile(path, "duplicate_key", detail, pure.parts[-2]))
    frames: list[Frame] = []
    for clip, stored in sorted(clips.items()):
        made, refused = _images(clip, stored, params)
        frames += made
        rejects += refused
    notes: tuple[str, ...] = (
        "The blurry frames are averages of frames as stored (GOPRO's `blur`), made by its own rule.",
    )
    counted = {clip: sum(frame.sequence == clip for frame in frames) for clip in clips}
    notes += (*_official(counted), *shared_notes(sorted(clips)))
    return Scan(frames, rejects, ignored, "paired", notes, dict(tree.litter))


def centre_of(clip: str, image: int) -> int:
    """Number of the stored frame that image `image` (from 1) of a clip is centred on.

    >>> centre_of("GOPR0384_11_00", 1), centre_of("GOPR0384_11_05", 2), centre_of("GOPR0378_13_00", 1)
    (6, 12, 22007)
    """
    length, part = _numbers(clip)
    return (image - 1) * length + (length + 1) // 2 - part + OFFSETS.get(clip, 0)


def detect(files: Sequence[str]) -> dict[str, str] | None:
    """Numbered pictures directly in folders named as GOPRO's clips are."""
    for path in files:
        pure = PurePosixPath(path)
        if _is_frame(pure):
            return {}
    return None


def _is_frame(path: PurePosixPath) -> bool:
    in_clip = len(path.parts) >= 2 and _CLIP.fullmatch(path.parts[-2])
    return bool(in_clip) and path.stem.isdecimal() and is_picture(path.name)


def _numbers(clip: str) -> tuple[int, int]:
    match = _CLIP.fullmatch(clip)
    assert match is not None, clip
    return int(match[1]), int(match[2])


def _images(clip: str, stored: Mapping[int, str], params: IngestParams) -> tuple[list[Frame], list[RejectedFile]]:
    length, _ = _numbers(clip)
    frames: list[Frame] = []
    rejects: list[RejectedFile] = []
    last, image = max(stored), 1
    while centre_of(clip, image) + length // 2 <= last:
        centre = centre_of(clip, image)
        window = range(centre - length // 2, centre + length // 2 + 1)
        absent = [number for number in window if number not in stored]
        if not absent:
            paths = tuple(stored[number] for number in window)
            sharp = stored[centre]
            frames.append(Frame(clip, f"{image:06d}", {"sharp": sharp}, device_of(sharp, params.device), paths))
        elif len(absent) < len(window):
            near = min((n for n in window if n in stored), key=lambda number: abs(number - centre))
            detail = f"image {image}: frames {_spans(absent)} of {window[0]} to {window[-1]} are not stored"
            rejects.append(RejectedFile(stored[near], "window_incomplete", detail, clip))
        image += 1
    return frames, rejects


def _spans(numbers: Sequence[int]) -> str:
    """Numbers in ascending order as text, runs as `a to b`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _official(counted: Mapping[str, int]) -> tuple[str, ...]:
    """Whether every clip gave as many images as GOPRO_Large has of it, less the first where zz >= 1."""
    expected = {name: pairs - (_numbers(name)[1] >= 1) for name, pairs in {**TRAIN, **TEST}.items()}
    official = [name for name in counted if name in expected]
    if not official:
        return ()
    fewer = [f"{name} {counted[name]} of {expected[name]}" for name in official if counted[name] != expected[name]]
    said = (
        f"{len(official)} of the {len(expected)} official clips are there, with {sum(counted[n] for n in official)} of "
        f"the {sum(expected.values())} images that can be made exactly."
    )
    return (said, f"Other numbers than officially: {', '.join(fewer)}.") if fewer else (said,)
