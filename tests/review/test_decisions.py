"""The file of decisions: what is written is what is read, in one order, and damage is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgan.errors import DbganError
from dbgan.review.decisions import Decision, read_decisions, write_decisions

DECIDED = {"b/2": Decision("keep"), "a/10": Decision("drop", 'a "quoted", note\nof two lines: naïve')}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_decisions(tmp_path / "x.csv", DECIDED)
    assert read_decisions(tmp_path / "x.csv") == DECIDED
    assert read_decisions(tmp_path / "none.csv") == {}
    (tmp_path / "empty.csv").touch()
    assert read_decisions(tmp_path / "empty.csv") == {}


def test_the_file_is_sorted_by_key_whatever_the_order_of_decisions(tmp_path: Path) -> None:
    write_decisions(tmp_path / "x.csv", {"b/1": Decision("keep"), "a/1": Decision("drop", "dark")})
    assert (tmp_path / "x.csv").read_bytes() == b"key,decision,note\na/1,drop,dark\nb/1,keep,\n"
    write_decisions(tmp_path / "y.csv", {"a/1": Decision("drop", "dark"), "b/1": Decision("keep")})
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "y.csv").read_bytes()


def test_a_damaged_file_is_refused_by_line(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("key,decision,note\na/1,keep,\na/2,maybe,\n")
    with pytest.raises(DbganError, match=r"x\.csv:3: a/2: expected the decision keep or drop, found 'maybe'"):
        read_decisions(tmp_path / "x.csv")
