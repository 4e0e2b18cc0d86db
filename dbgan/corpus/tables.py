"""The tables of a finished corpus: manifest, shards, rejects, corpus.json and the card; and back to receipts."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dbgan import files
from dbgan.corpus import card, croissant, fold, receipts
from dbgan.corpus.columns import kept_columns, manifest_columns, nullable_columns
from dbgan.corpus.header import Header as Header
from dbgan.corpus.layout import FORMAT_VERSION, Finished, Kind, Receipt, Reject
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


def manifest_schema(kind: Kind, synthesized: bool, arrays: Sequence[str] = ()) -> pa.Schema:
    """Schema of manifest.parquet. Only quality measures and perceptual hashes may be null."""
    nullable = nullable_columns(kind)
    columns = manifest_columns(kind, synthesized, arrays)
    return pa.schema([pa.field(name, _ARROW[kind_], nullable=name in nullable) for name, kind_ in columns.items()])


def finish(
    corpus: Path, header: Header, done: Iterable[Finished | Receipt], rejects: Sequence[Reject] = ()
) -> dict[str, Any]:
    """Fold receipts into the tables and make the folder hold exactly what they name.

    Killed at any moment, the next build reads the same receipts: those in `.receipts/` win over the tables, and
    `.receipts/` goes last. Files whose content is equal are not rewritten.

    Args:
        corpus: folder of the corpus.
        header: what holds for the whole corpus.
        done: one per planned shard; the rows of a `Finished` are read from its receipt or from the older tables.
        rejects: inputs refused before they belonged to a shard.

    Returns:
        The counts of corpus.json.

    Raises:
        CorpusError: two samples have the same key.
    """
    done = sorted(done, key=lambda receipt: receipt.shard)
    summaries = [shard.summary if isinstance(shard, Receipt) else shard for shard in done]
    refused = [("", reject) for reject in rejects] + _refused(corpus, done)
    tally = fold.Tally(flags=tuple(kept_columns(header.kind)))

    corpus.mkdir(parents=True, exist_ok=True)
    _write_manifest(corpus, manifest_schema(header.kind, header.synthesized, header.arrays), done, tally)
    counts = _counts(summaries, tally, [reject for _, reject in refused])
    _write_table(corpus / REJECTS, _rejects_table(refused))
    _write_table(corpus / SHARDS, _shards_table(summaries))
    files.write_json(corpus / CORPUS, {**header.to_json(), "counts": counts})
    files.write_bytes(corpus / CARD, card.render(header, counts).encode())
    croissant.write(corpus, header)
    _remove_unnamed(corpus, {shard.shard for shard in summaries if shard.samples})
    return counts


def _write_manifest(corpus: Path, schema: pa.Schema, done: Sequence[Finished | Receipt], tally: fold.Tally) -> None:
    """Merge the rows of the older manifest's kept shards with those of new receipts, and count them all."""
    path = corpus / MANIFEST
    kept = {shard.shard for shard in done if isinstance(shard, Finished) and shard.folded and shard.samples}
    new = [_run(corpus, shard, schema) for shard in done if shard.shard not in kept and _first(shard)]
    if kept and not new and kept == set(pc.unique(read_parquet(path, ["shard"]).column("shard")).to_pylist()):
        # Nothing changed: the manifest is only counted.
        for _ in tally.passing(run.load() for run in fold.old_runs(path, kept, tally.columns)):
            pass
        return
    old = fold.old_runs(path, kept) if kept else ()
    fold.write(path, schema, tally.passing(fold.merged([*old, *new], ROW_GROUP, corpus)), ROW_GROUP)


def _first(shard: Finished | Receipt) -> str:
    return (shard.summary if isinstance(shard, Receipt) else shard).first


def _run(corpus: Path, shard: Finished | Receipt, schema: pa.Schema) -> fold.Run:
    def load() -> pa.Table:
        receipt = shard if isinstance(shard, Receipt) else receipts.load(corpus, shard)
        return pa.Table.from_pylist(list(receipt.rows), schema=schema)

    return fold.Run(_first(shard), load)


def _refused(corpus: Path, done: Sequence[Finished | Receipt]) -> list[tuple[str, Reject]]:
    """(shard, reject) of all shards that have some."""
    kept = {shard.shard for shard in done if isinstance(shard, Finished) and shard.folded and shard.refused}
    found = [(name, reject) for name, reject in _folded_rejects(corpus) if name in kept] if kept else []
    for shard in done:
        if isinstance(shard, Receipt):
            found += [(shard.shard, reject) for reject in shard.rejects]
        elif shard.refused and not shard.folded:
            found += [(shard.shard, reject) for reject in receipts.load(corpus, shard).rejects]
    return found


