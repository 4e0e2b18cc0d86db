"""What of the pipeline was computed, and what DVC gave back from its cache: by machine and run, so on no out's page.

DVC itself keeps no record of it. Known are: when each stage ran here (`dbgan.ran`), which results are in place
(dvc.lock) and when each of them was first made on this machine (DVC's run cache, whose files are written after a run
and not when a result is given back). A result that is older than its stage's last run was given back.
"""

from __future__ import annotations

import configparser
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import yaml

from dbgan.ran import Ran
from dbgan.report.graph import Stage, draw
from dbgan.templating import rendered

State = Literal["computed", "unchanged", "given back", "absent"]

STATES: dict[State, str] = {
    "computed": "its command ran in the last `dvc repro` that ran anything (or by hand since)",
    "unchanged": "computed on this machine earlier, and nothing that it depends on has changed since",
    "given back": "not computed by its last run here: DVC took an earlier result from its cache, or pulled it",
    "absent": "it has not run yet, or its files are gone",
}
SLACK_S = 0.1
"""Clocks of files and of processes may differ by so much; a result is written after its stage has begun."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a stage.

    Attributes:
        name: as DVC names it, such as `evaluate@plus`.
        state: what became of it.
        made: when the result in place was made here, seconds since 1970; None where nobody knows.
        seconds: how long its last run took; None where the result is not from that run.
    """

    name: str
    state: State
    made: float | None = None
    seconds: float | None = None

    @property
    def stage(self) -> str:
        """Its stage."""
        return self.name.partition("@")[0]

    @property
    def when(self) -> str:
        """`made` in words, UTC."""
        return "" if self.made is None else f"{datetime.fromtimestamp(self.made, UTC):%Y-%m-%d %H:%M:%S} UTC"


def names(found: list[Stage]) -> list[str]:
    """All items of the graph, as DVC names them."""
    return [f"{stage.name}@{item}" if item else stage.name for stage in found for item in stage.items]


def told(found: list[Stage], known: list[Item]) -> dict[str, tuple[str, str]]:
    """Stage -> CSS class of its box and the words in it."""
    said = {}
    for stage in found:
        count = Counter(item.state for item in known if item.stage == stage.name)
        worst = next((state for state in ("absent", "computed", "given back") if count[state]), "")
        style = {"absent": "lack", "computed": "computed", "given back": "back"}.get(worst, "")
        parts = [f"{count[state]} {state}" if len(stage.items) > 1 else state for state in STATES if count[state]]
        said[stage.name] = (style, ", ".join(parts))
    return said


def page(found: list[Stage], known: list[Item]) -> bytes:
    """The page of the run: the graph with what was cached, and a row per item."""
    content = {"headline": headline(known), "drawn": draw(found, told(found, known)), "states": STATES, "items": known}
    return rendered("dbgan.report", "run.html.j2", content)


def headline(known: list[Item]) -> str:
    """`5 of 33 items were computed in the last run; 28 unchanged`."""
    count = Counter(item.state for item in known)
    rest = ", ".join(f"{count[state]} {state}" for state in STATES if state != "computed" and count[state])
    return f"{count['computed']} of {len(known)} items were computed in the last run" + (f"; {rest}" if rest else "")


def items(project: Path, names: list[str], marks: Mapping[str, Ran]) -> list[Item]:
    """What became of every item.

    Args:
        project: folder of dvc.yaml.
        names: items as DVC names them, in the order wanted.
        marks: `dbgan.ran.marks()`.
    """
    file = project / "dvc.lock"
    locked = (yaml.safe_load(file.read_bytes()) or {}).get("stages", {}) if file.is_file() else {}
    made = _made(project)
    newest = max(marks.values(), key=lambda mark: mark.started, default=None)
    return [_item(project, name, locked.get(name), marks.get(name), made, newest) for name in names]


def _item(
    project: Path,
    name: str,
    lock: Mapping[str, Any] | None,
    mark: Ran | None,
    made: Mapping[tuple[str, ...], float],
    newest: Ran | None,
) -> Item:
    if lock is None or not all((project / out["path"]).exists() for out in lock.get("outs", ())):
        return Item(name, "absent")
    first = made.get(_key(lock))
    if mark is None or (first is not None and first < mark.started - SLACK_S):
        return Item(name, "given back", first)
    last = newest is not None and (mark == newest or (mark.session == newest.session != ""))
    return Item(name, "computed" if last else "unchanged", mark.started + mark.seconds, mark.seconds)


def _made(project: Path) -> dict[tuple[str, ...], float]:
    """Result -> when it was made here, from DVC's run cache (stages with `persist` outs are not in it)."""
    found: dict[tuple[str, ...], float] = {}
    for file in (_cache(project) / "runs").glob("*/*/*"):
        try:
            key, time = _key(yaml.safe_load(file.read_bytes())), file.stat().st_mtime
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
            continue  # DVC is writing it, or it is none of its entries
        found[key] = max(time, found.get(key, 0.0))
    return found


def _key(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """What an entry of dvc.lock or of the run cache ran, and what that left."""
    return str(entry["cmd"]), *sorted(f"{out['path']} {out.get('md5')}" for out in entry.get("outs", ()))


def _cache(project: Path) -> Path:
    """DVC's cache: `cache.dir` of .dvc/config.local or .dvc/config, else .dvc/cache."""
    for name in ("config.local", "config"):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read(project / ".dvc" / name, encoding="utf-8")
        except configparser.Error:
            continue
        if parser.has_option("cache", "dir"):
            return project / ".dvc" / parser.get("cache", "dir").strip("'\"")
    return project / ".dvc" / "cache"
