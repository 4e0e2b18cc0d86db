"""Layout `captures`: any tree of photos. Sequence = folder, frame = file stem; blurry pictures without a sharp twin."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from dbgan.corpus.recordings import ROOT_SEQUENCE
from dbgan.ingest.scan import Frame, Scan, device_of, is_picture, walk
from dbgan.ingest.sessions import live_photos, named_bursts, notes
from dbgan.params import IngestParams

EXPECTED = "photos (JPEG, PNG, HEIC, TIFF, WebP, ...) in any folders"


def scan(root: Path, params: IngestParams) -> Scan:
    """One frame per file whose extension promises a picture; files of the same stem get their extension as suffix.

    Other files (text, video, camera raw) are ignored and counted: their names never promised a picture to us.
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
    ignored = tree.ignored + len(tree.files) - len(pictures)
    told = notes(named_bursts(pictures), live_photos(tree.files))
    return Scan(frames, tree.rejects, ignored, notes=told, litter=dict(tree.litter))


def detect(files: Sequence[str]) -> dict[str, str] | None:
    """Any picture."""
    return {} if any(map(is_picture, files)) else None
