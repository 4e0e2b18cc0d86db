"""dvc.yaml as DVC itself resolves it: which stages there are, and what each watches."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbgan.params import load
from tests.conftest import PROJECT


def resolved(root: Path, values: dict[str, Any]) -> dict[str, set[str]]:
    """Stage -> paths of its dependencies, in a project of these params."""
    Repo = pytest.importorskip("dvc.repo").Repo
    shutil.copy(PROJECT / "dvc.yaml", root)
    (root / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    with Repo.init(str(root), no_scm=True) as repo:
        return {stage.name: {dep.def_path for dep in stage.deps} for stage in repo.index.stages}


def demo() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((PROJECT / "params.yaml").read_text())
    return values


def test_a_kernel_only_corpus_names_no_generator_and_waits_for_no_training(tmp_path: Path) -> None:
    values = demo()
    values["blur"] = {"shaken": {"sharp": ["demo-gopro"], "model": "kernel"}}

    stages = resolved(tmp_path, values)

    assert load(tmp_path / "params.yaml").synthetic.keys() == {"demo", "shaken"}
    assert "datasets/train" in stages["blur@shaken"]
    assert not any(dep.startswith("models") for dep in stages["blur@shaken"])
    assert "models/bgan/demo" in stages["synthesize@demo"]


def test_constants_of_cameras_are_made_by_a_stage_that_blurring_waits_for(tmp_path: Path) -> None:
    values = demo()
    values["calibrate"] = {"demo-phones": {}}
    values["synthesize"]["demo"]["camera"] = "datasets/train/demo-phones.cameras.json"

    stages = resolved(tmp_path, values)
    with pytest.importorskip("dvc.repo").Repo(str(tmp_path)) as repo:
        graph = repo.index.graph
        order = {stage.name: {other.name for other in graph.successors(stage)} for stage in graph}

    assert load(tmp_path / "params.yaml").calibrate.keys() == {"demo-phones"}
    assert "datasets/train/demo-phones" in stages["calibrate@demo-phones"]
    assert "calibrate@demo-phones" in order["synthesize@demo"]


@pytest.mark.parametrize("preset", ["params.yaml", "presets/paper.yaml", "presets/real-small.yaml"])
def test_every_preset_resolves(tmp_path: Path, preset: str) -> None:
    stages = resolved(tmp_path, yaml.safe_load((PROJECT / preset).read_text()))

    assert any(name.startswith("synthesize@") for name in stages)
