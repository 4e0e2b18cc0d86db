"""A wrong value in words: which key, what was expected, and the nearest right key."""

from __future__ import annotations

import difflib
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from dbgan.errors import ParamsError

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], values: Any, where: str) -> M:
    """`model` from a dict, or `ParamsError` that lists every wrong key, what was expected and the nearest right key."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ParamsError(f"{where}: {_explain(model, error)}") from None


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    lines = [f"{error.error_count()} wrong value(s)"]
    for problem in error.errors():
        path = ".".join(str(part) for part in problem["loc"]) or "(whole)"
        line = f"  {path}: {problem['msg']}"
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(problem["loc"][-1]), sorted(_all_fields(model)), 1)
            line = f"  {path}: no such key." + (f" Did you mean {near[0]!r}?" if near else "")
        elif problem["type"] != "missing" and not isinstance(problem.get("input"), dict):
            line += f" (found {problem.get('input')!r})"
        lines.append(line)
    return "\n".join(lines)


def _all_fields(model: type[BaseModel]) -> set[str]:
    """Field names of the model and of every model below it."""
    names, queue, seen = set[str](), [model], set[type]()
    while queue:
        current = queue.pop()
        seen.add(current)
        for name, info in current.model_fields.items():
            names.add(name)
            queue.extend(m for m in _models_in(info.annotation) if m not in seen)
    return names


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models_in(part)]
