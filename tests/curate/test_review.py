"""People's decisions: read exactly, obeyed before every rule, and refused in words when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgan.corpus.selection import read_selection
from dbgan.curate import curate, rules
from dbgan.curate.review import Decision, read_decisions
from dbgan.errors import ParamsError
from dbgan.params import CurateParams, Limits
from tests.curate.test_rules import rows
from tests.tiny_corpora import Tiny, moved, scene, write

LINES = "key,decision,note\ns/000,drop,a finger\ns/001,keep,\n"


def test_decisions_are_read_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "phone.csv"
    path.write_text("\ufeff" + LINES + "\n")
    assert read_decisions(path) == {"s/000": Decision(False, "a finger"), "s/001": Decision(True, "")}
    for empty in ("", "key,decision,note\n"):
        path.write_text(empty)
        assert read_decisions(path) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,decision\n", ":1: expected the heading key,decision,note"),
        ("key,decision,note\na/0,maybe,\n", ":2: a/0: expected the decision keep or drop, found 'maybe'"),
        ("key,decision,note\na/0,drop\n", ":2: expected 3 cells"),
        (LINES + "s/000,keep,\n", ":4: s/000 was decided before"),
    ],
)
def test_a_damaged_file_is_refused_by_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "phone.csv"
    path.write_text(text)
    with pytest.raises(ParamsError, match=r"phone\.csv") as raised:
        read_decisions(path)
    assert expected in str(raised.value)


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="echo key,decision,note >"):
        read_decisions(tmp_path / "phone.csv")


def test_people_come_before_rules() -> None:
    params = CurateParams(limits={"blur_sharpness": Limits(max=0.01)})
    decisions = {"s/000": Decision(False, "a finger"), "s/001": Decision(True, "")}
    drops = rules.apply(rows(blur_sharpness=[0.001, 0.5, 0.5]), params, decisions)
    assert {key: drop.rule for key, drop in drops.items()} == {"s/000": "review", "s/002": "limits"}
    assert drops["s/000"].reason == "dropped by hand: a finger"


def test_the_selection_follows_the_file(tmp_path: Path) -> None:
    samples = [Tiny(f"a/{i}", {"blur": moved(scene(i), 9)}) for i in range(3)]
    corpus = write(tmp_path / "phone", "blurry", samples).path
    reviews, selection = tmp_path / "phone.csv", tmp_path / "phone.selection.parquet"
    reviews.write_text("key,decision,note\na/1,drop,dust\nb/9,drop,gone\n")
    params = CurateParams(min_side=64)
    summary = curate("phone", params, corpus, selection, tmp_path / "report", "train", reviews)
    assert read_selection(selection).set_index("key")["keep"].to_dict() == {"a/0": True, "a/1": False, "a/2": True}
    assert any("decides on 1 keys that the corpus does not have, such as b/9" in note for note in summary.notes)
