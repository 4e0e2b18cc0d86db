"""Builds `reports/index.html`: one file, no network, equal bytes for equal inputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbgan import __version__
from dbgan.files import write_bytes
from dbgan.params import Params
from dbgan.report import paper, pictures
from dbgan.report.departures import departures, grouped
from dbgan.report.differences import read_differences, read_groups
from dbgan.report.gallery import Gallery, gallery
from dbgan.report.graph import draw, stages
from dbgan.report.inputs import VARIANT_WORDS, VARIANTS, Inputs, texts
from dbgan.report.leaks import leak_check
from dbgan.report.models import ModelCard, families, model_cards
from dbgan.report.noise import drawn
from dbgan.report.pictures import Album, Fit
from dbgan.report.sections import CorpusCard, audit, corpora, params_text, provenance, scored_by
from dbgan.report.table import INPUT, METRIC_HEADS, ROW_NAMES, Scores, format_ends, format_metric, read_scores
from dbgan.report.verdict import (
    Warned,
    audit_warnings,
    headline,
    merged,
    params_warnings,
    score_warnings,
    sentences,
)
from dbgan.templating import rendered

LIMIT_BYTES = 15_000_000
"""A page above this is built again with smaller pictures."""
MOST_SENTENCES, MOST_SOURCES = 12, 4
"""Sentences of the verdict, and test sources whose paired differences are seen at once; the others are folded away."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The gain of one row over the blurry input, as a bar: left edge and width in percent of the cell."""

    text: str
    left: float
    width: float
    under: bool


def build(reports: Path, models: Path, datasets: Path, params: Params, out: Path | None = None) -> Path:
    """Write the report of a project.

    Args:
        reports: folder with `evaluate/`, `audit/`, `curate/`.
        models: folder with `bgan/`, `dbgan/`.
        datasets: folder with `train/`, `test/`, `synthetic/`.
        params: the run's parameters.
        out: the page; `reports/index.html` by default. It is not rewritten where its bytes would not change.

    Returns:
        The path of the page. A missing or damaged input raises nothing: the page names it and the stage that makes it,
        and what it leaves out to stay under `LIMIT_BYTES`.
    """
    page, fit, digests = b"", pictures.LADDER[0], dict[Path, str]()
    while True:
        page = render(Inputs(reports, models, datasets, digests=digests), params, fit)
        smaller = pictures.following(fit, len(page), LIMIT_BYTES)
        if len(page) <= LIMIT_BYTES or smaller is None:
            break
        fit = smaller
    if len(page) > LIMIT_BYTES:
        print(
            f"note: the page has {len(page) / 1e6:.1f} MB with the smallest pictures, over {LIMIT_BYTES / 1e6:.0f} MB"
        )
    target = out or reports / "index.html"
    write_bytes(target, page)
    return target


def render(inputs: Inputs, params: Params, fit: Fit) -> bytes:
    """The page's bytes with pictures at one `fit`."""
    return rendered("dbgan.report", "index.html.j2", _content(inputs, params, fit))


