"""People's decisions on single samples, `datasets/reviews/SOURCE.csv`: git versions them, curate obeys them."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dbgan.errors import ParamsError

COLUMNS = ("key", "decision", "note")
CHOICES = ("keep", "drop")


class Decision(NamedTuple):
    """`keep`: no rule drops the sample; `drop`: it is not used. The note says why, for people."""

    keep: bool
    note: str


def read_decisions(path: Path) -> dict[str, Decision]:
    """Key -> decision. An empty file and one with the heading alone hold none.

    Raises:
        ParamsError: the file is missing, is no UTF-8 CSV with the columns key, decision and note, has another decision
            than keep and drop, or names a key twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.reader(handle))
    except FileNotFoundError:
        raise ParamsError(
            f"{path}: no such file; people's decisions on this source belong there.\n"
            f"Next: mkdir -p {path.parent} && echo key,decision,note > {path}"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ParamsError(f"{path}: cannot be read as CSV in UTF-8 ({error}).\nNext: save it as such.") from None
    if not rows:
        return {}
    if tuple(cell.strip() for cell in rows[0]) != COLUMNS:
        raise ParamsError(f"{path}:1: expected the heading {','.join(COLUMNS)}, found {','.join(rows[0])}.")
    decisions: dict[str, Decision] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(COLUMNS):
            raise ParamsError(
                f"{path}:{number}: expected {len(COLUMNS)} cells ({', '.join(COLUMNS)}), found {len(row)}."
            )
        key, decision, note = (cell.strip() for cell in row)
        if decision not in CHOICES:
            raise ParamsError(f"{path}:{number}: {key}: expected the decision keep or drop, found {decision!r}.")
        if key in decisions:
            raise ParamsError(f"{path}:{number}: {key} was decided before.\nNext: leave one line per key.")
        decisions[key] = Decision(decision == "keep", note)
    return decisions


def unknown(decisions: Iterable[str], keys: Iterable[str]) -> list[str]:
    """Decided keys that the corpus does not have, sorted."""
    return sorted(set(decisions) - set(keys))
