"""Proof that pairs made from GOPRO_Large_all are those of GOPRO_Large: every picture compared by its pixels."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dbgan.corpus.layout import pixel_digest
from dbgan.corpus.tables import MANIFEST, read_parquet
from dbgan.errors import DbganError, ImageError
from dbgan.image.codec import decode
from dbgan.ingest.scan import is_picture, walk
from dbgan.progress import progress

FIELDS = ("blur", "sharp")
MOST_NAMED = 40


@dataclass(frozen=True, slots=True)
class Compared:
    """How a corpus of layout `gopro-all` stands to a folder of GOPRO_Large.

    Attributes:
        equal: pairs of which both pictures have equal pixels.
        differing: pictures that do not, as `SEQUENCE/{blur,sharp}/NAME.png`, with the number of the image.
        not_made: official pairs that the corpus does not have (the first of each clip with zz >= 1).
        not_there: images of the corpus that the folder does not have.
    """

    equal: int
    differing: tuple[str, ...]
    not_made: tuple[str, ...]
    not_there: tuple[str, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.equal} pairs have the pixels of GOPRO_Large, bit by bit.",
            *_named("pictures differ", self.differing),
            *_named("official pairs were not made", self.not_made),
            *_named("images are not in that folder", self.not_there),
        ]
        return "\n".join(lines)


def compare(corpus: Path, official: Path) -> Compared:
    """Compare every pair of `corpus` with the folder `official`, image n of a clip with its n-th file by name.

    Raises:
        DbganError: the folder holds no sequence of the corpus.
    """
    columns = ["sequence", "frame", *(f"{which}_pixels_sha256" for which in FIELDS)]
    rows = read_parquet(corpus / MANIFEST, columns).to_pylist()
    made = {(row["sequence"], int(row["frame"])): row for row in rows}
    there = _images(official)
    if not {sequence for sequence, _ in made} & {sequence for sequence, _ in there}:
        raise DbganError(
            f"{official}: expected clips of GOPRO_Large that the corpus has too (SEQUENCE/blur and SEQUENCE/sharp), "
            "found none.\nNext: give the folder of GOPRO_Large, or of one of its splits, with --check-against."
        )
    shared = sorted(made.keys() & there.keys())
    equal, differing = 0, []
    with progress("checked against GOPRO_Large", len(shared)) as bar, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for key, digests in zip(shared, pool.map(lambda k: _digests(official, there[k]), shared), strict=True):
            wrong = [which for which in FIELDS if digests[which] != made[key][f"{which}_pixels_sha256"]]
            differing += [f"{there[key][which]} (image {key[1]})" for which in wrong]
            equal += not wrong
            bar.advance()
    clips = {sequence for sequence, _ in made}
    return Compared(
        equal,
        tuple(differing),
        tuple(there[key]["blur"] for key in sorted(there.keys() - made.keys()) if key[0] in clips),
        tuple(f"{sequence}/{number:06d}" for sequence, number in sorted(made.keys() - there.keys())),
    )


def _images(official: Path) -> dict[tuple[str, int], dict[str, str]]:
    """(sequence, n) -> field -> path, of files that both folders of a clip have."""
    found: dict[str, dict[str, dict[str, str]]] = defaultdict(lambda: {which: {} for which in FIELDS})
    for path in filter(is_picture, walk(official).files):
        pure = PurePosixPath(path)
        if len(pure.parts) >= 3 and pure.parts[-2] in FIELDS:
            found[pure.parts[-3]][pure.parts[-2]].setdefault(pure.stem, path)
    images = {}
    for sequence, sides in found.items():
        for number, stem in enumerate(sorted(sides["blur"].keys() & sides["sharp"].keys()), 1):
            images[sequence, number] = {which: sides[which][stem] for which in FIELDS}
    return images


def _digests(official: Path, paths: dict[str, str]) -> dict[str, bytes]:
    made = {}
    for which, path in paths.items():
        try:
            made[which] = pixel_digest(decode((official / path).read_bytes()))
        except (ImageError, OSError):
            made[which] = b""  # differs from every digest: named as differing
    return made


def _named(what: str, names: Iterable[str]) -> list[str]:
    named = list(names)
    if not named:
        return []
    shown = [f"  {name}" for name in named[:MOST_NAMED]]
    rest = len(named) - MOST_NAMED
    return [f"{len(named)} {what}:", *shown, *([f"  ... and {rest} more"] if rest > 0 else [])]
