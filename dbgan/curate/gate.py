"""The leak gate: the splits of all sources against each other, before anything trains or is scored."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dbgan.corpus import Corpus
from dbgan.corpus.columns import hash_columns
from dbgan.corpus.selection import SPLITS, read_selection
from dbgan.corpus.tables import CORPUS
from dbgan.curate.leaks import Leak, Pictures, Side, find
from dbgan.errors import DbganError
from dbgan.files import write_bytes, write_json
from dbgan.params import LeaksParams

REPORT, PAIRS, PASSED = "leaks.json", "leaks.csv", "passed.json"
NAMED = 20
"""Pairs that an error names; leaks.csv has all of them."""
LISTED = 100
"""Pairs in leaks.json, for the report."""


def gate(datasets: Path, params: LeaksParams, report: Path) -> list[Leak]:
    """Compare the splits of every curated source of a project; write what was found, then fail if it is a leak.

    Args:
        datasets: folder with `train/` and `test/`: corpora and their selections.
        params: the limit, and what is known.
        report: folder for leaks.json, leaks.csv and, where the gate is passed, passed.json. Its content never changes,
            so that stages may wait for it and a new source starts none of them again.

    Returns:
        Known exceptions.

    Raises:
        CorpusError: a corpus or selection is missing or damaged.
        DbganError: there are leaks; it names them.
    """
    (report / PASSED).unlink(missing_ok=True)
    sides = [side for use in ("train", "test") for side in project_sides(datasets / use)]
    found = find(sides, params.near_bits, params.known)
    write_json(report / REPORT, summary(sides, found, params))
    write_bytes(report / PAIRS, as_csv(found).encode())
    for note in notes(sides):
        print(f"leaks: {note}", flush=True)
    refuse(found, f"{report / PAIRS} lists all")
    write_json(report / PASSED, {"passed": True})
    print(f"leaks: none between {_sides(sides)}; known exceptions: {len(found)}", flush=True)
    return found


def project_sides(folder: Path) -> list[Side]:
    """The splits of every corpus in `datasets/train` or `datasets/test`, of what curation kept."""
    return [
        side
        for header in sorted(folder.glob(f"*/{CORPUS}"))
        for side in split_sides(Corpus.open(header.parent), folder / f"{header.parent.name}.selection.parquet")
    ]


def within(corpus: Corpus, selection: Path, near_bits: int) -> list[str]:
    """Leaks between the splits of one source, in words, for whoever has just decided on its splits."""
    leaks = [leak for leak in find(split_sides(corpus, selection), near_bits) if not leak.known]
    if not leaks:
        return []
    named = "; ".join(leak.words() for leak in leaks[:3]) + (f" and {len(leaks) - 3} more" if len(leaks) > 3 else "")
    many = "1 leak" if len(leaks) == 1 else f"{len(leaks)} leaks"
    return [f"{many} between splits, which the stage leaks will refuse: {named}."]


def split_sides(corpus: Corpus, selection: Path) -> list[Side]:
    """The splits of one corpus. Dropped samples are on no side: nothing reads them."""
    chosen = read_selection(selection)
    chosen = chosen[chosen["keep"]]
    table = pictures_table(corpus).merge(chosen[["key", "split"]], on="key", validate="one_to_one")
    return [
        side_of(corpus, table[table["split"] == split], split) for split in SPLITS if (table["split"] == split).any()
    ]


def whole_side(corpus: Corpus) -> Side:
    """All of a corpus, or what its selection keeps, as a side of its own, named by its folder."""
    return replace(side_of(corpus, pictures_table(corpus), str(corpus.path)), source=str(corpus.path))


def pictures_table(corpus: Corpus) -> pd.DataFrame:
    """What is compared: key, sequence, and per image field the digest of its pixels and its perceptual hash."""
    hashes = hash_columns(corpus.kind) if corpus.header.quality else ()
    return corpus.table(["key", "sequence", *(f"{field}_pixels_sha256" for field in corpus.fields), *hashes])


def side_of(corpus: Corpus, table: pd.DataFrame, role: str) -> Side:
    """One side from rows of `pictures_table`."""
    pictures = {
        field: Pictures.of(
            table[f"{field}_pixels_sha256"].tolist(),
            table[f"{field}_phash"].tolist() if f"{field}_phash" in table else None,
        )
        for field in corpus.fields
    }
    return Side(corpus.name, role, table["key"].tolist(), table["sequence"].tolist(), pictures)


def refuse(found: Sequence[Leak], where: str) -> None:
    """Raise `DbganError` naming the leaks that are not known, if there are any; `where` says where all are listed."""
    leaks = [leak for leak in found if not leak.known]
    if not leaks:
        return
    lines = [f"  {leak.words()}" for leak in leaks[:NAMED]]
    if len(leaks) > NAMED:
        lines.append(f"  ... and {len(leaks) - NAMED} more")
    raise DbganError(
        f"{len(leaks)} leak(s) between sides that must have nothing in common ({where}):\n" + "\n".join(lines) + "\n"
        "Next: put both into one split (`pinned` in the `curate` of their source), or leave one of each pair out (a "
        "line KEY,drop,leak in datasets/reviews/SOURCE.csv). Other recordings that only share a name: add the name to "
        "`leaks.known` with the reason."
    )


def summary(sides: Sequence[Side], found: Sequence[Leak], params: LeaksParams) -> dict[str, Any]:
    """What leaks.json holds."""
    leaks, known = [x for x in found if not x.known], [x for x in found if x.known]
    return {
        "near_bits": params.near_bits,
        "sides": [{"source": s.source, "split": s.role, "samples": len(s), "unhashed": s.unhashed} for s in sides],
        "leaks": dict(sorted(Counter(leak.what for leak in leaks).items())),
        "known": dict(sorted(Counter(leak.what for leak in known).items())),
        "pairs": [asdict(leak) | {"words": leak.words()} for leak in (*leaks, *known)[:LISTED]],
        "notes": notes(sides),
    }


def notes(sides: Sequence[Side]) -> list[str]:
    """Sides of which some pictures could only be compared by their pixels."""
    return [
        f"{side.name}: {side.unhashed} pictures have no perceptual hash that tells anything (ingested without "
        "measures, or flat): they were compared by their pixels alone."
        for side in sides
        if side.unhashed
    ]


def as_csv(found: Sequence[Leak]) -> str:
    """All leaks and known exceptions, one a line."""
    out = io.StringIO(newline="")
    rows = csv.writer(out, lineterminator="\n")
    heads = ("what", "source", "split", "key", "other_source", "other_split", "other_key", "bits", "known")
    rows.writerow(heads)
    rows.writerows((leak.what, *leak.left, *leak.right, leak.bits, leak.known) for leak in found)
    return out.getvalue()


def _sides(sides: Sequence[Side]) -> str:
    counts = Counter[str]()
    for side in sides:
        counts[side.role] += len(side)
    return ", ".join(f"{role} ({counts[role]})" for role in SPLITS if counts[role]) or "nothing: no samples are kept"
