"""What the name of a sequence says: which recording it is a clip of (GOPRO_Large cuts one into several), or nothing."""

from __future__ import annotations

import re

IN_BOTH_SPLITS = ("GOPR0384", "GOPR0385", "GOPR0868", "GOPR0871", "GOPR0881")
"""Recordings of which GOPRO_Large has clips in its training and in its test split."""

ROOT_SEQUENCE = "root"
"""The sequence of pictures that lie in no folder: many sources have one, of different recordings."""

_GOPRO_CLIP = re.compile(r"(GOPR\d{4})_\d\d_\d\d")


def recording(sequence: str) -> str:
    """`GOPR0384` of `GOPR0384_11_02`; any other sequence is a recording of its own."""
    clip = _GOPRO_CLIP.fullmatch(sequence)
    return clip[1] if clip else sequence
