"""Types of columns: what is coerced and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from dbgan.corpus.columns import coerce, json_columns, manifest_columns, measure_columns

COLUMNS = {"name": "text", "number": "float", "count": "int32", "flag": "flag", "sum": "digest", "noise": "floats"}
VALUES = {"name": "a", "number": 1, "count": np.int64(3), "flag": np.bool_(True), "sum": "00" * 32, "noise": (1, 2)}


def test_whole_floats_become_floats_and_numpy_scalars_python_numbers() -> None:
    made = coerce(VALUES, COLUMNS, (), "x")
    assert made == {"name": "a", "number": 1.0, "count": 3, "flag": True, "sum": bytes(32), "noise": [1.0, 2.0]}
    assert [type(value) for value in made.values()] == [str, float, int, bool, bytes, list]
    assert list(made) == list(COLUMNS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", None),
        ("name", 1),
        ("number", "1"),
        ("number", True),
        ("number", float("inf")),
        ("count", 1.0),
        ("count", True),
        ("flag", 1),
        ("sum", bytes(31)),
        ("noise", "12"),
        ("noise", [float("nan")]),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"x: {name}: expected {COLUMNS[name]}, found"):
        coerce({**VALUES, name: value}, COLUMNS, (), "x")


def test_only_nullable_columns_may_be_absent() -> None:
    assert coerce({}, {"a": "float"}, ("a",), "x") == {"a": None}
    with pytest.raises(ValueError, match=r"x: missing \['a'\], unknown \['b'\]"):
        coerce({"b": 1}, {"a": "float"}, (), "x")


def test_the_json_member_holds_no_measures_and_no_digests() -> None:
    for synthesized in (False, True):
        names = set(json_columns("paired", synthesized))
        assert names < set(manifest_columns("paired", synthesized))
        assert not names & set(measure_columns("paired"))
        assert "digest" not in json_columns("paired", synthesized).values()
