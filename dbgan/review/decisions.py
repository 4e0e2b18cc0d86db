"""datasets/reviews/SOURCE.csv: what people decided about single pictures. git versions it and curate obeys it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dbgan.curate import review
from dbgan.files import write_bytes


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about one sample: `keep` or `drop`, and a note for other people (may be empty)."""

    decision: str
    note: str = ""

    def __post_init__(self) -> None:
        if self.decision not in review.CHOICES:
            raise ValueError(f"decision {self.decision!r} is not one of {', '.join(review.CHOICES)}")


def decisions_path(source: str, root: Path = Path()) -> Path:
    """Where the decisions about a source are, below the project's root."""
    return root / "datasets" / "reviews" / f"{source}.csv"


def read_decisions(path: Path) -> dict[str, Decision]:
    """Key -> decision, as curate reads them; none where there is no file yet.

    Raises:
        ParamsError: the file is damaged. It names the line.
    """
    if not path.is_file():
        return {}
    return {key: Decision("keep" if d.keep else "drop", d.note) for key, d in review.read_decisions(path).items()}


def write_decisions(path: Path, decided: Mapping[str, Decision]) -> None:
    """Write the file atomically, sorted by key: the same decisions are the same bytes, whatever their order in time."""
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(review.COLUMNS)
    rows.writerows((key, decided[key].decision, decided[key].note.strip()) for key in sorted(decided))
    write_bytes(path, text.getvalue().encode())
