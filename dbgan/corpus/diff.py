"""Compare two corpora sample by sample: two sorted manifests are walked side by side, no shard is opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dbgan.corpus.columns import json_columns
from dbgan.corpus.header import Header
from dbgan.corpus.read import read_header
from dbgan.corpus.rows import rows

What = Literal[
    "samples added",
    "samples removed",
    "pictures changed",
    "pictures encoded anew",
    "motion changed",
    "metadata changed",
]
_SIGNS = {"samples added": "+", "samples removed": "-"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two corpora differ.

    Attributes:
        key: of the sample.
        what: what kind of difference; a changed sample may have several.
        detail: fields or values, empty for a sample that only one corpus has.
    """

    key: str
    what: What
    detail: str = ""

    def __str__(self) -> str:
        return f"{_SIGNS.get(self.what, '~')} {self.key}{f'  {self.what}: {self.detail}' if self.detail else ''}"


def compare(old: Path, new: Path) -> Iterator[Difference]:
    """Every difference between the samples of two corpora, in the order of keys; nothing where they are equal.

    Shard boundaries, quality measures, names and parameters are not compared. A picture counts as changed where both
    its bytes and its pixels differ, and as encoded anew where its bytes differ and its pixels do not. Pictures in
    fields that only one corpus has are changed; so is metadata that only one has.
    """
    of_old, of_new = read_header(old), read_header(new)
    left, right = _rows(old, of_old), _rows(new, of_new)
    a, b = next(left, None), next(right, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a["key"] < b["key"]):
            assert a is not None
            yield Difference(a["key"], "samples removed")
            a = next(left, None)
        elif a is None or b["key"] < a["key"]:
            yield Difference(b["key"], "samples added")
            b = next(right, None)
        else:
            yield from _pictures(a, b, of_old, of_new)
            yield from _arrays(a, b, of_old, of_new)
            yield from _metadata(a, b, of_old, of_new)
            a, b = next(left, None), next(right, None)


def _rows(path: Path, header: Header) -> Iterator[dict[str, Any]]:
    digests = [f"{field}_{digest}" for field in header.fields for digest in ("sha256", "pixels_sha256")]
    digests += [f"{field}_sha256" for field in header.arrays]
    return rows(path, [*json_columns(header.kind, header.synthesized), *digests])


def _pictures(a: dict[str, Any], b: dict[str, Any], of_a: Header, of_b: Header) -> Iterator[Difference]:
    changed = sorted(set(of_a.fields) ^ set(of_b.fields))
    encoded: list[str] = []
    for field in (field for field in of_a.fields if field in of_b.fields):
        if a[f"{field}_sha256"] == b[f"{field}_sha256"]:
            continue  # equal bytes: two decoders may still have made different digests of a JPEG's pixels
        same = a[f"{field}_pixels_sha256"] == b[f"{field}_pixels_sha256"]
        (encoded if same else changed).append(field)
    if changed:
        yield Difference(a["key"], "pictures changed", ", ".join(changed))
    if encoded:
        yield Difference(a["key"], "pictures encoded anew", ", ".join(encoded))


def _arrays(a: dict[str, Any], b: dict[str, Any], of_a: Header, of_b: Header) -> Iterator[Difference]:
    """Motion whose bytes differ, or that only one has."""
    named = {*of_a.arrays, *of_b.arrays}
    if any(a.get(f"{field}_sha256") != b.get(f"{field}_sha256") for field in named):
        yield Difference(a["key"], "motion changed", ", ".join(sorted(named)))


def _metadata(a: dict[str, Any], b: dict[str, Any], of_a: Header, of_b: Header) -> Iterator[Difference]:
    names = {**json_columns(of_a.kind, of_a.synthesized), **json_columns(of_b.kind, of_b.synthesized)}
    details = [
        f"{name} {_shown(a, name)} -> {_shown(b, name)}"
        for name in names
        if (name in a) != (name in b) or a.get(name) != b.get(name)
    ]
    if details:
        yield Difference(a["key"], "metadata changed", ", ".join(details))


def _shown(row: dict[str, Any], name: str) -> str:
    return repr(row[name]) if name in row else "absent"
