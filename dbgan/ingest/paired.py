"""Layout `paired`: two globs name blurry and sharp files. Their last `*` is the frame, those before it the sequence."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

from dbgan.corpus.layout import Kind
from dbgan.corpus.recordings import ROOT_SEQUENCE
from dbgan.errors import ParamsError
from dbgan.ingest.scan import Frame, RejectedFile, Scan, is_picture, pair_up, walk
from dbgan.params import IngestParams

KIND: Kind = "paired"
EXPECTED = "files that match blur_glob and sharp_glob, alike where the globs have `*`"


def scan(root: Path, params: IngestParams) -> Scan:
    """Pairs of files whose `*` parts are equal. Raises `ParamsError` for globs that cannot pair."""
    patterns = {"blur": _pattern("blur_glob", params.blur_glob), "sharp": _pattern("sharp_glob", params.sharp_glob)}
    if params.blur_glob == params.sharp_glob or patterns["blur"].groups != patterns["sharp"].groups:
        raise ParamsError(
            f"blur_glob {params.blur_glob!r} and sharp_glob {params.sharp_glob!r}: expected two different globs with "
            f"as many `*`, found {patterns['blur'].groups} and {patterns['sharp'].groups}.\n"
            "Next: write them such as '*/blur/*.png' and '*/sharp/*.png'."
        )
    tree = walk(root)
    found: dict[str, dict[tuple[str, str], list[str]]] = {"blur": defaultdict(list), "sharp": defaultdict(list)}
    ignored = tree.ignored
    for path in tree.files:
        which = next((name for name, pattern in patterns.items() if pattern.fullmatch(path)), None)
        match = patterns[which].fullmatch(path) if which else None
        if which is None or match is None:
            ignored += 1
            continue
        *sequence, frame = match.groups()
        found[which]["/".join(sequence) or ROOT_SEQUENCE, frame].append(path)
    results = list(pair_up({which: dict(by_name) for which, by_name in found.items()}, params.device))
    frames = [result for result in results if isinstance(result, Frame)]
    return Scan(frames, [*tree.rejects, *(r for r in results if isinstance(r, RejectedFile))], ignored)


def detect(root: Path) -> bool:
    """Whether two sibling folders hold pictures of the same names."""
    names: dict[PurePosixPath, set[str]] = defaultdict(set)
    for path in filter(is_picture, walk(root).files):
        pure = PurePosixPath(path)
        if len(pure.parts) >= 2:
            names[pure.parent].add(pure.stem)
    siblings: dict[PurePosixPath, list[set[str]]] = defaultdict(list)
    for folder, stems in names.items():
        siblings[folder.parent].append(stems)
    return any(len(first & second) > 0 for group in siblings.values() for first, second in _neighbours(group))


def _neighbours(group: list[set[str]]) -> list[tuple[set[str], set[str]]]:
    return [(group[i], group[j]) for i in range(len(group)) for j in range(i)]


def _pattern(name: str, glob: str) -> re.Pattern[str]:
    """A glob of plain text and `*` (anything but `/`) as a pattern with a group for each `*`."""
    if "*" not in glob or "**" in glob:
        raise ParamsError(f"{name} {glob!r}: expected a glob with single `*`, such as '*/blur/*.png'.")
    return re.compile("([^/]+)".join(map(re.escape, glob.split("*"))))
