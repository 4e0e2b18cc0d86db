"""Limits saved from the page: only they change in params.yaml."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import yaml

from dbgan.errors import ParamsError
from dbgan.params import load
from dbgan.review.limits import save_limits
from dbgan.review.model import ALL, Band
from dbgan.review.source import limits_of
from tests.conftest import PROJECT
from tests.review.conftest import SOURCE


def curate(project: Path) -> dict:
    return dict(yaml.safe_load((project / "params.yaml").read_text())["sources"][SOURCE]["curate"])


def test_saved_limits_are_what_the_page_starts_with(project: Path) -> None:
    limits = {ALL: {"blur_sharpness": Band(0.001, 0.02)}, "Pixel 8": {"blur_sharpness": Band(None, 0.03)}}
    assert save_limits(project / "params.yaml", SOURCE, limits)
    assert limits_of(load(project / "params.yaml").sources[SOURCE].curate) == limits
    assert (project / "params.yaml").read_text().startswith("# what people wrote here stays\n")
    assert "min_side: 64 # px" in (project / "params.yaml").read_text()
    assert not save_limits(project / "params.yaml", SOURCE, limits)


def test_a_value_replaces_a_quantile_of_its_side_alone(project: Path) -> None:
    file = project / "params.yaml"
    band = "limits: {blur_sharpness: {min_quantile: 0.1, max_quantile: 0.9}}"
    file.write_text(file.read_text().replace("      val_fraction", f"      {band}\n      val_fraction"))
    save_limits(file, SOURCE, {ALL: {"blur_sharpness": Band(0.001)}})
    assert curate(project)["limits"] == {"blur_sharpness": {"min": 0.001, "max_quantile": 0.9}}


def test_an_opened_limit_is_removed_but_for_a_device_it_lifts_the_one_of_all(project: Path) -> None:
    file = project / "params.yaml"
    save_limits(file, SOURCE, {ALL: {"blur_sharpness": Band(0.001), "blur_contrast": Band(0.1)}})
    save_limits(file, SOURCE, {ALL: {"blur_contrast": Band()}, "Pixel 8": {"blur_sharpness": Band()}})
    assert curate(project)["limits"] == {"blur_sharpness": {"min": 0.001}}
    assert curate(project)["devices"] == {"Pixel 8": {"blur_sharpness": {}}}


@pytest.mark.parametrize("file", ["params.yaml", "presets/paper.yaml", "presets/real-small.yaml"])
def test_no_other_line_of_a_params_file_changes(tmp_path: Path, file: str) -> None:
    before = (PROJECT / file).read_text()
    source = next(iter(yaml.safe_load(before)["sources"]))
    (tmp_path / "params.yaml").write_text(before)
    save_limits(tmp_path / "params.yaml", source, {ALL: {"blur_sharpness": Band(0.001)}})
    after = (tmp_path / "params.yaml").read_text()
    changed = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    removed = [line for line in changed if line[0] == "-"]
    assert len(removed) <= 1, changed
    assert "blur_sharpness" in "".join(changed)


def test_a_limit_that_would_make_params_invalid_leaves_the_file_alone(project: Path) -> None:
    file = project / "params.yaml"
    file.write_text(file.read_text().replace("    use: train", "    use: nothing"))
    before = file.read_bytes()
    with pytest.raises(ParamsError, match="use"):
        save_limits(file, SOURCE, {ALL: {"blur_sharpness": Band(0.001)}})
    with pytest.raises(ParamsError, match=r"sources\.other\.curate"):
        save_limits(file, "other", {ALL: {"blur_sharpness": Band(0.001)}})
    assert file.read_bytes() == before
