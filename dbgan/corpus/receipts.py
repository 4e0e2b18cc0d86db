"""Receipts: what is finished in a corpus folder, whether it is half built or folded into its tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dbgan import files
from dbgan.corpus.layout import FORMAT_VERSION, Finished, Receipt, Reject
from dbgan.errors import CorpusError
from dbgan.recipe import canonical

_DIGESTS = ("_sha256", "_phash")
"""Ends of the names of columns that hold bytes; in a receipt they are hex."""
FOLDER = ".receipts"


def write_receipt(corpus: Path, receipt: Receipt) -> None:
    """Write `.receipts/SHARD.json` atomically: from now on the shard counts as finished."""
    values = {
        "format_version": FORMAT_VERSION,
        "shard": receipt.shard,
        "sequence": receipt.sequence,
        "recipe": receipt.recipe,
        "bytes": receipt.bytes,
        "sha256": receipt.sha256,
        "code": receipt.code,
        "rows": [{name: _json_value(value) for name, value in row.items()} for row in receipt.rows],
        "rejects": [[r.origin, r.reason, r.detail, r.sequence] for r in receipt.rejects],
    }
    files.write_bytes(corpus / FOLDER / f"{receipt.shard}.json", canonical(values))


def retract(corpus: Path, shard: str) -> None:
    """Note that `shard` is about to be replaced: its older receipt, here or in the tables, no longer counts.

    Without this, a kill between the new tar and its receipt would leave the old receipt beside the new bytes.
    """
    files.write_bytes(corpus / FOLDER / f"{shard}.json", canonical({"format_version": FORMAT_VERSION, "shard": shard}))


def finished(corpus: Path) -> dict[str, Finished]:
    """Every finished shard of the folder by name, from `.receipts/` and from the folded tables; its rows stay on disk.

    A receipt in `.receipts/` is newer than the tables and wins. Whether the tar is still there is not checked.
    """
    # Reading folded tables needs pyarrow; a first build has none and should not wait for the import.
    found: dict[str, Finished] = {}
    if (corpus / "shards.parquet").is_file():
        from dbgan.corpus.tables import folded

        found = folded(corpus)
    folder = corpus / FOLDER
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        receipt = _read(path)
        if receipt is None:
            found.pop(path.stem, None)
        else:
            found[receipt.shard] = receipt.summary
    return found


def load(corpus: Path, shard: Finished) -> Receipt:
    """A finished shard with its rows. Raises `CorpusError` where they are not there any more."""
    if shard.folded:
        from dbgan.corpus.tables import unfolded

        return unfolded(corpus, shard)
    path = corpus / FOLDER / f"{shard.shard}.json"
    receipt = _read(path)
    if receipt is None:
        raise CorpusError(f"{path}: this receipt was there and is not any more.\nNext: run the same command again.")
    return receipt


def _read(path: Path) -> Receipt | None:
    """The receipt in `path`; None where it is retracted, of another format or damaged: the shard is then rebuilt."""
    try:
        values: dict[str, Any] = json.loads(path.read_bytes())
        if values["format_version"] != FORMAT_VERSION or "recipe" not in values or values["shard"] != path.stem:
            return None
        return Receipt(
            shard=values["shard"],
            sequence=values["sequence"],
            recipe=values["recipe"],
            bytes=values["bytes"],
            sha256=values["sha256"],
            rows=tuple({name: _row_value(name, value) for name, value in row.items()} for row in values["rows"]),
            rejects=tuple(Reject(*reject) for reject in values["rejects"]),
            code=values["code"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _json_value(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _row_value(name: str, value: Any) -> Any:
    return bytes.fromhex(value) if name.endswith(_DIGESTS) and value is not None else value
