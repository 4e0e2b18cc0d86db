"""Columns of the manifest and keys of the `json` member, by name and type, for each kind of corpus."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dbgan.corpus.layout import ALLOWED_NUMBERS, ALLOWED_TEXT, FIELDS, Kind
from dbgan.image.quality import MEASURES, PERCEPTUAL_HASH

# Types: "text", "int32", "int64", "float", "flag", "digest" (sha256, 32 bytes), "floats" (a list).
# A measure, a perceptual hash or the time in a clip may be null in the manifest (quality switched off, or the picture
# lacks it); nothing else may, and nothing in a json member may.
LINEAGE = {
    "source_corpus": "text",
    "source_key": "text",
    "variant": "int32",
    "noise": "floats",
    "method": "text",
    "parameters": "text",
    "generator": "text",
}


def allowed_columns() -> dict[str, str]:
    """The privacy allow-list with `has_NAME`, and `device`."""
    columns = dict.fromkeys(ALLOWED_TEXT, "text")
    for name in ALLOWED_NUMBERS:
        columns[name] = "float"
        columns[f"has_{name}"] = "flag"
    return {**columns, "device": "text"}


def kept_columns(kind: Kind) -> dict[str, str]:
    """Per image field, whether its bytes hold the source's own compressed pixels."""
    return {f"{field}_kept": "flag" for field in FIELDS[kind]}


def json_columns(kind: Kind, synthesized: bool) -> dict[str, str]:
    """Every key of a sample's `json` member and its type."""
    columns = {"key": "text", "sequence": "text", "frame": "text", "width": "int32", "height": "int32"}
    columns |= {**allowed_columns(), "origin": "text", **kept_columns(kind)}
    return {**columns, **(LINEAGE if synthesized else {})}


def measure_columns(kind: Kind) -> tuple[str, ...]:
    """The nullable numbers: quality measures per field, and the PSNR of pairs."""
    measures = tuple(f"{field}_{measure}" for field in FIELDS[kind] for measure in MEASURES)
    return (*measures, "pair_psnr") if kind == "paired" else measures


def time_columns() -> tuple[str, ...]:
    """The nullable time of a frame in its clip, seconds since the clip's first frame; null for still pictures."""
    return ("time_s",)


def hash_columns(kind: Kind) -> tuple[str, ...]:
    """The nullable digests: a perceptual hash per field."""
    return tuple(f"{field}_{PERCEPTUAL_HASH}" for field in FIELDS[kind])


def nullable_columns(kind: Kind) -> tuple[str, ...]:
    """All columns that may be null, and that a corpus of an older version may lack."""
    return (*measure_columns(kind), *hash_columns(kind), *time_columns())


def manifest_columns(kind: Kind, synthesized: bool, arrays: Sequence[str] = ()) -> dict[str, str]:
    """Every column of the manifest, in order, and its type; `arrays` are the corpus's fields that are no pictures."""
    columns = dict.fromkeys(("key", "sequence", "frame", "shard"), "text")
    for field in FIELDS[kind]:
        columns |= {f"{field}_offset": "int64", f"{field}_size": "int64"}
        columns |= {f"{field}_sha256": "digest", f"{field}_pixels_sha256": "digest"}
    for field in arrays:
        columns |= {f"{field}_offset": "int64", f"{field}_size": "int64", f"{field}_sha256": "digest"}
    columns |= {"json_offset": "int64", "json_size": "int64", "json_sha256": "digest"}
    columns |= {"width": "int32", "height": "int32", **allowed_columns(), "origin": "text"}
    columns |= {**kept_columns(kind), "warnings": "text"}
    columns |= dict.fromkeys(measure_columns(kind), "float") | dict.fromkeys(hash_columns(kind), "digest")
    columns |= dict.fromkeys(time_columns(), "float")
    return {**columns, **(LINEAGE if synthesized else {})}


def coerce(
    values: Mapping[str, Any], columns: Mapping[str, str], nullable: tuple[str, ...], where: str
) -> dict[str, Any]:
    """`values` as plain Python values of exactly `columns`; `where` names the sample in errors.

    Floats become floats (1.0, never 1), numpy scalars Python numbers, hex digests bytes.

    Raises:
        ValueError: a column is missing, unknown, of another type, or not finite.
    """
    unknown = sorted(values.keys() - columns.keys())
    missing = sorted(name for name in columns.keys() - values.keys() if name not in nullable)
    if unknown or missing:
        raise ValueError(f"{where}: missing {missing or 'nothing'}, unknown {unknown or 'nothing'}")
    return {
        name: _coerced(values.get(name), kind, name in nullable, f"{where}: {name}") for name, kind in columns.items()
    }


def _coerced(value: Any, kind: str, nullable: bool, where: str) -> Any:
    if value is None and nullable:
        return None
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        value = value.item()
    if kind == "text" and isinstance(value, str):
        return value
    if kind == "flag" and isinstance(value, bool):
        return value
    if kind in ("int32", "int64") and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "float" and isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if kind == "floats" and not isinstance(value, (str, bytes)) and value is not None:
        numbers = [float(number) for number in value]
        if all(math.isfinite(number) for number in numbers):
            return numbers
    if kind == "digest":
        digest = bytes.fromhex(value) if isinstance(value, str) else value
        if isinstance(digest, bytes) and len(digest) == 32:
            return digest
    raise ValueError(f"{where}: expected {kind}, found {value!r}")