def _folded_rejects(corpus: Path) -> list[tuple[str, Reject]]:
    return [(row.pop("shard"), Reject(**row)) for row in read_parquet(corpus / REJECTS).to_pylist()]


def folded(corpus: Path) -> dict[str, Finished]:
    """What was folded into the tables, by shard; the rows stay there.

    A shard whose rows or rejects are not all there is left out (a kill between two tables): it counts as unfinished.
    """
    paths = [corpus / name for name in (SHARDS, MANIFEST, REJECTS)]
    if not all(path.is_file() for path in paths) or _format(corpus) != FORMAT_VERSION:
        return {}
    try:
        shards = read_parquet(paths[0]).to_pylist()
        manifest = read_parquet(paths[1], ["key", "shard"], categories=["shard"])
        refused = Counter(read_parquet(paths[2], ["shard"]).column("shard").to_pylist())
    except CorpusError:
        return {}  # damaged tables prove nothing: every shard is then built again
    rows = manifest.unify_dictionaries().group_by("shard").aggregate([("key", "count"), ("key", "min")]).to_pylist()
    of_shard = {row["shard"]: (row["key_count"], row["key_min"]) for row in rows}
    found = {}
    for shard in shards:
        samples, first = of_shard.get(shard["name"], (0, ""))
        if (samples, refused[shard["name"]]) == (shard["samples"], shard["rejects"]):
            found[shard["name"]] = Finished(
                shard=shard["name"],
                sequence=shard["sequence"],
                recipe=shard["recipe"],
                bytes=shard["bytes"],
                sha256=shard["sha256"],
                samples=samples,
                refused=shard["rejects"],
                first=first,
                folded=True,
            )
    return found


def unfolded(corpus: Path, shard: Finished) -> Receipt:
    """A shard of the tables with its rows."""
    tables = [run.load() for run in fold.old_runs(corpus / MANIFEST, {shard.shard})]
    return Receipt(
        shard=shard.shard,
        sequence=shard.sequence,
        recipe=shard.recipe,
        bytes=shard.bytes,
        sha256=shard.sha256,
        rows=tuple(row for table in tables for row in table.to_pylist()),
        rejects=tuple(reject for name, reject in _folded_rejects(corpus) if name == shard.shard),
    )


def read_schema(path: Path) -> pa.Schema:
    """Names and types of the columns of the table in `path`. Raises `CorpusError` as `read_parquet` does."""
    if not path.is_file():
        raise CorpusError(f"{path}: is missing.\nNext: `dvc pull`, or build it again (`dvc repro`).")
    try:
        with pa.OSFile(str(path)) as source:
            return pq.read_schema(source)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        what = " ".join(str(error).split())
        raise CorpusError(f"{path}: cannot be read ({what}).\nNext: build it again (`dvc repro`).") from None


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
            table = file.read(columns=None if columns is None else list(columns))
            table.validate(full=True)  # damage that decodes: text that is no UTF-8, lists that overlap
            return table
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        what = " ".join(str(error).split())
        raise CorpusError(f"{path}: cannot be read ({what}).\nNext: build it again (`dvc repro`).") from None


def _format(corpus: Path) -> int | None:
    """Format version that corpus.json names; None where there is none to read."""
    try:
        version = json.loads((corpus / CORPUS).read_bytes())["format_version"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return version if isinstance(version, int) else None


def _counts(done: Sequence[Finished], tally: fold.Tally, rejects: Sequence[Reject]) -> dict[str, Any]:
    """What corpus.json says of the whole: samples, shards, bytes, and who they are."""
    return {
        "samples": tally.samples,
        "shards": sum(1 for shard in done if shard.samples),
        "bytes": sum(shard.bytes for shard in done),
        "sequences": len(tally.sequences),
        "devices": dict(sorted(tally.devices.items())),
        "sizes": dict(sorted(tally.sizes.items())),
        "kept": {name: tally.kept[name] for name in tally.flags},
        "warnings": dict(sorted(tally.warnings.items())),
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


def _shards_table(done: Iterable[Finished]) -> pa.Table:
    rows = [
        {
            "name": shard.shard,
            "sequence": shard.sequence,
            "bytes": shard.bytes,
            "sha256": shard.sha256,
            "samples": shard.samples,
            "rejects": shard.refused,
            "recipe": shard.recipe,
        }
        for shard in done
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
