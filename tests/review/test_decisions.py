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


def test_the_file_is_sorted_by_key_whatever_the_order_of_decisions(tmp_path: Path) -> None:
    write_decisions(tmp_path / "x.csv", {"b/1": Decision("keep"), "a/1": Decision("drop", "dark")})
    assert (tmp_path / "x.csv").read_bytes() == b"key,decision,note\na/1,drop,dark\nb/1,keep,\n"
    write_decisions(tmp_path / "y.csv", {"a/1": Decision("drop", "dark"), "b/1": Decision("keep")})
    assert (tmp_path / "x.csv").read_bytes() == (tmp_path / "y.csv").read_bytes()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("key,decision\na/1,drop\n", "line 1: expected the header key,decision,note"),
        ("key,decision,note\na/1,maybe,\n", "line 2: expected key, keep or drop, note, found 'a/1,maybe,'"),
        ("key,decision,note\na/1,keep,\na/1,drop,\n", "line 3: expected each key once, found 'a/1'"),
        ("key,decision,note\na/1,keep,a,b\n", "line 2"),
        ("key,decision,note\na/1,keep,\xff\n", "expected UTF-8"),
    ],
)
def test_a_damaged_file_is_refused_by_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "x.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(DbganError, match=words):
        read_decisions(tmp_path / "x.csv")
