"""Layout `gopro`: `[...]/SEQUENCE/{blur,blur_gamma,sharp}/FRAME.png`, as GOPRO_Large has it.

The root may be one split or hold several (`train`, `test`). Which blur folder is used is a parameter and never guessed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from dbgan.corpus.recordings import IN_BOTH_SPLITS, recording
from dbgan.ingest.official import official_notes
from dbgan.ingest.scan import Scan, is_picture, paired_scan, walk
from dbgan.params import IngestParams

EXPECTED = "SEQUENCE/{blur,blur_gamma}/FRAME.png and SEQUENCE/sharp/FRAME.png"
BLUR_FOLDERS = ("blur", "blur_gamma")


def scan(root: Path, params: IngestParams) -> Scan:
    """Pairs of the chosen blur folder and `sharp`, by sequence and file stem."""
    tree = walk(root)
    found: dict[str, dict[tuple[str, str], list[str]]] = {"blur": defaultdict(list), "sharp": defaultdict(list)}
    folders = {str(params.blur): "blur", "sharp": "sharp"}
    ignored = tree.ignored
    for path in tree.files:
        parts = PurePosixPath(path).parts
        if len(parts) < 3 or parts[-2] not in folders or not is_picture(path):
            ignored += 1
            continue
        found[folders[parts[-2]]][parts[-3], PurePosixPath(path).stem].append(path)
    pairs = Counter(sequence for sequence, _ in found["blur"].keys() & found["sharp"].keys())
    return paired_scan(tree, found, params.device, ignored, notes(params, pairs))


def detect(files: Sequence[str]) -> dict[str, str] | None:
    """Files that lie in a blur folder and in the `sharp` beside it. Where there are both blur folders, `blur`."""
    folders = defaultdict(set)
    for path in files:
        parts = PurePosixPath(path).parts
        if len(parts) >= 3:
            folders[parts[:-2]].add(parts[-2])
    found = {name for names in folders.values() if "sharp" in names for name in names & {*BLUR_FOLDERS}}
    return {"blur": min(found)} if found else None


def notes(params: IngestParams, pairs: Counter[str]) -> tuple[str, ...]:
    """Sentences for the corpus's card, from the number of pairs by sequence."""
    which = "averages of frames as stored" if params.blur == "blur" else "averages in linear light (gamma 2.2)"
    said = [f"The blurry frames are those of the folder `{params.blur}`: {which}.", *official_notes(pairs)]
    return (*said, *shared_notes(pairs))


def shared_notes(sequences: Sequence[str] | Counter[str]) -> tuple[str, ...]:
    """The sentence on recordings that both official splits have clips of; empty without any."""
    shared = sorted({recording(name) for name in sequences} & {*IN_BOTH_SPLITS})
    if not shared:
        return ()
    return (f"GOPRO_Large has clips of these recordings in both its splits: {', '.join(shared)}.",)
