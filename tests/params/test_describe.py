"""What a parameter may be, said in words."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from dbgan.params.base import Model, Name
from dbgan.params.describe import allowed, default_of, field_at, walk
from dbgan.params.project import Params


class Inner(Model):
    depth: int = Field(1, ge=1, le=9)


class Example(Model):
    count: int = Field(4, ge=2, le=8, multiple_of=2)
    rate: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.5
    least: int | None = Field(None, ge=0)
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    names: list[Name] = Field(min_length=1)
    pair: tuple[float, float] = (0.0, 1.0)
    shares: dict[Name, float] = Field(default_factory=dict)
    inner: Inner = Inner()
    named: dict[Name, dict[Name, Inner]] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("count", "a whole number from 2 to 8, a multiple of 2"),
        ("rate", "a number over 0.0 under 1.0"),
        ("least", "a whole number from 0 up or null"),
        ("kind", "a, b"),
        ("flag", "true or false"),
        ("names", "a list, at least 1 of a name of letters, digits, _ and -"),
        ("pair", "a list of 2: a number"),
        ("shares", "a mapping of a name of letters, digits, _ and - to a number"),
        ("inner", "a mapping with the keys depth"),
    ],
)
def test_what_is_allowed_in_words(field: str, words: str) -> None:
    assert allowed(Example.model_fields[field]) == words


def test_paths_lead_through_names_and_positions() -> None:
    assert field_at(Example, ("named", "x", "y", "depth")) is Inner.model_fields["depth"]
    assert field_at(Example, ("names", 0)) is Example.model_fields["names"]
    assert field_at(Example, ("nothing",)) is None


def test_a_mapping_of_mappings_has_two_names_in_its_path() -> None:
    assert ("named", "NAME", "NAME", "depth") in [path for path, _ in walk(Example)]


def test_defaults_are_plain_values() -> None:
    assert default_of(Example.model_fields["inner"]) == {"depth": 1}
    assert default_of(Example.model_fields["shares"]) == {}
    assert default_of(Example.model_fields["names"]) is ...


def test_every_parameter_says_what_it_is() -> None:
    silent = [".".join(path) for path, field in walk(Params) if not field.description and not _is_section(field)]
    assert silent == []


def _is_section(field: object) -> bool:
    from dbgan.params.describe import models_in

    return bool(models_in(field.annotation))  # type: ignore[attr-defined]
