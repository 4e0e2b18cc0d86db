"""Corpora read by the tools of the field: Hugging Face datasets, Ray Data, GNU tar and torch's DataLoader."""

from __future__ import annotations

import importlib.metadata
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dbgan.corpus import Corpus
from dbgan.corpus.columns import json_columns
from dbgan.corpus.layout import Kind, empty_meta
from dbgan.corpus.tables import finish
from dbgan.corpus.write import write_shard
from tests.corpus.test_motion import build as build_moved
from tests.corpus.test_motion import motion, moved
from tests.corpus.tiny import HEADER, plan, sample

LINEAGE = {"source_corpus": "s", "source_key": "a/001", "variant": 0, "method": "kernel"}
LINEAGE |= {"parameters": "{}", "generator": ""}
NUMBERS = ("exposure_s", "iso", "f_number", "focal_mm")


def given(values: dict[str, float]) -> dict[str, Any]:
    """Metadata of a camera that gave these numbers and no others."""
    return {**empty_meta(), **values, **{f"has_{name}": True for name in values}}


WHOLE = dict.fromkeys(NUMBERS, 100.0)
FRACTIONS = dict.fromkeys(NUMBERS, 0.125)


def build(path: Path, first: dict[str, float], second: dict[str, float], kind: Kind, synthesized: bool) -> Path:
    """A corpus of two shards: two samples with the numbers `first`, then two with `second`."""
    receipts = []
    for index, (sequence, values) in enumerate((("a", first), ("b", second))):
        samples = []
        for frame in ("001", "002"):
            lineage = {**LINEAGE, "noise": [0.5, -1.0] if index else []} if synthesized else {}
            made = sample(f"{sequence}/{frame}", 10 * index + int(frame), kind, **lineage)
            samples.append(replace(made, meta={**made.meta, **given(values)}))
        receipts.append(write_shard(path, plan(sequence, {"001": 1}), kind, "png", samples))
    finish(path, replace(HEADER, kind=kind, synthesized=synthesized), receipts)
    return path


LOAD = """
import sys, datasets
assert datasets.__file__.endswith("site-packages/datasets/__init__.py"), datasets.__file__
loaded = datasets.load_dataset(sys.argv[1], split="train")
if sys.argv[2] == "bare":
    features = datasets.load_dataset_builder(sys.argv[1]).info.features
    loaded = datasets.load_dataset("webdataset", data_files=sys.argv[1] + "/*.tar", split="train", features=features)
import io, json, numpy
rows = []
for row in loaded:
    pictures = {name: numpy.asarray(row.pop(name)).tolist() for name in list(row) if name.endswith(".png")}
    moved = {name: numpy.asarray(values).tolist() for name, values in row.get("motion.npz", {}).items()}
    rows.append({"key": row["__key__"], "json": row["json"], "pictures": pictures, "motion": moved})
types = {name: str(getattr(kind, "dtype", kind)) for name, kind in loaded.features["json"].items()}
print(json.dumps({"types": types, "rows": rows}))
"""
TYPES = {"text": "string", "int32": "int32", "float": "float64", "flag": "bool"}


def hugging_face(path: Path, tmp_path: Path, how: str = "folder") -> dict[str, Any]:
    """What Hugging Face's datasets makes of the folder, offline, in a process of its own."""
    home = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    command = [sys.executable, "-c", LOAD, str(path), how]
    done = subprocess.run(command, env={**os.environ, **home}, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("first", "second", "kind", "synthesized"),
    [
        ({}, FRACTIONS, "blurry", False),
        (WHOLE, FRACTIONS, "paired", False),
        ({}, WHOLE, "paired", True),
    ],
    ids=["first numbers missing", "first numbers whole", "first noise empty"],
)
def test_hugging_face_loads_the_folder_with_every_type_and_picture(
    tmp_path: Path, first: dict[str, float], second: dict[str, float], kind: Kind, synthesized: bool
) -> None:
    path = build(tmp_path / "c", first, second, kind, synthesized)
    found = hugging_face(path, tmp_path)
    columns = json_columns(kind, synthesized)
    noise = found["types"].pop("noise", "")
    assert ("float64" in noise) == synthesized
    assert found["types"] == {name: TYPES[kind_] for name, kind_ in columns.items() if name != "noise"}
    opened = Corpus.open(path)
    assert sorted(row["key"] for row in found["rows"]) == opened.keys
    for row in found["rows"]:
        expected = opened[row["key"]]
        assert row["json"] == expected.meta
        assert all(isinstance(row["json"][name], float) for name in NUMBERS)
        assert row["pictures"].keys() == {f"{field}.png" for field in opened.fields}
        for field, image in expected.images.items():
            np.testing.assert_array_equal(np.array(row["pictures"][f"{field}.png"], np.uint8), image)


