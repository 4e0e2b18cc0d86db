"""Wrong params fail before any work, naming the key, what was expected and the nearest right key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dbgan.errors import ParamsError
from dbgan.params import IngestParams, load, validated

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture
def values() -> dict[str, Any]:
    return yaml.safe_load((PROJECT / "params.yaml").read_text())


def written(tmp_path: Path, values: dict[str, Any]) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize("name", ["params.yaml", "presets/paper.yaml", "presets/real-small.yaml"])
def test_every_shipped_params_file_is_valid(name: str) -> None:
    assert load(PROJECT / name).sources


def test_a_misspelt_key_names_the_nearest(tmp_path: Path, values: dict[str, Any]) -> None:
    values["sources"]["demo-gopro"]["ingest"]["shard_sampels"] = 8
    with pytest.raises(ParamsError, match=r"shard_sampels: no such key\. Did you mean 'shard_samples'"):
        load(written(tmp_path, values))


def test_a_value_out_of_range_names_key_range_and_value(tmp_path: Path, values: dict[str, Any]) -> None:
    values["bgan"]["demo"]["training"]["batch"] = 0
    with pytest.raises(ParamsError, match=r"bgan\.demo\.training\.batch: .*greater than or equal to 1 \(found 0\)"):
        load(written(tmp_path, values))


def test_gopro_requires_the_blur_folder() -> None:
    with pytest.raises(ParamsError, match=r"wrong value\(s\)\n  layout gopro needs .*blur_gamma"):
        validated(IngestParams, {"layout": "gopro"}, "--set")


def test_one_half_of_a_way_to_pair_is_named() -> None:
    with pytest.raises(ParamsError, match="found blur_glob alone"):
        validated(IngestParams, {"layout": "paired", "blur_glob": "*.png"}, "--set")


def test_a_model_that_names_an_unknown_source_is_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    values["bgan"]["demo"]["real"] = ["demo-phone"]
    with pytest.raises(ParamsError, match=r"bgan\.demo\.real names 'demo-phone'.*Did you mean 'demo-phones'"):
        load(written(tmp_path, values))


def test_training_on_a_test_source_is_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    values["dbgan"]["common"]["pairs"] = ["demo-gopro-test"]
    with pytest.raises(ParamsError, match="no source with `use: train`"):
        load(written(tmp_path, values))


def test_plus_must_watch_the_corpus_it_mixes_in(tmp_path: Path, values: dict[str, Any]) -> None:
    values["dbgan"]["finetune"]["plus"]["reads"] = "datasets/train"
    with pytest.raises(ParamsError, match="reads must be 'datasets/synthetic/demo'"):
        load(written(tmp_path, values))


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="project's root"):
        load(tmp_path / "params.yaml")


@pytest.mark.parametrize("place", ["bgan.demo", "dbgan.common"])
def test_a_crop_that_discriminators_cannot_halve_is_refused(tmp_path: Path, values: dict[str, Any], place: str) -> None:
    first, second = place.split(".")
    model = values[first][second]
    model["training"]["crop"] = 72
    with pytest.raises(ParamsError, match=rf"{place}: .*training\.crop 72: discriminator vgg128 .*set crop to 64, or "):
        load(written(tmp_path, values))
    model["discriminator"]["kind"] = "patch"
    load(written(tmp_path, values))


def test_a_control_without_its_start_is_refused_before_dvc_stumbles_on_it(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    values["dbgan"]["finetune"]["control"]["reads"] = ""
    with pytest.raises(ParamsError, match="reads is missing"):
        load(written(tmp_path, values))


def test_a_file_that_is_not_utf_8_names_the_byte(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes("samples: {}  # größer".encode("latin-1"))
    with pytest.raises(ParamsError, match=r"params\.yaml: expected UTF-8 text, found the byte 0xf6 at offset 17"):
        load(tmp_path / "params.yaml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "params.yaml").write_text("samples: {}")
    monkeypatch.setattr(Path, "read_text", refuse)  # permissions do not stop the superuser
    with pytest.raises(ParamsError, match=r"params\.yaml: cannot be read \(Permission denied\)"):
        load(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("section", "name", "entry", "message"),
    [
        ("synthesize", "k", {"model": "kernel"}, r"synthesize\.k names no generator\. Move it to blur\.k"),
        ("blur", "b", {"generator": "demo"}, r"blur\.b names a generator\. Move it to synthesize\.b"),
        ("blur", "demo", {"model": "kernel"}, "both name 'demo'"),
        ("blur", "k", {"model": "kernel", "camera": "datasets/train/x.cameras.json"}, "no item of `calibrate` makes"),
    ],
)
def test_a_corpus_stands_in_the_section_whose_stage_watches_what_it_reads(
    tmp_path: Path, section: str, name: str, entry: dict[str, object], message: str
) -> None:
    values = yaml.safe_load((PROJECT / "params.yaml").read_text())
    values[section] = {**(values[section] or {}), name: {"sharp": ["demo-gopro"], **entry}}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values))

    with pytest.raises(ParamsError, match=message):
        load(path)
