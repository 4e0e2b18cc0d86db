"""The pipeline's graph as inline SVG, from dvc.yaml: which stage reads what another leaves, and what is there.

On the report, what DVC took from its cache is not said: that differs from run to run, and equal inputs give equal
pages. The page of the run (`cached`) draws the same graph with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from markupsafe import Markup, escape

WIDTH, BOX_WIDTH, BOX_HEIGHT, ROW = 620, 178, 44, 74


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of dvc.yaml with all its items.

    Attributes:
        name: of the stage.
        about: its `desc`.
        items: what it runs for; one nameless item where it has no `foreach`.
        left: how many of the items have left all their outs; outs that the page's stage does not read count as left.
        reads: stages that make what it reads, without those that another of them reads already.
    """

    name: str
    about: str
    items: tuple[str, ...]
    left: int
    reads: tuple[str, ...]

    @property
    def said(self) -> str:
        """`3 items`, `2 of 3 items left files`."""
        count = len(self.items)
        if self.left < count:
            return f"{self.left} of {count} left files"
        return "" if self.items == ("",) else f"{count} {'item' if count == 1 else 'items'}"


def stages(project: Path, params: Mapping[str, Any], page: str = "reports/index.html") -> list[Stage]:
    """The stages of `project/dvc.yaml` in its order, or none where there is no such file.

    Args:
        project: folder of dvc.yaml, in which outs are looked for.
        params: the run's parameters as plain data; `foreach` looks names up in them.
        page: the out of the stage that draws the graph. Only what it reads is looked for, so that equal inputs give
            equal pages.
    """
    file = project / "dvc.yaml"
    if not file.is_file():
        return []
    made: dict[str, dict[str, list[str]]] = {}
    needed: dict[str, list[str]] = {}
    about: dict[str, str] = {}
    for name, stage in yaml.safe_load(file.read_text(encoding="utf-8"))["stages"].items():
        body, items = stage.get("do", stage), _items(stage.get("foreach"), params)
        if items:
            made[name] = {
                key: [_filled(path, key, item) for path in _paths(body, "outs")] for key, item in items.items()
            }
            needed[name] = [_filled(path, key, item) for key, item in items.items() for path in _paths(body, "deps")]
            about[name] = str(body.get("desc", ""))
    watched = [path for name, outs in made.items() if [page] in outs.values() for path in needed[name]]

    def is_left(path: str) -> bool:
        return not any(_meet(path, other) for other in watched) or (project / path).exists()

    found: list[Stage] = []
    above: dict[str, set[str]] = {}
    for name, outs in made.items():
        # Stages above it only: a graph has no cycles, and dvc.yaml is written from the top.
        reads = [
            o for o in above if any(_meet(a, b) for a in needed[name] for paths in made[o].values() for b in paths)
        ]
        above[name] = set(reads).union(*(above[other] for other in reads))
        direct = tuple(r for r in reads if not any(r in above[other] for other in reads))
        left = sum(all(map(is_left, paths)) for paths in outs.values())
        found.append(Stage(name, about[name], tuple(outs), left, direct))
    return found


def _items(foreach: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Key -> item of a `foreach: ${dotted.name}`; one nameless item where there is none."""
    if foreach is None:
        return {"": None}
    value: Any = params
    for part in str(foreach).strip("${}").split("."):
        value = value.get(part, {}) if isinstance(value, Mapping) else {}
    return dict(value) if isinstance(value, Mapping) else {str(one): one for one in value}


def _paths(body: Mapping[str, Any], kind: str) -> list[str]:
    return [str(next(iter(one)) if isinstance(one, Mapping) else one) for one in body.get(kind, ())]


def _filled(path: str, key: str, item: Any) -> str:
    """A path with `${key}`, `${item}` and `${item.name}` put in."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "key":
            return key
        return str(item if name == "item" else item.get(name.removeprefix("item."), ""))

    return re.sub(r"\$\{([^}]+)\}", value, path)


def _meet(first: str, second: str) -> bool:
    """Whether two paths are the same or one lies below the other."""
    a, b = PurePosixPath(first), PurePosixPath(second)
    return a == b or a in b.parents or b in a.parents


def draw(found: list[Stage], told: Mapping[str, tuple[str, str]] | None = None) -> Markup:
    """Boxes in rows, each below all that it reads. Text and lines take the page's colours.

    Args:
        found: stages.
        told: stage -> CSS class of its box and the words in it; which files are there when not given.
    """
    level: dict[str, int] = {}
    for stage in found:
        level[stage.name] = 1 + max((level[name] for name in stage.reads if name in level), default=-1)
    rows = [[s.name for s in found if level[s.name] == depth] for depth in range(max(level.values(), default=-1) + 1)]
    places = {
        name: (WIDTH * (i + 0.5) / len(row), depth * ROW + BOX_HEIGHT / 2 + 2)
        for depth, row in enumerate(rows)
        for i, name in enumerate(row)
    }
    label = "; ".join(f"{s.name} reads {', '.join(s.reads) or 'raw files'}" for s in found)
    lines = [_line(places[name], places[s.name]) for s in found for name in s.reads if name in places]
    if told is None:
        told = {s.name: ("lack" if s.left < len(s.items) else "", s.said) for s in found}
    boxes = [_box(s, *places[s.name], *told[s.name]) for s in found]
    height = len(rows) * ROW - ROW + BOX_HEIGHT + 4 if rows else 0
    head = f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">'
    return Markup("".join([head, *lines, *boxes, "</svg>"]))


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    x, y, to_x, to_y = start[0], start[1] + BOX_HEIGHT / 2, end[0], end[1] - BOX_HEIGHT / 2
    middle = (y + to_y) / 2
    return (
        f'<path class="edge" d="M{x:.0f} {y:.0f}C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}"/>'
    )


def _box(stage: Stage, x: float, y: float, kind: str, said: str) -> str:
    title = escape(f"{stage.about}{': ' if any(stage.items) else ''}{', '.join(stage.items)}")
    left, top = x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2
    words = [("name", y if said else y + 5, stage.name), ("said", y + 15, said)]
    texts = [
        f'<text class="{style}" x="{x:.0f}" y="{at:.0f}" text-anchor="middle">{escape(text)}</text>'
        for style, at, text in words
        if text
    ]
    rect = f'<rect x="{left:.0f}" y="{top:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="7"/>'
    box = f"stage-box {kind}".rstrip()
    return f'<g class="{box}"><title>{title}</title>{rect}{"".join(texts)}</g>'
