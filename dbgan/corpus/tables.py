"""The tables of a finished corpus: manifest, shards, rejects, corpus.json and the card; and back to receipts."""

from __future__ import annotations

import itertools
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dbgan import files
from dbgan.corpus import card, receipts
from dbgan.corpus.columns import kept_columns, manifest_columns, measure_columns
from dbgan.corpus.header import Header as Header
from dbgan.corpus.layout import FORMAT_VERSION, Kind, Receipt, Reject
from dbgan.errors import CorpusError

ROW_GROUP = 25_000
MANIFEST, SHARDS, REJECTS, CORPUS, CARD = (
    "manifest.parquet",
    "shards.parquet",
    "rejects.parquet",
    "corpus.json",
    "README.md",
)

_ARROW = {
    "text": pa.string(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float": pa.float64(),
    "flag": pa.bool_(),
    "digest": pa.binary(32),
    "floats": pa.list_(pa.float64()),
}
SHARDS_SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("sequence", pa.string(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("samples", pa.int64(), nullable=False),
        pa.field("rejects", pa.int64(), nullable=False),
        pa.field("recipe", pa.string(), nullable=False),
    ]
)
"""One row per shard; one whose inputs were all refused has 0 samples, 0 bytes and no tar."""
REJECTS_SCHEMA = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("origin", "reason", "detail", "sequence", "shard")]
)
"""One row per refused input; `shard` is empty for what was refused before it belonged to one."""


def manifest_schema(kind: Kind, synthesized: bool) -> pa.Schema:
    """Schema of manifest.parquet. Only quality measures may be null."""
    nullable = measure_columns(kind)
    columns = manifest_columns(kind, synthesized)
    return pa.schema([pa.field(name, _ARROW[kind_], nullable=name in nullable) for name, kind_ in columns.items()])


def finish(corpus: Path, header: Header, done: Iterable[Receipt], rejects: Sequence[Reject] = ()) -> dict[str, Any]:
    """Fold receipts into the tables and make the folder hold exactly what they name.

    Killed at any moment, the next build reads the same receipts: those in `.receipts/` win over the tables, and
    `.receipts/` goes last. Files whose content is equal are not rewritten.

    Args:
        corpus: folder of the corpus.
        header: what holds for the whole corpus.
        done: one receipt per planned shard.
        rejects: inputs refused before they belonged to a shard.

    Returns:
        The counts of corpus.json.

    Raises:
        CorpusError: two samples have the same key.
    """
    done = sorted(done, key=lambda receipt: receipt.shard)
    rows = sorted((row for receipt in done for row in receipt.rows), key=lambda row: str(row["key"]))
    for row, following in itertools.pairwise(rows):
        if row["key"] == following["key"]:
            raise CorpusError(
                f"{corpus}: the key {row['key']} is in shard {row['shard']} and in shard {following['shard']}; "
                "every key must be unique.\nNext: this is a fault of the plan that named both; report it."
            )
    refused = [("", reject) for reject in rejects]
    refused += [(receipt.shard, reject) for receipt in done for reject in receipt.rejects]
    counts = _counts(header.kind, done, rows, [reject for _, reject in refused])

    corpus.mkdir(parents=True, exist_ok=True)
    schema = manifest_schema(header.kind, header.synthesized)
    _write_table(corpus / MANIFEST, pa.Table.from_pylist(rows, schema=schema))
    _write_table(corpus / REJECTS, _rejects_table(refused))
    _write_table(corpus / SHARDS, _shards_table(done))
    files.write_json(corpus / CORPUS, {**header.to_json(), "counts": counts})
    files.write_bytes(corpus / CARD, card.render(header, counts).encode())
    _remove_unnamed(corpus, {receipt.shard for receipt in done if receipt.rows})
    return counts


def folded(corpus: Path) -> dict[str, Receipt]:
    """The receipts that were folded into the tables, by shard.

    A shard whose rows or rejects are not all there is left out (a kill between two tables): it counts as unfinished.
    """
    paths = [corpus / name for name in (SHARDS, MANIFEST, REJECTS)]
    if not all(path.is_file() for path in paths) or _format(corpus) != FORMAT_VERSION:
        return {}
    try:
        shards, manifest, rejects = (read_parquet(path).to_pylist() for path in paths)
    except CorpusError:
        return {}  # damaged tables prove nothing: every shard is then built again
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in manifest:
        rows[row["shard"]].append(row)
    refused: dict[str, list[Reject]] = defaultdict(list)
    for reject in rejects:
        refused[reject.pop("shard")].append(Reject(**reject))
    found = {}
    for shard in shards:
        name = shard["name"]
        if len(rows[name]) == shard["samples"] and len(refused[name]) == shard["rejects"]:
            found[name] = Receipt(
                shard=name,
                sequence=shard["sequence"],
                recipe=shard["recipe"],
                bytes=shard["bytes"],
                sha256=shard["sha256"],
                rows=tuple(rows[name]),
                rejects=tuple(refused[name]),
            )
    return found


