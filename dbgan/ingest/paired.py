"""Layout `paired`: blurry and sharp files whose names pair them, by a preset, by globs or by regular expressions.

Of globs the last `*` is the frame, those before it the sequence; of regular expressions the groups of these names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dbgan.corpus.recordings import ROOT_SEQUENCE
from dbgan.errors import ParamsError
from dbgan.ingest.presets import PRESETS, split_of
from dbgan.ingest.scan import RejectedFile, Scan, is_picture, paired_scan, walk
from dbgan.params import IngestParams

EXPECTED = "blurry and sharp pictures whose paths are alike, as preset, globs or regular expressions name them"

BLURRY = ("blur", "blurry", "blurred", "input", "lq", "low", "degraded")
SHARP = ("sharp", "gt", "target", "hq", "clean", "groundtruth", "label")
"""Names by which folders of pairs are usually called, in lower case."""

_MATCHING = 20

Found = dict[str, dict[tuple[str, str], list[str]]]


@dataclass(frozen=True, slots=True)
class _Named:
    """Patterns of both sides, and how a match names sequence and frame."""

    patterns: dict[str, re.Pattern[str]]
    sequence: tuple[str, ...]
    """Groups that name the sequence; empty: all groups but the last do (globs)."""

    def of(self, path: str) -> tuple[str, tuple[str, str], str] | None:
        """Side, (sequence, frame), split; None for a path that neither side names."""
        found = ((side, match) for side, p in self.patterns.items() if (match := p.fullmatch(path)) is not None)
        side, match = next(found, ("", None))
        if match is None:
            return None
        if not self.sequence:
            *sequence, frame = match.groups()
            return side, ("/".join(sequence) or ROOT_SEQUENCE, frame), ""
        groups = match.groupdict()
        named = "-".join(text for name in self.sequence if (text := groups.get(name)))
        return side, (named or ROOT_SEQUENCE, groups["frame"]), split_of(groups)


def scan(root: Path, params: IngestParams) -> Scan:
    """Pairs of files of one sequence and frame.

    Raises:
        ParamsError: globs that cannot pair, or a split list that cannot be read.
    """
    named = _named(params)
    tree = walk(root)
    found: Found = {"blur": defaultdict(list), "sharp": defaultdict(list)}
    splits: dict[tuple[str, str], str] = {}
    ignored = tree.ignored
    for path in tree.files:
        match = named.of(path) if is_picture(path) else None
        if match is None:
            ignored += 1
            continue
        side, key, split = match
        found[side][key].append(path)
        if side == "blur" or key not in splits:
            splits[key] = split
    notes = _notes(params)
    others = {key for key, split in splits.items() if params.split and split and split != params.split}
    missing: list[RejectedFile] = []
    if params.split_list:
        listed = _listed(root, params.split_list, named)
        others |= splits.keys() - listed.keys()
        missing = [
            RejectedFile(path, "pair_missing", "named by the split list, and neither side is there", key[0])
            for key, path in listed.items()
            if key not in splits
        ]
        notes += (f"Only the {len(listed)} pairs that a split list names were taken.",)
    for by_name in found.values():
        for key in others & by_name.keys():
            ignored += len(by_name.pop(key))
    tree.rejects += missing
    return paired_scan(tree, found, params.device, ignored, notes)


def detect(files: Sequence[str]) -> dict[str, str] | None:
    """A preset whose names match on both sides; else two sibling folders of pictures of the same names."""
    for name, preset in PRESETS.items():
        sides = [sum(1 for path in files if pattern.fullmatch(path)) for pattern in (preset.blur, preset.sharp)]
        if all(sides):
            return {"preset": name}
    return _sibling_globs(files)


def _sibling_globs(files: Sequence[str]) -> dict[str, str] | None:
    """Globs of the first two sibling folders, called as pairs usually are, that hold pictures of the same names."""
    names: dict[PurePosixPath, set[str]] = defaultdict(set)
    suffixes: dict[PurePosixPath, str] = {}
    for path in filter(is_picture, files):
        pure = PurePosixPath(path)
        if len(pure.parts) >= 2 and len(names[pure.parent]) < _MATCHING:
            names[pure.parent].add(pure.stem)
            suffixes[pure.parent] = pure.suffix
    for folder in names:
        if folder.name.lower() not in BLURRY:
            continue
        for other in SHARP:
            twin = next((f for f in names if f.parent == folder.parent and f.name.lower() == other), None)
            if twin is not None and names[folder] & names[twin]:
                above = "*/" * len(folder.parent.parts)
                return {
                    "blur_glob": f"{above}{folder.name}/*{suffixes[folder]}",
                    "sharp_glob": f"{above}{twin.name}/*{suffixes[twin]}",
                }
    return None


def _named(params: IngestParams) -> _Named:
    if params.preset:
        preset = PRESETS[params.preset]
        return _Named({"blur": preset.blur, "sharp": preset.sharp}, preset.sequence)
    if params.blur_regex:
        return _Named({"blur": re.compile(params.blur_regex), "sharp": re.compile(params.sharp_regex)}, ("sequence",))
    patterns = {"blur": _pattern("blur_glob", params.blur_glob), "sharp": _pattern("sharp_glob", params.sharp_glob)}
    if params.blur_glob == params.sharp_glob or patterns["blur"].groups != patterns["sharp"].groups:
        raise ParamsError(
            f"blur_glob {params.blur_glob!r} and sharp_glob {params.sharp_glob!r}: expected two different globs with "
            f"as many `*`, found {patterns['blur'].groups} and {patterns['sharp'].groups}.\n"
            "Next: write them such as '*/blur/*.png' and '*/sharp/*.png'."
        )
    return _Named(patterns, ())


def _pattern(name: str, glob: str) -> re.Pattern[str]:
    """A glob of plain text and `*` (anything but `/`) as a pattern with a group for each `*`."""
    if "*" not in glob or "**" in glob:
        raise ParamsError(f"{name} {glob!r}: expected a glob with single `*`, such as '*/blur/*.png'.")
    return re.compile("([^/]+)".join(map(re.escape, glob.split("*"))))


def _listed(root: Path, name: str, named: _Named) -> dict[tuple[str, str], str]:
    """(sequence, frame) of every pair that the list names, by one of its paths or both; the first path of each."""
    path = root / name
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ParamsError(f"split_list {name!r}: {path} cannot be read ({said}).\nNext: correct its name.") from None
    listed: dict[tuple[str, str], str] = {}
    for line in lines:
        for word in line.split():
            match = named.of(word.replace("\\", "/").removeprefix("./"))
            if match is not None:
                listed.setdefault(match[1], word)
    if not listed:
        raise ParamsError(
            f"split_list {name!r}: none of its {len(lines)} lines names a file of this layout.\n"
            "Next: give the set's own list, of paths as below the root."
        )
    return listed


def _notes(params: IngestParams) -> tuple[str, ...]:
    if not params.preset:
        return ()
    preset = PRESETS[params.preset]
    split = f"The split `{params.split}` of" if params.split else "Pictures of"
    return (f"{split} {preset.title}, as its folders name them.", *preset.notes)