def _content(inputs: Inputs, params: Params, fit: Fit) -> dict[str, Any]:
    album = Album(inputs, fit)
    variants = tuple(v for v in VARIANTS if v in params.evaluate.variants)
    restorers = (*variants, *params.evaluate.external)
    rows = (INPUT, *restorers)
    scores = read_scores(inputs, restorers)
    paired = read_differences(inputs)
    best = {source: name for source in scores.sources if (name := scores.best(source))}
    shown = gallery(album, best, restorers)
    audits = [audit(album, name) for name in params.audit]
    cards = model_cards(album, params)
    data = corpora(album, params)
    graph = stages(inputs.reports.parent, params.model_dump(mode="json"))
    warnings = [*score_warnings(scores), *(w for a in audits for w in audit_warnings(a.name, a.values))]
    warnings += [*_training_warnings(cards), *_curation_notes(data), *params_warnings(params)]
    return {
        "headline": headline(scores),
        "verdict": sentences(scores, paired),
        "most_sentences": MOST_SENTENCES,
        "most_sources": MOST_SOURCES,
        "warnings": merged(warnings),
        "scores": scores,
        "rows": rows,
        "metrics": METRIC_HEADS,
        "cell": lambda row, source, metric: format_metric(metric, scores.get(row, source, metric)),
        "ends": lambda row, source, metric: format_ends(metric, scores.ends.get((row, source, metric))),
        "bar": lambda row, source: gain_bar(scores, row, source, rows),
        "is_best": lambda row, source, metric: _is_best(scores, row, source, metric, rows),
        "row_words": VARIANT_WORDS | dict.fromkeys(params.evaluate.external, "somebody else's restorer"),
        "paired": [table for table in paired.values() if table.rows],
        "groups": read_groups(inputs, restorers, scores.sources),
        "paper": paper,
        "restored": shown.restored,
        "captures": shown.captures,
        "left_out": left_out(fit, shown),
        "audits": audits,
        "bgans": drawn(album, params),
        "families": families(inputs, params),
        "models": cards,
        "corpora": data,
        "leaks": leak_check(inputs),
        "version": __version__,
        "graph": graph,
        "drawn": draw(graph),
        "provenance": [*scored_by(inputs, restorers), *provenance(params, cards)],
        "departures": grouped(departures(params)),
        "params_text": params_text(params),
        # Evaluated last: every reader above may have noted something.
        "missing": [m.words() for m in inputs.missing],
    }


def left_out(fit: Fit, shown: Gallery) -> list[str]:
    """What the page lacks because it must stay small, and where that is; nothing at the first step of the ladder."""
    if fit == pictures.LADDER[0]:
        return []
    said = [
        f"To stay under {LIMIT_BYTES / 1e6:.0f} MB, pictures are reduced to at most {fit.side} px and coded at quality "
        f"{fit.quality}; the squares where blur did most are at full resolution. Whole: reports/evaluate/NAME/pictures."
    ]
    for scenes, count, what in zip((shown.restored, shown.captures), shown.counts, ("scenes", "captures"), strict=True):
        if count > fit.scenes:
            said.append(f"{len(scenes)} of {count} {what} are shown. The others: reports/evaluate/NAME.")
    if not fit.sheets:
        said.append(
            "Contact sheets and restorers' samples are left out: reports/curate/NAME/contact.png, "
            "models/dbgan/NAME/samples.png."
        )
    return said


def gain_bar(scores: Scores, row: str, source: str, rows: tuple[str, ...] = ROW_NAMES) -> Bar | None:
    """The bar of one row, on a scale that all rows of the source share; zero is where the blurry input is."""
    gain = scores.gain(row, source)
    if gain is None or row == INPUT:
        return None
    gains = [g for name in rows if name != INPUT and (g := scores.gain(name, source)) is not None]
    low, high = min(0.0, *gains), max(0.0, *gains)
    span = (high - low) or 1.0
    return Bar(
        f"{gain:+.2f}", round(100 * (min(0.0, gain) - low) / span, 2), round(100 * abs(gain) / span, 2), gain < 0
    )


def _is_best(scores: Scores, row: str, source: str, metric: str, rows: tuple[str, ...]) -> bool:
    values = [v for name in rows if (v := scores.get(name, source, metric)) is not None]
    return bool(values) and scores.get(row, source, metric) == max(values)


def _training_warnings(cards: list[ModelCard]) -> list[Warned]:
    return [
        Warned(card.name, text)
        for card in cards
        for text in (*texts(card.summary.get("warnings")), *texts(card.summary.get("notes")))
    ]


def _curation_notes(data: list[CorpusCard]) -> list[Warned]:
    return [
        Warned(card.name, text)
        for card in data
        for text in (*texts(card.curated.get("notes")), *texts(card.curated.get("warnings")))
    ]


__all__ = ["build", "render"]
