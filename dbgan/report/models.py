"""What was trained: a card and the learning curves of every model, as plain data for the template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dbgan.params import Params
from dbgan.report.curves import WORDS, Panel, chained, panels, short
from dbgan.report.inputs import MODEL_STAGE, VARIANT_WORDS, VARIANTS, Inputs, number, texts
from dbgan.report.pictures import Album, Picture

PARENTS = {"minus": "l1", "base": "l1", "control": "base", "plus": "base"}
"""Whose weights a variant starts from."""


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What one training says of itself in summary.json, and its samples.png."""

    name: str
    summary: Mapping[str, Any]
    samples: Picture | None = None
    start: str = "its own initialisation"
    """The model whose weights it started from and the first 12 digits of their digest."""
    digest: str = ""
    """SHA-256 of weights.safetensors, or nothing where it is not at hand."""

    @property
    def anchor(self) -> str:
        """Its place on the page."""
        return f"model-{self.name.replace('/', '-')}"

    @property
    def about(self) -> str:
        """What kind of model it is."""
        kind, _, own = self.name.partition("/")
        return "learns the blur of real captures" if kind == "bgan" else VARIANT_WORDS[own]

    @property
    def device(self) -> str:
        """`torch 2.14.1; cpu, avx512, 2 threads`: what computed it."""
        return computed_by(self.summary.get("device_class"))

    @property
    def facts(self) -> list[tuple[str, str]]:
        """(question, answer) of its provenance; its weights' digest apart."""
        named = [(key.capitalize(), self.text(key)) for key in ("parameters", "steps", "precision")]
        made = [("Computed by", self.device), ("Started from", self.start)]
        return [*named, *made, ("Perceptual features", self.text("perceptual"))]

    @property
    def gauges(self) -> list[tuple[str, str]]:
        """(words, value) of its last gauges."""
        found = self.summary.get("gauges")
        values = found.items() if isinstance(found, Mapping) else ()
        measured = ((str(name), number(value)) for name, value in values)
        return [(WORDS.get(name) or name, short(value)) for name, value in measured if value is not None]

    @property
    def said(self) -> list[str]:
        """Its own warnings and notes."""
        return [*texts(self.summary.get("warnings")), *texts(self.summary.get("notes"))]

    def text(self, key: str) -> str:
        """A value of the summary as text; "not said" where it is absent."""
        value = self.summary.get(key)
        if isinstance(value, bool) or value is None or value == "":
            return "not said"
        return f"{value:,}" if isinstance(value, int) else str(value)


@dataclass(frozen=True, slots=True)
class Family:
    """Models that share a set of charts."""

    title: str
    panels: tuple[Panel, ...]
    lines: tuple[str, ...]


def families(inputs: Inputs, params: Params) -> list[Family]:
    """Learning curves: DBGAN's variants in shared charts, then each BGAN in its own."""
    dbgan = {v: inputs.columns("models", f"dbgan/{v}/curves.csv", MODEL_STAGE[v]) for v in VARIANTS}
    trained = tuple(v for v in VARIANTS if dbgan[v])
    shown = [Family("DBGAN and its variants", tuple(panels(chained(dbgan, PARENTS))), trained)]
    for name in params.bgan:
        table = inputs.columns("models", f"bgan/{name}/curves.csv", f"train_bgan@{name}")
        shown.append(Family(f"BGAN {name}", tuple(panels({"bgan": table})), ()))
    return [family for family in shown if family.panels]


def model_cards(album: Album, params: Params) -> list[ModelCard]:
    """Every model that params name, with its summary (empty where the file is missing) and samples."""
    names = [(f"bgan/{name}", f"train_bgan@{name}") for name in params.bgan]
    names += [(f"dbgan/{variant}", MODEL_STAGE[variant]) for variant in VARIANTS]
    cards = []
    for name, stage in names:
        summary = album.inputs.json("models", f"{name}/summary.json", stage)
        samples = album.sheet(f"{name}/samples.png", f"Samples drawn at the end of training {name}", stage, "models")
        start, own = started(album.inputs, name, summary), album.inputs.digest("models", f"{name}/weights.safetensors")
        cards.append(ModelCard(name, summary, samples, start, own))
    return cards


def computed_by(found: Any) -> str:
    """A device class in words: `torch 2.14.1; cpu, avx512, 2 threads`."""
    if not isinstance(found, Mapping):
        return "not said"
    named = {"threads": "{} threads", "tile": "tiles of {} px", "capability": "capability {}", "cudnn": "cuDNN {}"}
    values = {name: named.get(name, "{}").format(value) for name, value in found.items()}
    return "; ".join((f"torch {values.pop('torch', 'not said')}", ", ".join(values.values())))


def started(inputs: Inputs, name: str, summary: Mapping[str, Any]) -> str:
    """`l1 (dca60a38a055)`: the parent by name, checked against its weights file where that is at hand."""
    start = str(summary.get("start") or "")
    if not start:
        return "its own initialisation"
    parent = PARENTS.get(name.removeprefix("dbgan/"), "a weights file")
    present = inputs.digest("models", f"dbgan/{parent}/weights.safetensors")
    other = ", not its present weights" if present not in ("", start) else ""
    return f"{parent} ({start[:12]}{other})"
