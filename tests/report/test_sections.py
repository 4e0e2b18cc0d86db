"""What the page prints of parameters and parents."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dbgan.files import sha256_file
from dbgan.report.inputs import Inputs
from dbgan.report.models import started
from dbgan.report.sections import params_text
from tests.report.conftest import Project


def test_what_may_hold_names_of_people_is_not_printed(project: Project) -> None:
    values = project.params.model_dump(mode="json")
    source = values["sources"]["phones"]
    source["ingest"] |= {"device": {"anna/*": "Pixel 8"}}
    values["sources"]["city"]["ingest"] = {"layout": "paired", "blur_glob": "berta/*", "sharp_glob": "carla/*"}
    patterns = {"blur_regex": "(?P<sequence>frida)/(?P<frame>.*)", "sharp_regex": "(?P<sequence>gerd)/(?P<frame>.*)"}
    values["sources"]["train-pairs"]["ingest"] = {"layout": "paired", **patterns}
    source["curate"]["pinned"] = {"dora-walk": "val"}
    values["bgan"]["demo"]["perceptual"] = {"weights": "/home/emil/vgg.pth"}
    values["audit"]["demo"]["features"] = {"weights": "/home/emil/vgg.pth"}
    said = params_text(type(project.params).model_validate(values))
    assert [
        name for name in ("anna", "berta", "carla", "dora", "emil", "frida", "gerd", "private-name") if name in said
    ] == []
    assert "Pixel 8" in said
    assert "val: 1" in said


def test_a_parent_is_named_with_its_digest_and_a_changed_parent_is_said(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[Path] = []
    inputs = Inputs(project.root / "reports", project.root / "models", project.root / "datasets")
    weights = project.root / "models/dbgan/l1/weights.safetensors"
    weights.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    monkeypatch.setattr("dbgan.report.inputs.sha256_file", lambda path: counted.append(path) or sha256_file(path))
    assert started(inputs, "dbgan/minus", {"start": digest}) == f"l1 ({digest[:12]})"
    assert started(inputs, "dbgan/base", {"start": digest}) == f"l1 ({digest[:12]})"
    assert started(inputs, "dbgan/base", {"start": "0" * 64}) == "l1 (000000000000, not its present weights)"
    assert started(inputs, "dbgan/l1", {"start": ""}) == "its own initialisation"
    assert counted == [weights], "weights are large: hashed once"
