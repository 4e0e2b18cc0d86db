"""What docs/training.md and docs/cluster.md run by hand in a finished project: they measure, and write nothing."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from dbgan.train import profile
from tests.documents.reading import runnable
from tests.pipelines.conftest import Project

pytestmark = pytest.mark.slow

PAGES = ("docs/training.md", "docs/cluster.md")


def files(root: Path) -> dict[str, int]:
    kept = (path for path in root.rglob("*") if path.is_file() and ".dbgan" not in path.parts)
    return {str(path.relative_to(root)): path.stat().st_mtime_ns for path in kept if "__pycache__" not in path.parts}


def test_what_the_pages_on_training_and_clusters_run_by_hand(
    finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, for the imports; profiles last half a second instead of a minute."""
    project = finished.copy(tmp_path / "project")
    monkeypatch.chdir(project.root)
    monkeypatch.delenv("DBGAN_STATE")
    monkeypatch.setitem(profile.profile.__kwdefaults__, "seconds", 0.5)
    before, said = files(project.root), []
    for page in PAGES:
        for command in runnable(page):
            words = command.text.replace("NAME", "demo").split()
            assert words[:2] == ["python", "-m"]
            monkeypatch.setattr(sys, "argv", words[2:])
            module = importlib.import_module(words[2])
            module.main(module.run)
            said.append(capsys.readouterr().out)
    assert len(said) == 3
    assert all("ms per step" in text for text in said[:2])
    assert "pairs" in said[2]
    assert files(project.root) == before
