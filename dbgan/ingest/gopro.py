"""Layout `gopro`: `[...]/SEQUENCE/{blur,blur_gamma,sharp}/FRAME.png`, as GOPRO_Large has it.

The root may be one split or hold several (`train`, `test`). Which blur folder is used is a parameter and never guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from dbgan.corpus.layout import Kind
from dbgan.corpus.recordings import IN_BOTH_SPLITS, recording
from dbgan.ingest.scan import Frame, RejectedFile, Scan, is_picture, pair_up, walk
from dbgan.params import IngestParams

KIND: Kind = "paired"
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
    results = list(pair_up({which: dict(by_name) for which, by_name in found.items()}, params.device))
    frames = [result for result in results if isinstance(result, Frame)]
    return Scan(frames, [*tree.rejects, *(r for r in results if isinstance(r, RejectedFile))], ignored)


def detect(root: Path) -> bool:
    """Whether some folder below `root` holds both a blur folder and `sharp`."""
    return fits(walk(root).files)


def fits(files: Iterable[str]) -> bool:
    """Whether files (paths below the root) lie in both a blur folder and the `sharp` beside it."""
    folders = defaultdict(set)
    for path in files:
        parts = PurePosixPath(path).parts
        if len(parts) >= 3:
            folders[parts[:-2]].add(parts[-2])
    return any("sharp" in names and names & {*BLUR_FOLDERS} for names in folders.values())


def notes(params: IngestParams, sequences: list[str]) -> tuple[str, ...]:
    """Sentences for the corpus's card."""
    which = "averages of frames as stored" if params.blur == "blur" else "averages in linear light (gamma 2.2)"
    shared = sorted({recording(name) for name in sequences} & {*IN_BOTH_SPLITS})
    said = [f"The blurry frames are those of the folder `{params.blur}`: {which}."]
    if shared:
        said.append(f"GOPRO_Large has clips of these recordings in both its splits: {', '.join(shared)}.")
    return tuple(said)
