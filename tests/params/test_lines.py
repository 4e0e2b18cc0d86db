"""A wrong value is found in the file by its line, and a key given twice is not lost in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgan.errors import ParamsError
from dbgan.params import load
from dbgan.params.lines import lines_of

PROJECT = Path(__file__).resolve().parents[2]


def test_every_key_and_item_has_its_line() -> None:
    lines, twice = lines_of("a: 1\nb:\n  - x\n  - {c: 2}\n")
    assert lines == {("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4}
    assert twice == []


def test_an_alias_of_what_holds_it_ends() -> None:
    lines, _ = lines_of("a: &a\n  b: *a\n")
    assert lines[("a", "b")] == 2


def test_an_empty_text_has_no_lines() -> None:
    assert lines_of("# nothing\n") == ({}, [])


def changed(tmp_path: Path, before: str, after: str) -> tuple[Path, int]:
    """The demo's params with one text replaced, and the line it is on."""
    text = (PROJECT / "params.yaml").read_text()
    assert before in text
    path = tmp_path / "params.yaml"
    path.write_text(text.replace(before, after, 1))
    return path, text[: text.index(before)].count("\n") + 1


def test_a_value_out_of_range_names_line_range_and_value(tmp_path: Path) -> None:
    path, line = changed(tmp_path, "warmup: {max_steps: 300, accuracy: 0.97}", "warmup: {max_steps: 300, accuracy: 97}")
    with pytest.raises(ParamsError) as raised:
        load(path)
    assert f"line {line}: bgan.demo.warmup.accuracy: " in str(raised.value)
    assert "(found 97); allowed: a number from 0.0 to 1.0" in str(raised.value)


def test_a_missing_key_names_the_line_of_what_lacks_it(tmp_path: Path) -> None:
    path, line = changed(tmp_path, "phase_real: {steps: 250, lr", "phase_real: {lr")
    with pytest.raises(ParamsError, match=rf"line {line}: bgan\.demo\.phase_real\.steps: Field required"):
        load(path)


def test_a_branch_of_a_union_is_not_shown_as_a_key(tmp_path: Path) -> None:
    path, line = changed(tmp_path, "    variants: 3\n", "    variants: 3\n    camera: {red: [3.0, 2.0]}\n")
    with pytest.raises(ParamsError, match=rf"line {line + 1}: synthesize\.demo\.camera\.red: "):
        load(path)


def test_the_nearest_key_is_looked_for_beside_the_wrong_one(tmp_path: Path) -> None:
    path, line = changed(tmp_path, "layout: gopro", "layuot: gopro, layout: gopro")
    with pytest.raises(ParamsError, match=rf"line {line}: .*layuot: no such key\. Did you mean 'layout'\?"):
        load(path)


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    path, line = changed(tmp_path, "bgan:\n", "samples: {}\nbgan:\n")
    with pytest.raises(
        ParamsError, match=rf"1 key\(s\) given twice\n  line {line}: samples was given before, on line 2"
    ):
        load(path)
