"""`dbgan new`: a project that works with the installed package alone, and its graph beside the root's."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbgan.errors import DbganError, ParamsError
from dbgan.params import load
from dbgan.project.new import graph, new, outdated
from dbgan.project.revisions import BUILDERS, FILE, check, revisions, write_revisions
from dbgan.project.template import PRESETS

PROJECT = Path(__file__).resolve().parents[2]


def entries(text: str) -> dict[str, dict[str, Any]]:
    return {name: stage.get("do", stage) for name, stage in yaml.safe_load(text)["stages"].items()}


def test_the_graph_equals_the_root_s_but_for_code_folders_that_became_revisions() -> None:
    text = (PROJECT / "dvc.yaml").read_text()
    root, made = entries(text), entries(graph(text))
    assert list(made) == list(root)
    for name, stage in root.items():
        code = [dep for dep in stage["deps"] if str(dep).startswith("dbgan/")]
        deps = [dep for dep in stage["deps"] if dep not in code]
        assert code, name
        assert made[name] == stage | {"deps": deps, "params": [{FILE: [name]}, *stage["params"]]}
    assert {k: v for k, v in yaml.safe_load(graph(text)).items() if k != "stages"} == {
        k: v for k, v in yaml.safe_load(text).items() if k != "stages"
    }


def test_every_stage_has_an_entry_in_revisions() -> None:
    assert set(revisions()) == set(yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"])
    assert set(BUILDERS) < set(revisions())


def test_revisions_are_those_of_the_builders_themselves() -> None:
    from dbgan.blur.kernel_blur import KernelBlur
    from dbgan.ingest.build import REVISION as INGEST
    from dbgan.train.bgan import REVISION as BGAN

    made = revisions()
    assert made["ingest"]["ingest.build"] == INGEST
    assert made["train_bgan"]["train.bgan"] == BGAN
    assert made["synthesize"]["blur.kernel_blur"] == KernelBlur.revision


@pytest.mark.parametrize("preset", PRESETS)
def test_a_new_project_holds_valid_params_and_all_that_dvc_needs(preset: str, tmp_path: Path) -> None:
    written = new(tmp_path / "a project", preset)
    root = tmp_path / "a project"
    params = load(root / "params.yaml")
    assert {f"datasets/reviews/{name}.csv" for name in params.sources} <= set(written)
    assert {"dvc.yaml", FILE, ".gitignore", ".dvcignore", ".dvc/config", "pipelines/ingest.py"} <= set(written)
    assert outdated(root) == []
    cards = [card.read_text() for card in (root / "datasets").glob("*.md")]
    assert cards
    assert not any("](../" in card for card in cards), "a card links to documents that a project does not hold"


def test_a_folder_with_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DbganError, match=r"expected an empty folder; found thesis\.txt"):
        new(tmp_path, "demo")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_unknown_preset_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="demo, paper, real-small"):
        new(tmp_path / "p", "papr")


def test_a_stage_of_a_project_of_another_version_stops_with_the_command_that_mends_it(tmp_path: Path) -> None:
    write_revisions(tmp_path)
    check(tmp_path)
    path = tmp_path / FILE
    values = yaml.safe_load(path.read_text())
    values["ingest"]["ingest.build"] += 1
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ParamsError, match=r"\(ingest differ\)\.\nNext: dbgan revisions"):
        check(tmp_path)
    assert write_revisions(tmp_path) is True
    assert write_revisions(tmp_path) is False
    check(tmp_path)


@pytest.mark.slow
def test_the_wheel_carries_what_a_project_starts_from(tmp_path: Path) -> None:
    """Built from this tree, installed by unpacking: `dbgan new` works without the repository."""
    pytest.importorskip("hatchling")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=PROJECT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-m", "dbgan", "new", "project", "--preset", "paper"],
        cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert entries((tmp_path / "project/dvc.yaml").read_text()) == entries(graph((PROJECT / "dvc.yaml").read_text()))
    cards = {card.name for card in (PROJECT / "datasets").glob("*.md")}
    assert {card.name for card in (tmp_path / "project/datasets").glob("*.md")} == cards
    # nothing of a checkout's data came along
    assert not [n for n in zipfile.ZipFile(wheel).namelist() if n.endswith((".tar", ".parquet", ".png"))]
