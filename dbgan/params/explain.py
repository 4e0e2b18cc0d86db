"""A wrong value in words: the line and key, what is allowed, what was found, and the nearest right key."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from dbgan.errors import ParamsError
from dbgan.params.describe import allowed, field_at, models_in, walk
from dbgan.params.lines import Key

M = TypeVar("M", bound=BaseModel)

UNION_TAGS = {"constants", "dict[str,str]"}
"""Names of branches that pydantic reports as if they were keys (`params.blur.Camera`, `IngestParams.device`)."""


def validated(model: type[M], values: Any, where: str, lines: Mapping[Key, int] | None = None) -> M:
    """`model` from a dict, or `ParamsError` that lists every wrong key, what was expected and the nearest right key.

    Args:
        model: the parameters expected.
        values: what was read.
        where: the file, or the option, that the values are from.
        lines: the line of each key in that file, from 1 (`dbgan.params.lines.lines_of`).
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ParamsError(f"{where}: {_explain(model, error, lines or {})}") from None


def _explain(model: type[BaseModel], error: ValidationError, lines: Mapping[Key, int]) -> str:
    text = [f"{error.error_count()} wrong value(s)"]
    for problem in error.errors():
        where = _without_tags(problem)
        line = _line_of(where, lines)
        name = f"{'.'.join(map(str, where))}: " if where else ""  # none: what several keys say together
        prefix = f"  line {line}: " if line else "  "
        text.append(f"{prefix}{name}{_what(model, problem)}")
    return "\n".join(text)


def _what(model: type[BaseModel], problem: Any) -> str:
    where = problem["loc"]
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(where[-1]), _neighbours(model, where), 1) or _elsewhere(model, where)
        return "no such key." + (f" Did you mean {near[0]!r}?" if near else "")
    said = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] != "missing" and not isinstance(problem.get("input"), dict):
        said += f" (found {problem.get('input')!r})"
    field = field_at(model, where)
    rule = allowed(field) if field is not None and not _says_all(field, problem) else ""
    return f"{said}; allowed: {rule}" if rule else said


def _says_all(field: FieldInfo, problem: Any) -> bool:
    """Whether pydantic's own words hold everything that is allowed: choices do, and our own validators do."""
    return problem["type"] in ("literal_error", "value_error", "missing") or bool(models_in(field.annotation))


def _without_tags(problem: Any) -> tuple[str | int, ...]:
    """The path as the file has it: pydantic puts the name of a union's branch into it."""
    return tuple(part for part in problem["loc"] if part not in UNION_TAGS and not str(part).startswith("function-"))


def _line_of(where: Sequence[str | int], lines: Mapping[Key, int]) -> int | None:
    """Of the key itself, or of the nearest one above it that the file holds (a missing key has no line)."""
    for length in range(len(where), 0, -1):
        if (line := lines.get(tuple(where[:length]))) is not None:
            return line
    return None


def _neighbours(model: type[BaseModel], where: Sequence[str | int]) -> list[str]:
    """The right keys beside a wrong one."""
    if len(where) == 1:
        return sorted(model.model_fields)
    parent = field_at(model, where[:-1])
    return sorted({name for m in models_in(parent.annotation) for name in m.model_fields}) if parent else []


def _elsewhere(model: type[BaseModel], where: Sequence[str | int]) -> list[str]:
    """The whole path of the nearest right key that stands somewhere else."""
    places: dict[str, str] = {}
    for path, _ in walk(model):
        places.setdefault(path[-1], ".".join(path))
    return [places[name] for name in difflib.get_close_matches(str(where[-1]), sorted(places), 1)]
