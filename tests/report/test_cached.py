"""What DVC computed and what it gave back, found from its own files after real runs of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dbgan.ran import Ran, marks
from dbgan.report import cached
from dbgan.report.graph import stages
from tests.conftest import PROJECT

GRAPH = """
stages:
  first:
    cmd: python step.py first.txt number
    deps: [step.py]
    params: [number]
    outs: [first.txt]
  second:
    cmd: python step.py second.txt other
    deps: [first.txt]
    params: [other]
    outs: [second.txt]
  third:
    cmd: python step.py third.txt number
    deps: [step.py]
    outs: [third.txt]
"""
STEP = """
import sys
from pathlib import Path
from dbgan.ran import noted
with noted():
    values = dict(line.split(": ") for line in Path("params.yaml").read_text().splitlines())
    Path(sys.argv[1]).write_text("third" if "third" in sys.argv[1] else values[sys.argv[2]])
"""


def test_computed_unchanged_given_back_and_absent_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path / ".dbgan"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "PYTHONPATH": str(PROJECT), "PATH": path}

    def dvc(*arguments: str) -> None:
        subprocess.run(["dvc", *arguments], cwd=tmp_path, env=environment, check=True, capture_output=True)

    def found(number: int, other: int) -> dict[str, str]:
        (tmp_path / "params.yaml").write_text(f"number: {number}\nother: {other}\n")
        dvc("repro", "-q")
        return states()

    def states() -> dict[str, str]:
        names = cached.names(stages(tmp_path, {}, "nothing"))
        return {item.name: item.state for item in cached.items(tmp_path, names, marks())}

    (tmp_path / "dvc.yaml").write_text(GRAPH)
    (tmp_path / "step.py").write_text(STEP)
    dvc("init", "-q", "--no-scm")
    assert states() == dict.fromkeys(("first", "second", "third"), "absent")
    assert found(1, 1) == dict.fromkeys(("first", "second", "third"), "computed")
    sessions = {mark.session for mark in marks().values()}
    assert len(sessions) == 1
    assert sessions != {""}
    assert found(2, 1) == {"first": "computed", "second": "computed", "third": "unchanged"}
    # back to the first number, whose results DVC has; only what another parameter asks for is computed
    assert found(1, 3) == {"first": "given back", "second": "computed", "third": "unchanged"}
    (tmp_path / "third.txt").unlink()
    assert states()["third"] == "absent"


def test_the_page_of_the_run_draws_and_lists_it(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(GRAPH)
    found = stages(tmp_path, {}, "nothing")
    known = [
        cached.Item("first", "given back", 0.0),
        cached.Item("second", "computed", 1.5, 2.25),
        cached.Item("third", "absent"),
    ]
    page = cached.page(found, known).decode()
    assert "<h1>1 of 3 items were computed in the last run; 1 given back, 1 absent.</h1>" in page
    for style, state in (("back", "given back"), ("computed", "computed"), ("lack", "absent")):
        box = page.split(f'<g class="stage-box {style}">')[1].split("</g>")[0]
        assert f">{state}</text>" in box
    assert '<th scope="row">first</th><td>given back</td><td>1970-01-01 00:00:00 UTC</td><td></td>' in page
    assert '<th scope="row">second</th><td>computed</td><td>1970-01-01 00:00:01 UTC</td><td>2.2</td>' in page
    assert "http" not in page


def test_a_stage_that_never_ran_here_was_given_back(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("pulled")
    (tmp_path / "dvc.lock").write_text("stages: {a: {cmd: run, outs: [{path: out, md5: x}]}}")
    assert [item.state for item in cached.items(tmp_path, ["a"], {})] == ["given back"]
    mark = Ran("a", 5.0, 2.0, "")
    (item,) = cached.items(tmp_path, ["a"], {"a": mark})
    assert (item.state, item.made, item.seconds) == ("computed", 7.0, 2.0)


def test_the_cache_is_found_where_dvc_was_told_to_put_it(tmp_path: Path) -> None:
    assert cached._cache(tmp_path) == tmp_path / ".dvc/cache"
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(
        "[core]\n    remote = r\n[cache]\n    dir = ../big\n['remote \"r\"']\n    url = s3://x\n"
    )
    assert cached._cache(tmp_path) == tmp_path / ".dvc/../big"
