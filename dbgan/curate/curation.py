"""Curate one source: manifest -> selection table, summary.json and contact sheet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dbgan.corpus import Corpus
from dbgan.corpus.columns import measure_columns
from dbgan.corpus.layout import ALLOWED_NUMBERS
from dbgan.corpus.selection import write_selection
from dbgan.curate import contact, gate, review, rules, splits
from dbgan.curate.rules import Drop
from dbgan.errors import ParamsError
from dbgan.files import write_bytes, write_json
from dbgan.image.codec import encode
from dbgan.params import CurateParams, LeaksParams


@dataclass(frozen=True, slots=True)
class Summary:
    """What summary.json holds.

    Attributes:
        total: samples in the corpus.
        kept: samples that no rule dropped.
        dropped: rule -> samples it dropped; every rule that dropped any.
        splits: split -> kept samples.
        sequences: split -> sequences with at least one kept sample.
        devices: device -> {"total", "kept"} samples.
        notes: sentences for people.
    """

    total: int
    kept: int
    dropped: dict[str, int]
    splits: dict[str, int]
    sequences: dict[str, int]
    devices: dict[str, dict[str, int]]
    notes: list[str]


def curate(
    name: str, params: CurateParams, corpus: Path, selection: Path, report: Path, use: str, reviews: Path | None = None
) -> Summary:
    """Decide for every sample of `corpus` whether it is used and in which split; write why.

    Args:
        name: the source.
        params: its rules.
        corpus: the ingested corpus.
        selection: selection table to write, one row per sample, sorted by key.
        report: folder for summary.json and contact.png.
        use: "train" or "test", of the source.
        reviews: CSV of people's decisions (`review.read_decisions`); None: there are none.

    Returns:
        What summary.json holds; a line and the notes are printed.

    Raises:
        ParamsError: a limit names no measure or device of this corpus, a pin no sequence; the decisions are damaged.
        CorpusError: the corpus cannot be read.
    """
    where = f"sources.{name}.curate"
    opened = Corpus.open(corpus)
    rows = _rows(opened, params, where)
    decisions = review.read_decisions(reviews) if reviews else {}
    drops = rules.apply(rows, params, decisions)
    assigned = splits.assign(rows.table["sequence"], params, use, where)
    notes = splits.notes(assigned, params) + rules.notes(rows, params) + _notes(rows.table, drops)
    if lost := review.unknown(decisions, rows.table["key"]):
        notes.append(f"{reviews} decides on {len(lost)} keys that the corpus does not have, such as {lost[0]}.")
    write_selection(selection, selection_rows(rows.table, drops, assigned))
    notes = [*gate.within(opened, selection, LeaksParams().near_bits), *notes]
    summary = summarise(rows.table, drops, assigned, notes)
    write_json(report / "summary.json", asdict(summary))
    write_bytes(report / "contact.png", encode(_sheet(name, opened, rows, drops, params, notes), "png"))
    _say(name, summary)
    return summary


def selection_rows(table: pd.DataFrame, drops: Mapping[str, Drop], assigned: Mapping[str, str]) -> list[dict[str, Any]]:
    """The selection's rows, sorted by key: every sample with its sequence's split, and why it is dropped if it is."""
    kept = Drop("", "", 0.0, 0.0, "")
    return [
        {"key": key, "sequence": sequence, "split": assigned[sequence], "keep": key not in drops}
        | asdict(drops.get(key, kept))
        for key, sequence in sorted(zip(table["key"], table["sequence"], strict=True))
    ]


def summarise(table: pd.DataFrame, drops: Mapping[str, Drop], assigned: Mapping[str, str], notes: list[str]) -> Summary:
    """Counts over the decided table."""
    kept = table[~table["key"].isin(drops.keys())]
    split = kept["sequence"].map(assigned)
    totals, used = Counter(map(rules.device_name, table["device"])), Counter(map(rules.device_name, kept["device"]))
    return Summary(
        total=len(table),
        kept=len(kept),
        dropped=dict(sorted(Counter(drop.rule for drop in drops.values()).items())),
        splits=dict(sorted(Counter(split).items())),
        sequences=dict(sorted(Counter(assigned[s] for s in set(kept["sequence"])).items())),
        devices={device: {"total": totals[device], "kept": used[device]} for device in sorted(totals)},
        notes=notes,
    )


def _rows(corpus: Corpus, params: CurateParams, where: str) -> rules.Rows:
    """The judged rows of the manifest, after the params were checked against it."""
    field, measured = corpus.fields[0], measure_columns(corpus.kind)
    rules.check(params, [*measured, *ALLOWED_NUMBERS], None, where)
    columns = rules.columns(params, field)
    needs = {*measured, f"{field}_phash"}
    unmeasured = [name for name in columns if name in needs and not corpus.header.quality]
    if unmeasured:
        raise ParamsError(
            f"{where}: a limit on {unmeasured[0]} needs measures, and {corpus.path} was ingested without.\n"
            "Next: set `quality: true` in the source's ingest params, and run ingest again."
        )
    table = corpus.table(columns=columns)
    rules.check(params, [*measured, *ALLOWED_NUMBERS], sorted(map(rules.device_name, table["device"].unique())), where)
    return rules.Rows(table, field)


def _sheet(
    name: str, corpus: Corpus, rows: rules.Rows, drops: Mapping[str, Drop], params: CurateParams, notes: list[str]
) -> Any:
    """The contact sheet, HWC uint8 RGB. Pairs show the judged (blurry) picture."""
    measure = next((m for m in rules.columns(params, rows.field) if m in measure_columns(corpus.kind)), None)
    if measure is None and corpus.header.quality:
        measure = f"{rows.field}_sharpness"
    columns = ["key", "device", *([measure] if measure else [])]
    facts = {row["key"]: row for row in corpus.table(columns=columns).to_dict("records")}

    def caption(key: str) -> list[str]:
        lines = [key, *([facts[key]["device"]] if facts[key]["device"] else [])]
        return [*lines, f"{measure} {facts[key][measure]:.4g}"] if measure else lines

    keys = sorted(rows.table["key"])
    return contact.sheet(name, keys, drops, caption, lambda key: corpus[key].images[rows.field], notes)


def _notes(table: pd.DataFrame, drops: Mapping[str, Drop]) -> list[str]:
    if table.empty:
        return ["The corpus holds no samples."]
    if len(drops) == len(table):
        return ["Every sample was dropped: nothing of this source can be used. Look at the limits in the params."]
    return []


def _say(name: str, summary: Summary) -> None:
    parts = [", ".join(f"{split} {count}" for split, count in summary.splits.items()) or "no split"]
    if summary.dropped:
        parts.append("dropped: " + ", ".join(f"{rule} {count}" for rule, count in summary.dropped.items()))
    print(f"{name}: {summary.kept} of {summary.total} samples kept; {'; '.join(parts)}", flush=True)
    for note in summary.notes:
        print(f"{name}: {note}", flush=True)