def test_hugging_face_reads_motion_as_lists_of_numbers(tmp_path: Path) -> None:
    path = build_moved(tmp_path / "c", moved("a/001", 1), moved("a/002", 2))
    first, second = hugging_face(path, tmp_path)["rows"]
    for row, told in ((first, motion(1)), (second, motion(2))):
        assert {name: row["motion"][name] for name in ("velocity", "acceleration", "defocus", "cell")} == {
            "velocity": told.velocity.tolist(),
            "acceleration": told.acceleration.tolist(),
            "defocus": told.defocus.tolist(),
            "cell": 4,
        }


def test_a_bare_webdataset_load_is_right_with_the_folder_s_features(tmp_path: Path) -> None:
    path = build(tmp_path / "c", {}, WHOLE, "paired", True)
    assert hugging_face(path, tmp_path, "bare") == hugging_face(path, tmp_path)


def test_the_project_s_folder_datasets_does_not_hide_hugging_face_s_package() -> None:
    assert importlib.metadata.version("datasets")
    import datasets

    assert hasattr(datasets, "load_dataset")


def test_gnu_tar_lists_and_unpacks_a_shard(corpus: Path, tmp_path: Path) -> None:
    listed = subprocess.run(["tar", "-tf", corpus / "a-000.tar"], capture_output=True, text=True, check=True)
    members = [f"a/{frame}.{suffix}" for frame in ("001", "002") for suffix in ("blur.png", "sharp.png", "json")]
    assert (listed.stdout.split(), listed.stderr) == (members, "")
    done = subprocess.run(["tar", "-xf", corpus / "a-000.tar", "-C", tmp_path], capture_output=True, check=True)
    assert done.stderr == b""
    opened = Corpus.open(corpus)
    assert (tmp_path / "a/002.sharp.png").read_bytes() == opened.encoded("a/002", "sharp")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One Ray for the module: starting it costs seconds."""
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield ray
    ray.shutdown()


def test_ray_data_reads_every_sample(cluster: Any, corpus: Path) -> None:
    opened = Corpus.open(corpus)
    rows = cluster.data.read_webdataset([str(path) for path in sorted(corpus.glob("*.tar"))], decoder=None).take_all()
    assert sorted(row["__key__"] for row in rows) == opened.keys
    for row in rows:
        assert json.loads(row["json"]) == opened[row["__key__"]].meta
        image = np.asarray(Image.open(io.BytesIO(row["blur.png"])))
        np.testing.assert_array_equal(image, opened[row["__key__"]].images["blur"])


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_dataloader_workers_read_the_index(corpus: Path, start: str) -> None:
    from torch.utils.data import DataLoader

    opened = Corpus.open(corpus)
    assert opened[0].key == "a/001"  # a handle is open before the workers start
    loader = DataLoader(opened, batch_size=None, shuffle=False, num_workers=2, multiprocessing_context=start)
    for number, read in enumerate(loader):
        assert read.key == opened.keys[number]
        np.testing.assert_array_equal(np.asarray(read.images["sharp"]), opened[number].images["sharp"])
        assert read.meta == opened[number].meta
    assert number == 4
