"""The reference of params.yaml, made of the models themselves: `dbgan params explain` and docs/params.md print it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from pydantic import BaseModel

from dbgan.params.describe import allowed, default_of, models_in, walk
from dbgan.params.project import Params
from dbgan.project.template import preset


@dataclass(frozen=True, slots=True)
class Entry:
    """One key: its path with NAME where people choose a name, and what may be said of it."""

    path: tuple[str, ...]
    meaning: str
    allowed: str
    default: Any
    """As plain values; `...`: required."""
    paper: tuple[str, ...]
    """What presets/paper.yaml sets it to, `where: value` for each place; empty where it leaves the default."""
    section: bool
    """Whether keys lie below it."""

    @property
    def name(self) -> str:
        """The path as params.yaml would be indexed: `bgan.NAME.training.crop`."""
        return ".".join(self.path)


def entries() -> list[Entry]:
    """Every key of params.yaml, in the order of the models."""
    paper = yaml.safe_load(preset("paper").read_text(encoding="utf-8"))
    made = []
    for path, field in walk(Params):
        below = models_in(field.annotation)
        meaning = field.description or (_summary(below[0]) if below else "")
        values = tuple(f"{'.'.join(at)}: {_short(v)}" for at, v in _values(paper, path)) if not below else ()
        made.append(Entry(path, meaning, allowed(field), default_of(field), values, bool(below)))
    return made


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")


def _values(tree: Any, path: Sequence[str], at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not path:
        yield at, tree
    elif isinstance(tree, dict):
        names = sorted(tree) if path[0] == "NAME" else [path[0]]
        for name in names:
            if name in tree:
                yield from _values(tree[name], path[1:], (*at, name))


def find(all_entries: list[Entry], key: str) -> list[Entry] | str:
    """The entries that `key` names: a whole path, with real names or NAME, or its last parts; or why there is none."""
    if not key:
        return all_entries
    parts = tuple(key.split("."))
    whole = [e for e in all_entries if _matches(e.path, parts)]
    chosen = whole or [e for e in all_entries if e.path[-len(parts) :] == parts]
    if not chosen:
        names = sorted({e.name for e in all_entries} | {e.path[-1] for e in all_entries})
        near = difflib.get_close_matches(key, names, 3, 0.5)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        return f"{key}: no such key of params.yaml.{hint}\nNext: `dbgan params explain` lists them all."
    if whole:
        below = [e for e in all_entries if len(e.path) > len(parts) and _matches(e.path[: len(parts)], parts)]
        return whole + below
    return chosen


def _matches(path: tuple[str, ...], parts: tuple[str, ...]) -> bool:
    return len(path) == len(parts) and all(a in ("NAME", b) for a, b in zip(path, parts, strict=True))


def text_of(entry: Entry, *, short: bool = False) -> str:
    """An entry for the terminal; `short` is one line."""
    default = "required" if entry.default is ... else f"default {_short(entry.default)}"
    if entry.section:
        return f"{entry.name}: {entry.meaning}" if entry.meaning else entry.name
    if short:
        return f"  {entry.name}: {entry.meaning} [{entry.allowed}; {default}]"
    paper = "; ".join(entry.paper) or "the default"
    lines = (entry.name, entry.meaning, f"allowed: {entry.allowed}", default, f"presets/paper.yaml: {paper}")
    return "\n    ".join(line for line in lines if line)


def _short(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, default=str)


def markdown() -> str:
    """docs/params.md: one table per part of params.yaml."""
    lines = [
        "# params.yaml",
        "",
        "Every key, made by `python -m dbgan.project.reference`; `dbgan params explain KEY` prints one.",
        "",
    ]
    head = ["| key | meaning | allowed | default | presets/paper.yaml |", "|---|---|---|---|---|"]
    for entry in entries():
        if len(entry.path) == 1:  # a part of params.yaml: every one is a section
            lines += [f"## {entry.name}", "", entry.meaning, "", *head]
        elif not entry.section:
            cells = (f"`{entry.name}`", entry.meaning, entry.allowed, _cell(entry.default), "; ".join(entry.paper))
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(_spaced(lines)) + "\n"


def _cell(default: Any) -> str:
    return "required" if default is ... else f"`{_short(default)}`"


def _spaced(lines: list[str]) -> Iterator[str]:
    """An empty line before each heading, as Markdown wants it."""
    for line in lines:
        if line.startswith("## "):
            yield ""
        yield line


if __name__ == "__main__":
    print(markdown(), end="")
