"""A source's corpus, its last curation and its limits, as the review's state."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dbgan.corpus import Corpus
from dbgan.corpus.columns import manifest_columns
from dbgan.corpus.layout import ALLOWED_NUMBERS
from dbgan.corpus.selection import read_selection
from dbgan.corpus.tables import CORPUS
from dbgan.errors import CorpusError, ParamsError
from dbgan.params import CurateParams, load
from dbgan.review.decisions import decisions_path
from dbgan.review.model import ALL, Band, Review, Table

UNKNOWN_DEVICE = "unknown"
"""The device of a sample whose camera left no name, as params call it."""
SIZES = ("width", "height")


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What one review is about.

    Attributes:
        name: the source. corpus: its pictures. field: the image that is judged; of pairs the blurry one.
        digests: per sample, in the order of the table, the hex sha256 of that image's stored bytes.
        params_file: where its limits are.
    """

    name: str
    corpus: Corpus
    field: str
    digests: list[str]
    state: Review
    params_file: Path


def open_source(name: str, params_file: Path = Path("params.yaml")) -> Reviewed:
    """Open a source of params.yaml for review. The project's root is the folder of `params_file`.

    Raises:
        ParamsError: params.yaml is wrong, or names no such source.
        CorpusError: the source has not been ingested.
        DbganError: the decisions are damaged.
    """
    params = load(params_file)
    if name not in params.sources:
        near = difflib.get_close_matches(name, params.sources, 1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ParamsError(
            f"{params_file}: sources has no {name!r}.{hint}\nExpected one of: {', '.join(sorted(params.sources))}"
        )
    source, root = params.sources[name], params_file.parent
    folder = root / "datasets" / source.use / name
    if not (folder / CORPUS).is_file():
        raise CorpusError(
            f"{folder}: the source {name!r} has not been ingested: expected a corpus, found no {CORPUS}.\n"
            f"Next: dvc repro ingest@{name} (or dvc pull)."
        )
    corpus = Corpus.open(folder)
    table, digests = read_table(corpus, folder.with_name(f"{name}.selection.parquet"))
    state = Review(table, decisions_path(name, root), limits_of(source.curate))
    return Reviewed(name, corpus, corpus.fields[0], digests, state, params_file)


def limits_of(params: CurateParams) -> dict[str, dict[str, Band]]:
    """The bands of min and max that the params set, by device (`ALL`: every device) and measure."""
    places = {ALL: params.limits, **params.devices}
    return {
        device: {measure: Band(band.min, band.max) for measure, band in bands.items()}
        for device, bands in places.items()
    }


def read_table(corpus: Corpus, selection: Path) -> tuple[Table, list[str]]:
    """The corpus's samples with every number that the manifest has, and the digests of their judged images."""
    # Measures first: they are what limits are set on most.
    numbers = [n for n, kind in manifest_columns(corpus.kind, corpus.header.synthesized).items() if kind == "float"]
    names = sorted(numbers, key=lambda name: name in ALLOWED_NUMBERS)
    flags = [f"has_{name}" for name in ALLOWED_NUMBERS]
    digest = f"{corpus.fields[0]}_sha256"
    rows = corpus.table(["key", "sequence", "device", digest, *SIZES, *names, *flags])
    measures = {name: rows[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in (*names, *SIZES)}
    for name in ALLOWED_NUMBERS:
        measures[name] = np.where(rows[f"has_{name}"].to_numpy(dtype=bool), measures[name], np.nan)
    rules, reasons = _curated(rows["key"], selection)
    table = Table(
        keys=_texts(rows["key"]),
        sequences=_texts(rows["sequence"]),
        devices=_texts(rows["device"].replace("", UNKNOWN_DEVICE)),
        measures={name: values for name, values in measures.items() if np.isfinite(values).any()},
        rules=rules,
        reasons=reasons,
        curated=selection.is_file(),
    )
    return table, [bytes(value).hex() for value in rows[digest]]


def _curated(keys: pd.Series[str], selection: Path) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """Rule and reason of the last curation; samples that came later have neither."""
    if not selection.is_file():
        nothing = np.full(len(keys), "", dtype=np.str_)
        return nothing, nothing
    rows = read_selection(selection).set_index("key").reindex(keys)
    return _texts(rows["rule"].fillna("")), _texts(rows["reason"].fillna(""))


def _texts(column: pd.Series[str]) -> NDArray[np.str_]:
    return np.array(column.tolist(), dtype=np.str_)
