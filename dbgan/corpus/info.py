"""What a corpus holds, from its tables alone: no shard is opened."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from dbgan.console import counted
from dbgan.corpus import tables
from dbgan.corpus.read import read_header
from dbgan.corpus.rows import batches
from dbgan.errors import CorpusError


def facts(path: Path) -> dict[str, str]:
    """Name -> text for `dbgan corpus info`: counts, picture sizes, devices, splits, bytes and disk."""
    header = read_header(path)
    members = [field for field in header.suffixes if field != "json"]
    known = counts(path)
    shown = {
        "corpus": header.name,
        "kind": f"{header.kind} ({', '.join(members)}){', synthesized' if header.synthesized else ''}",
        "samples": f"{known['samples']:,}",
        "sequences": f"{known['sequences']:,}",
        "shards": f"{known['shards']:,}, {known['bytes'] / 1e6:,.1f} MB",
        "pictures": counted(known["sizes"]),
        "devices": counted({device or "unknown": n for device, n in known["devices"].items()}),
        "rejects": f"{known['rejects']:,}",
    }
    if known["rejects"]:
        shown["reject reasons"] = counted(known["reject_reasons"])
    shown |= {header.suffixes[field]: _sizes(path, field) for field in members if known["samples"]}
    shown["disk"] = f"{sum(entry.stat().st_size for entry in path.rglob('*') if entry.is_file()) / 1e6:,.1f} MB"
    selection = path.with_name(f"{path.name}.selection.parquet")
    if selection.is_file():
        shown["splits"] = counted(_splits(selection))
    return shown


def counts(path: Path) -> dict[str, Any]:
    """The counts of corpus.json. Raises `CorpusError` where they are not whole."""
    found = json.loads((path / tables.CORPUS).read_bytes()).get("counts")
    expected = {"samples", "sequences", "shards", "bytes", "sizes", "devices", "rejects", "reject_reasons"}
    if not isinstance(found, dict) or not expected <= found.keys():
        raise CorpusError(f"{path / tables.CORPUS}: its counts are not whole.\nNext: build the corpus again.")
    return found


def _sizes(path: Path, field: str) -> str:
    """Bytes of one field's files: mean, smallest, largest."""
    total, number, low, high = 0, 0, 1 << 62, 0
    for batch in batches(path, [f"{field}_size"]):
        column = batch.column(0)
        ends = pc.min_max(column).as_py()
        total, number = total + pc.sum(column).as_py(), number + len(column)
        low, high = min(low, ends["min"]), max(high, ends["max"])
    return f"{total / number / 1e3:,.1f} kB each on average ({low / 1e3:,.1f} to {high / 1e3:,.1f})"


def _splits(selection: Path) -> Counter[str]:
    chosen = tables.read_parquet(selection, ["split", "keep"])
    splits: Counter[str] = Counter()
    for row in chosen.group_by(["split", "keep"]).aggregate([([], "count_all")]).to_pylist():
        splits[row["split"] if row["keep"] else "dropped"] += row["count_all"]
    return splits
