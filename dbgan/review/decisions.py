"""datasets/reviews/SOURCE.csv: what people decided about single pictures. git versions it and curate obeys it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dbgan.errors import DbganError
from dbgan.files import write_bytes

COLUMNS = ("key", "decision", "note")
DECISIONS = ("keep", "drop")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about one sample: `keep` or `drop`, and a note for other people (may be empty)."""

    decision: str
    note: str = ""

    def __post_init__(self) -> None:
        if self.decision not in DECISIONS:
            raise ValueError(f"decision {self.decision!r} is not one of {', '.join(DECISIONS)}")


def decisions_path(source: str, root: Path = Path()) -> Path:
    """Where the decisions about a source are, below the project's root."""
    return root / "datasets" / "reviews" / f"{source}.csv"


def read_decisions(path: Path) -> dict[str, Decision]:
    """Key -> decision; empty where there is no file.

    Raises:
        DbganError: another header, a row of other columns, an unknown decision, a key twice. It names the line.
    """
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DbganError(f"{path}: expected UTF-8 text, found another byte at offset {error.start}.") from None
    rows = csv.reader(io.StringIO(text, newline=""))
    if tuple(next(rows, ())) != COLUMNS:
        raise _wrong(path, 1, f"expected the header {','.join(COLUMNS)}", text.partition("\n")[0])
    decided: dict[str, Decision] = {}
    for row in rows:
        if not row:
            continue
        if len(row) != len(COLUMNS) or row[1] not in DECISIONS:
            raise _wrong(path, rows.line_num, "expected key, keep or drop, note", ",".join(row))
        if row[0] in decided:
            raise _wrong(path, rows.line_num, "expected each key once", row[0])
        decided[row[0]] = Decision(row[1], row[2])
    return decided


def write_decisions(path: Path, decided: Mapping[str, Decision]) -> None:
    """Write the file atomically, sorted by key: the same decisions are the same bytes, whatever their order in time."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows((key, decided[key].decision, decided[key].note) for key in sorted(decided))
    write_bytes(path, text.getvalue().encode())


def _wrong(path: Path, line: int, expected: str, found: str) -> DbganError:
    return DbganError(
        f"{path}, line {line}: {expected}, found {found!r}.\nNext: correct the line, or `git diff {path}`."
    )
