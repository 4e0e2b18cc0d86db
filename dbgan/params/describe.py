"""What a parameter is, in words: its type, what is allowed, its default, and what the paper's preset sets it to."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Len, Lt, MaxLen, MinLen, MultipleOf
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dbgan.params.base import NAME

KINDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
}


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The parameter models that a value of this type may be or hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in get_args(annotation) for m in models_in(part)]


def field_at(model: type[BaseModel], path: Sequence[str | int]) -> FieldInfo | None:
    """The field that a path of params.yaml leads to; names of dicts and positions of lists are skipped."""
    field: FieldInfo | None = None
    models = [model]
    for part in path:
        found = next((m.model_fields[str(part)] for m in models if str(part) in m.model_fields), None)
        if found is not None:
            field = found
            models = models_in(found.annotation)
        elif field is None:
            return None
    return field


def allowed(field: FieldInfo) -> str:
    """What a field's value may be: "a whole number from 32 to 1024, a multiple of 32"."""
    return _kind(field.annotation, tuple(field.metadata))


def _kind(annotation: Any, metadata: tuple[Any, ...]) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(parts[0], (*parts[1:], *metadata))
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_kind(part, metadata) for part in parts))
    if origin is Literal:
        return ", ".join(str(part) if part != "" else '""' for part in parts)
    if origin is list:
        return f"a list{_limits(metadata)} of {_kind(parts[0], ())}"
    if origin is tuple:
        if parts[-1] is Ellipsis:
            return f"a list{_limits(metadata)} of {_kind(parts[0], ())}"
        same = len({repr(part) for part in parts}) == 1
        inside = _kind(parts[0], ()) if same else ", ".join(_kind(part, ()) for part in parts)
        return f"a list of {len(parts)}: {inside}"
    if origin is dict:
        return f"a mapping of {_kind(parts[0], ())} to {_kind(parts[1], ())}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a mapping with the keys {', '.join(annotation.model_fields)}"
    if annotation is type(None):
        return "null"
    if annotation is str and _limits(metadata) == f", matching {NAME}":
        return "a name of letters, digits, _ and -"
    return KINDS.get(annotation, str(getattr(annotation, "__name__", annotation))) + _limits(metadata)


def _limits(metadata: tuple[Any, ...]) -> str:
    low = high = ""
    more: list[str] = []
    for rule in metadata:
        for one in rule.metadata if isinstance(rule, FieldInfo) else (rule,):
            if isinstance(one, Ge):
                low = f"from {one.ge}"
            elif isinstance(one, Gt):
                low = f"over {one.gt}"
            elif isinstance(one, Le):
                high = f"to {one.le}" if low.startswith("from") else f"at most {one.le}"
            elif isinstance(one, Lt):
                high = f"under {one.lt}"
            elif isinstance(one, MultipleOf):
                more.append(f"a multiple of {one.multiple_of}")
            elif isinstance(one, MinLen | Len) and (one.min_length or 0) > 0:
                more.append(f"at least {one.min_length}")
            elif isinstance(one, MaxLen):
                more.append(f"at most {one.max_length}")
            elif pattern := getattr(one, "pattern", None):
                more.append(f"matching {pattern}")
    band = " ".join(part for part in (low, high) if part)
    if low and not high and low.startswith("from"):
        band += " up"
    return (f" {band}" if band else "") + "".join(f", {rule}" for rule in more)


def default_of(field: FieldInfo) -> Any:
    """The default as plain YAML values; `...` where the field is required."""
    if field.is_required():
        return ...
    value = field.get_default(call_default_factory=True)
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def walk(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every field below a model with its path; NAME stands where people choose the name."""
    for name, field in model.model_fields.items():
        here = (*path, name)
        yield here, field
        names = ("NAME",) * _dicts(field.annotation)
        for below in models_in(field.annotation):
            yield from walk(below, (*here, *names))


def _dicts(annotation: Any) -> int:
    """How many mappings with names of people's choice lie around the models in `annotation`."""
    if get_origin(annotation) is not dict:
        return 0
    return 1 + _dicts(get_args(annotation)[1])
