"""Reads the files that other stages left. What is absent or damaged is noted in words for the page, never hidden."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dbgan.files import sha256_file

Root = Literal["reports", "models", "datasets"]

VARIANTS = ("l1", "minus", "base", "control", "plus")
"""DBGAN's variants in the order in which they are trained."""

VARIANT_WORDS = {
    "input": "blurry input",
    "l1": "content loss only",
    "minus": "classical adversarial loss, DBGAN(-)",
    "base": "relativistic adversarial loss, DBGAN",
    "control": "base, trained on for the steps of plus without synthetic pairs",
    "plus": "base, trained on with BGAN's pairs mixed in, DBGAN(+)",
}


def evaluate_stage(restorer: str) -> str:
    """The stage that scores a variant of ours, or somebody else's restorer."""
    return f"evaluate@{restorer}" if restorer in VARIANTS else f"evaluate_external@{restorer}"


MODEL_STAGE = {
    "l1": "pretrain_dbgan",
    "minus": "train_dbgan@minus",
    "base": "train_dbgan@base",
    "control": "finetune_dbgan@control",
    "plus": "finetune_dbgan@plus",
}


@dataclass(frozen=True, slots=True)
class Missing:
    """One input that the page lacks: `file` below the project, `why` in words, `stage` that makes it."""

    file: str
    why: str
    stage: str

    def words(self) -> str:
        """One sentence with the next step."""
        return f"{self.file} {self.why}. Next: dvc repro {self.stage}"


@dataclass
class Inputs:
    """The folders of a project as the report reads them.

    Attributes:
        reports: folder of `evaluate/`, `audit/`, `curate/`.
        models: folder of `bgan/`, `dbgan/`.
        datasets: folder of `train/`, `test/`, `synthetic/`.
        missing: inputs that were asked for and could not be read, in the order asked.
        digests: SHA-256 of files that were asked for, so that weights are hashed once.
    """

    reports: Path
    models: Path
    datasets: Path
    missing: list[Missing] = field(default_factory=list)
    digests: dict[Path, str] = field(default_factory=dict)

    def path(self, root: Root, relative: str) -> Path:
        """The file `relative` below one of the three folders."""
        return Path(getattr(self, root)) / relative

    def note(self, root: Root, relative: str, why: str, stage: str) -> None:
        """Note an input as missing, once."""
        problem = Missing(f"{root}/{relative}", why, stage)
        if problem not in self.missing:
            self.missing.append(problem)

    def digest(self, root: Root, relative: str) -> str:
        """SHA-256 of a file in hex, or nothing where it is absent (weights may have stayed on another machine)."""
        path = self.path(root, relative)
        if path not in self.digests:
            self.digests[path] = sha256_file(path) if path.is_file() else ""
        return self.digests[path]

    def data(self, root: Root, relative: str, stage: str, *, optional: bool = False) -> bytes | None:
        """The bytes of a file, or None, noted unless `optional`."""
        path = self.path(root, relative)
        if path.is_file():
            return path.read_bytes()
        if not optional:
            self.note(root, relative, "does not exist", stage)
        return None

    def json(self, root: Root, relative: str, stage: str, *, optional: bool = False) -> dict[str, Any]:
        """A JSON object; empty when absent or damaged, which is noted."""
        value = self._parsed(root, relative, stage, optional)
        if value is not None and not isinstance(value, dict):
            self.note(root, relative, "holds no JSON object", stage)
            return {}
        return value or {}

    def json_list(self, root: Root, relative: str, stage: str) -> list[dict[str, Any]]:
        """A JSON list of objects; empty when absent or damaged, which is noted."""
        value = self._parsed(root, relative, stage, False)
        if value is not None and not (isinstance(value, list) and all(isinstance(row, dict) for row in value)):
            self.note(root, relative, "holds no JSON list of objects", stage)
            return []
        return value or []

    def _parsed(self, root: Root, relative: str, stage: str, optional: bool) -> Any:
        raw = self.data(root, relative, stage, optional=optional)
        if raw is None:
            return None
        try:
            return json.loads(raw)
        except ValueError as error:
            self.note(root, relative, f"is damaged ({error})", stage)
            return None

    def columns(self, root: Root, relative: str, stage: str) -> dict[str, list[float | str]]:
        """A CSV as columns; a cell that is no finite number stays text. Empty when absent, which is noted."""
        rows = self.rows(root, relative, stage)
        if not rows:
            if self.path(root, relative).is_file():
                self.note(root, relative, "holds no rows", stage)
            return {}
        return {name: [_cell(row.get(name)) for row in rows] for name in rows[0]}

    def rows(self, root: Root, relative: str, stage: str) -> list[dict[str, str]]:
        """A CSV as rows of text (a sequence named 000 keeps its zeros). Empty when absent, which is noted."""
        raw = self.data(root, relative, stage)
        if raw is None:
            return []
        lines = csv.DictReader(io.StringIO(raw.decode("utf-8", "replace")))
        return [{str(name): cell or "" for name, cell in row.items() if name} for row in lines]


def _cell(text: str | None) -> float | str:
    try:
        value = float(text or "")
    except ValueError:
        return text or ""
    return value if math.isfinite(value) else text or ""


def parsed(text: str | None) -> float | None:
    """A CSV cell as a finite number, or None."""
    value = _cell(text)
    return value if isinstance(value, float) else None


def number(value: Any) -> float | None:
    """`value` as a float where it is a finite number (no bool, no text)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def texts(value: Any) -> list[str]:
    """A list of strings from a string, a list or a dict of them: stages write notes and warnings as either."""
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, dict):
        return [f"{name}: {text}" for name, entry in value.items() for text in texts(entry)]
    return [text for entry in value for text in texts(entry)] if isinstance(value, list | tuple) else []
