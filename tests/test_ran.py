"""Marks of stages that ran: by DVC or by hand, and none of what failed or only answered."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dbgan.files import state_dir
from dbgan.ran import marks, noted


@pytest.fixture(autouse=True)
def by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path))
    monkeypatch.delenv("DVC_STAGE", raising=False)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["/project/pipelines/evaluate.py", *arguments])
    with noted():
        pass


def test_a_stage_run_by_hand_is_named_as_dvc_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    call(monkeypatch, "plus")
    (mark,) = marks().values()
    assert (mark.stage, mark.session) == ("evaluate@plus", "")
    assert mark.seconds >= 0


def test_dvcs_own_name_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "sub/dvc.yaml:blur@disk")
    call(monkeypatch, "disk")
    assert list(marks()) == ["blur@disk"]


def test_a_question_and_a_failure_leave_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    call(monkeypatch, "--table")
    with pytest.raises(SystemExit), noted():
        raise SystemExit(1)
    assert marks() == {}


def test_a_damaged_mark_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    call(monkeypatch, "plus")
    (state_dir() / "runs/other.json").write_text("{broken")
    (state_dir() / "runs/older.json").write_text('{"stage": "older"}')
    assert list(marks()) == ["evaluate@plus"]
