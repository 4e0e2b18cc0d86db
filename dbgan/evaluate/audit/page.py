"""`reports/audit/NAME/index.html`: one file without network, the verdict in words first, then numbers and figures."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbgan.evaluate.audit.measures import MEASURES
from dbgan.files import write_bytes
from dbgan.image.codec import decode, encode
from dbgan.templating import rendered

FIGURES = (
    ("distances.png", "Distances by measure: 0 is the same as the real captures, 1 as far away as sharp frames"),
    ("strength.png", "Blur strength: cumulative distributions of the crops of each set"),
    ("spectrum.png", "Power spectrum: what blur leaves of high frequencies"),
    ("psnr.png", "How far blurry pictures are from their sharp ones"),
    ("variants.png", "Sharp frames and their blur under different noise z"),
    ("real.png", "Real captures above synthetic blur, crops of one size"),
)
"""File below the report's folder -> what it shows, in the order shown."""

PHOTOGRAPHS = ("variants.png", "real.png")

COLUMNS = ("synthetic", "floor", "sharp", "pairs", "kernel")
"""Sets in the order of a table's columns, those that there are: first what a small window must show."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table of distances: what, its unit, (value, interval) for each column, None without a number."""

    words: str
    unit: str
    cells: tuple[tuple[str, str] | None, ...]


def rows(value: Mapping[str, Any], columns: Sequence[str]) -> list[Row]:
    """Distances by every measure, then the classifier's AUC and KID, as text."""
    found = [
        Row(how.words, how.unit, tuple(_cell(value["distance"].get(name, {}).get(measure)) for name in columns))
        for measure, how in MEASURES.items()
    ]
    auc = tuple(_cell(value["classifier"].get(name, {}).get("auc")) for name in columns)
    kid = tuple(_cell(value["kid"].get(name)) for name in columns)
    return [row for row in (*found, Row("classifier", "AUC", auc), Row("features", "KID", kid)) if any(row.cells)]


def write(name: str, value: Mapping[str, Any], failed: Sequence[str], labels: Mapping[str, str], out: Path) -> None:
    """Write index.html into `out`, whose figures are there already.

    Args:
        name: of the synthetic corpus.
        value: what audit.json holds.
        failed: sentences of limits that are not kept.
        labels: set -> its name in words.
        out: the report's folder.
    """
    named = {**labels, "floor": "floor: real against other real", "sharp": "ceiling: sharp frames"}
    columns = [column for column in COLUMNS if column in value["distance"] or column in value["classifier"]]
    figures = [(_data(out / file), caption) for file, caption in FIGURES if (out / file).is_file()]
    content = {
        "name": name,
        "verdict": value["verdict"],
        "warnings": value["warnings"],
        "failed": failed,
        "heads": [named[column] for column in columns],
        "rows": rows(value, columns),
        "figures": figures,
        "features": value["features"],
        "crops": value["strength"],
        "labels": named,
    }
    write_bytes(out / "index.html", rendered("dbgan.evaluate.audit", "page.html.j2", content))


def _cell(own: Mapping[str, float] | None) -> tuple[str, str] | None:
    return (f"{own['value']:.2g}", f"{own['low']:.2g} to {own['high']:.2g}") if own else None


def _data(path: Path) -> str:
    """A figure as a data URI; photographs as JPEG, a sixth of the PNG's size, so that a phone can open the page."""
    if path.name not in PHOTOGRAPHS:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    return "data:image/jpeg;base64," + base64.b64encode(encode(decode(path.read_bytes()), "jpg", quality=90)).decode()