def read_parquet(path: Path, columns: Sequence[str] | None = None, categories: Sequence[str] = ()) -> pa.Table:
    """The table in `path`; `categories` are columns read as dictionaries, for few values in many rows.

    Opened here and not by name: pyarrow would take `pipe:x` for a URI, and make columns of folders called `a=b`.

    Raises:
        CorpusError: the file is missing, damaged, or has no such column.
    """
    if not path.is_file():
        raise CorpusError(f"{path}: is missing.\nNext: `dvc pull`, or build it again (`dvc repro`).")
    try:
        with pa.memory_map(str(path)) as source, pq.ParquetFile(source, read_dictionary=list(categories)) as file:
            absent = [name for name in columns or () if name not in file.schema_arrow.names]
            if absent:
                raise CorpusError(
                    f"{path}: no column {', '.join(absent)}. It has: {', '.join(file.schema_arrow.names)}.\n"
                    "Next: ask for one of these, or build the corpus again (`dvc repro`)."
                )
            return file.read(columns=None if columns is None else list(columns))
    except (pa.ArrowException, OSError) as error:
        what = " ".join(str(error).split())
        raise CorpusError(f"{path}: cannot be read ({what}).\nNext: build it again (`dvc repro`).") from None


def _format(corpus: Path) -> int | None:
    """Format version that corpus.json names; None where there is none to read."""
    try:
        version = json.loads((corpus / CORPUS).read_bytes())["format_version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, int) else None


def _warnings(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    return (text.partition(":")[2] for row in rows for text in row["warnings"].split())


def _counts(
    kind: Kind, done: Sequence[Receipt], rows: Sequence[dict[str, Any]], rejects: Sequence[Reject]
) -> dict[str, Any]:
    """What corpus.json says of the whole: samples, shards, bytes, and who they are."""
    sizes = Counter(f"{row['width']}x{row['height']}" for row in rows)
    return {
        "samples": len(rows),
        "shards": sum(1 for receipt in done if receipt.rows),
        "bytes": sum(receipt.bytes for receipt in done),
        "sequences": len({row["sequence"] for row in rows}),
        "devices": dict(sorted(Counter(row["device"] for row in rows).items())),
        "sizes": dict(sorted(sizes.items())),
        "kept": {name: sum(row[name] for row in rows) for name in kept_columns(kind)},
        "warnings": dict(sorted(Counter(_warnings(rows)).items())),
        "rejects": len(rejects),
        "reject_reasons": dict(sorted(Counter(reject.reason for reject in rejects).items())),
    }


def _rejects_table(refused: Iterable[tuple[str, Reject]]) -> pa.Table:
    rows = [
        {"origin": r.origin, "reason": r.reason, "detail": r.detail, "sequence": r.sequence, "shard": shard}
        for shard, r in refused
    ]
    rows.sort(key=lambda row: tuple(row[name] for name in ("sequence", "origin", "reason", "detail", "shard")))
    return pa.Table.from_pylist(rows, schema=REJECTS_SCHEMA)


def _shards_table(done: Iterable[Receipt]) -> pa.Table:
    rows = [
        {
            "name": receipt.shard,
            "sequence": receipt.sequence,
            "bytes": receipt.bytes,
            "sha256": receipt.sha256,
            "samples": len(receipt.rows),
            "rejects": len(receipt.rejects),
            "recipe": receipt.recipe,
        }
        for receipt in done
    ]
    return pa.Table.from_pylist(rows, schema=SHARDS_SCHEMA)


def _write_table(path: Path, table: pa.Table) -> None:
    """Parquet whose bytes depend on the rows and on pyarrow's version alone (no pandas metadata)."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=ROW_GROUP, compression="zstd")
    files.write_bytes(path, sink.getvalue().to_pybytes())


def _remove_unnamed(corpus: Path, shards: set[str]) -> None:
    """Remove tars that no receipt names, temporary files, and at the very end `.receipts/`."""
    for tar in corpus.glob("*.tar"):
        if tar.stem not in shards:
            tar.unlink()
    files.remove_partials(corpus)
    if (corpus / receipts.FOLDER).is_dir():
        shutil.rmtree(corpus / receipts.FOLDER)
