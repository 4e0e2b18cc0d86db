"""`dbgan params check` finds what `dvc repro` would end on in DVC's bare words; ingest tells it of its own source."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from dbgan.cli import app
from dbgan.params import load
from dbgan.project.new import new
from pipelines.stage import say_without_decisions


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    new(tmp_path / "p", "demo")
    monkeypatch.chdir(tmp_path / "p")
    return tmp_path / "p"


def add(project: Path, name: str, root: str) -> None:
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["sources"][name] = {
        "use": "train",
        "root": root,
        "ingest": {"layout": "captures"},
        "curate": {"min_side": 64},
    }
    (project / "params.yaml").write_text(yaml.safe_dump(values))


def checked() -> tuple[int, str]:
    result = CliRunner().invoke(app, ["params", "check"])
    return result.exit_code, result.output + str(result.exception or "")


def test_a_new_project_is_fine(project: Path) -> None:
    code, said = checked()
    assert code == 0, said
    assert "params.yaml: fine; 5 sources" in said


def test_a_source_without_decisions_or_raw_folder_is_named_with_what_to_do(project: Path) -> None:
    add(project, "phone", "raw/phone")
    code, said = checked()
    assert code == 1
    assert "datasets/reviews/phone.csv: no such file" in said
    assert "echo key,decision,note > datasets/reviews/phone.csv" in said
    assert "raw/phone: no such folder" in said
    assert "demo-gopro" not in said  # its raw folder is what the stage `sample` makes
    (project / "raw/phone").mkdir(parents=True)
    (project / "datasets/reviews/phone.csv").write_text("key,decision,note\na/1,perhaps,\n")
    code, said = checked()
    assert code == 1
    assert "expected the decision keep or drop, found 'perhaps'" in said
    (project / "datasets/reviews/phone.csv").write_text("key,decision,note\n")
    assert checked()[0] == 0


def test_a_folder_that_dvc_can_fetch_is_not_missing(project: Path) -> None:
    add(project, "phone", "datasets/raw/phone")
    (project / "datasets/reviews/phone.csv").write_text("")
    assert checked()[0] == 1
    (project / "datasets/raw").mkdir(parents=True, exist_ok=True)
    (project / "datasets/raw/phone.dvc").write_text("outs:\n- path: phone\n")
    assert checked()[0] == 0


def test_a_project_without_a_test_source_needs_an_empty_folder_in_its_place(project: Path) -> None:
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["sources"] = {name: source for name, source in values["sources"].items() if source["use"] == "train"}
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    load(project / "params.yaml")
    code, said = checked()
    assert code == 1
    assert "datasets/test: no such folder, and no source has `use: test`" in said
    assert "mkdir -p datasets/test" in said
    (project / "datasets/test").mkdir()
    assert checked()[0] == 0


def test_ingest_tells_a_source_whose_curation_dvc_would_not_start(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say_without_decisions("demo-gopro")
    assert capsys.readouterr().out == ""
    say_without_decisions("phone")
    said = capsys.readouterr().out
    assert "phone: no datasets/reviews/phone.csv" in said
    assert "Next: echo key,decision,note > datasets/reviews/phone.csv\n" in said
