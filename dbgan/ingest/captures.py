"""Layout `captures`: any tree of photos. Sequence = folder, frame = file stem; blurry pictures without a sharp twin."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from dbgan.corpus.recordings import ROOT_SEQUENCE
from dbgan.image.video import is_video
from dbgan.ingest.scan import Frame, Scan, device_of, is_picture, walk
from dbgan.ingest.sessions import burst_notes, named_bursts
from dbgan.params import IngestParams

EXPECTED = "photos (JPEG, PNG, HEIC, TIFF, WebP, ...) in any folders"

RAW = frozenset(
    {".dng", ".arw", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".sr2", ".srw"}
)
"""Extensions of cameras' raw files, which nothing here develops."""

SHARP = frozenset({"sharp", "gt", "groundtruth"})
"""Folders, in lower case, in which captures are not expected. Where the twins are there too, `layouts` refuses."""

CLIP_ADVICE = "For their frames add a source of the same root, layout `video`, `take: blurry` (docs/data/own.md)."
RAW_ADVICE = "Camera raw is not developed here: export JPEG, TIFF or PNG beside it."


def scan(root: Path, params: IngestParams) -> Scan:
    """One frame per file whose extension promises a picture; files of the same stem get their extension as suffix.

    Other files are ignored and counted: their names never promised a picture to us. Clips and camera raw with no
    picture of the same name beside them are told by name.
    """
    tree = walk(root)
    pictures = [path for path in tree.files if is_picture(path)]
    # Text, not PurePosixPath: of a million files it is most of the time.
    stems = Counter(posixpath.splitext(path)[0] for path in pictures)
    frames = []
    for path in pictures:
        whole, suffix = posixpath.splitext(path)
        folder, stem = posixpath.split(whole)
        frames.append(
            Frame(
                sequence=folder or ROOT_SEQUENCE,
                frame=f"{stem}-{suffix[1:]}" if stems[whole] > 1 else stem,
                paths={"blur": path},
                device=device_of(path, params.device),
            )
        )
    clips = [path for path in tree.files if is_video(path)]
    raw = [path for path in tree.files if posixpath.splitext(path)[1].lower() in RAW]
    unused = {
        advice: lone
        for advice, of_kind in ((CLIP_ADVICE, clips), (RAW_ADVICE, raw))
        if (lone := tuple(path for path in of_kind if not stems[posixpath.splitext(path)[0]]))
    }
    live = {whole for path in clips if stems[whole := posixpath.splitext(path)[0]]}
    told = (*burst_notes(named_bursts(pictures)), *_notes(pictures, len(live), len(unused.get(CLIP_ADVICE, ()))))
    ignored = tree.ignored + len(tree.files) - len(pictures) - sum(map(len, unused.values()))
    return Scan(frames, tree.rejects, ignored, notes=told, litter=dict(tree.litter), unused=unused)


def _notes(pictures: Sequence[str], live: int, clips: int) -> Iterator[str]:
    """Sentences for the card on what is no picture, and on pictures that may be no captures."""
    if live:
        yield f"Live photos: {live}. The clip beside each is not used."
    if clips:
        yield f"Clips of video beside the photos, not used: {clips}."
    folders = Counter(map(posixpath.dirname, pictures))
    sharp = sum(count for folder, count in folders.items() if not SHARP.isdisjoint(folder.lower().split("/")))
    if sharp:
        yield (
            f"Pictures in folders called `sharp` or `gt`: {sharp}. Sharp ones would teach BGAN that real photos are "
            "sharp: if they are, point `root` at the others."
        )


def detect(files: Sequence[str]) -> dict[str, str] | None:
    """Any picture."""
    return {} if any(map(is_picture, files)) else None
