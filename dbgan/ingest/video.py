"""Layout `video`: clips (MP4, MOV, AVI, MKV, WebM) whose frames are sharp pictures, or blurry captures.

A clip is a sequence; its frames are named by their number in order of presentation, from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dbgan.corpus.layout import Kind
from dbgan.image.video import is_video
from dbgan.ingest.scan import Scan, walk
from dbgan.params import IngestParams

EXPECTED = "clips (MP4, MOV, AVI, MKV, WebM) in any folders"


def scan(root: Path, params: IngestParams) -> Scan:
    """All clips; their frames are known once they were looked into (`clips.look`)."""
    tree = walk(root)
    clips = tuple(filter(is_video, tree.files))
    kind: Kind = "blurry" if params.take == "blurry" else "sharp"
    ignored = tree.ignored + len(tree.files) - len(clips)
    every = "every frame" if params.every == 1 else f"one of {params.every} frames"
    notes = (f"The pictures are {every} of video clips, taken as {kind} ones.",)
    return Scan([], tree.rejects, ignored, kind, notes, dict(tree.litter), clips)


def detect(files: Sequence[str]) -> dict[str, str] | None:
    """Clips, and no pictures beside them (phones put a clip beside each live photo)."""
    from dbgan.ingest.scan import is_picture

    return {"take": "sharp"} if any(map(is_video, files)) and not any(map(is_picture, files)) else None
