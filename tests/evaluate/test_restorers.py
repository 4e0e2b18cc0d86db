"""Anything can be scored: networks of any file, and folders of pictures that were restored elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from dbgan.corpus import Corpus
from dbgan.errors import DbganError, WeightsError
from dbgan.evaluate.restorers import NetworkRestorer, open_restorer
from dbgan.evaluate.scoring import evaluate
from dbgan.image.codec import encode
from dbgan.networks import generator, load_weights, save_weights
from dbgan.params import ExternalParams, ScoringParams
from dbgan.restore import restore
from tests.tiny_corpora import Tiny, moved, scene, write

PARAMS = ScoringParams(tile=64, threads=1, pictures=1, resamples=20)


@pytest.fixture
def test_folder(tmp_path: Path) -> Path:
    """Two paired test sources of three and two pictures."""
    for name, count in (("gopro", 3), ("reds", 2)):
        frames = {f"s{i % 2}/{i}": scene(i + len(name), 32, 40) for i in range(count)}
        pairs = [Tiny(key, {"blur": moved(p, 5), "sharp": p}) for key, p in frames.items()]
        write(tmp_path / "test" / name, "paired", pairs)
    return tmp_path / "test"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    save_weights(tmp_path / "w.safetensors", generator("dbgan", block="plain", blocks=1, width=4, seed=1))
    return tmp_path / "w.safetensors"


def scores(test: Path, out: Path, external: ExternalParams) -> dict[str, float]:
    evaluate("other", open_restorer(external, PARAMS), PARAMS, test, out, only=external.sources)
    values: dict[str, float] = json.loads((out / "metrics.json").read_text())
    return values


def test_a_folder_of_what_a_network_restored_scores_as_the_network(
    test_folder: Path, weights: Path, tmp_path: Path
) -> None:
    network = load_weights(weights)
    for source in ("gopro", "reds"):
        for sample in Corpus.open(test_folder / source):
            file = tmp_path / "restored" / source / f"{sample.key}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encode(restore(sample.images["blur"], network, threads=1), "png"))
    by_network = scores(test_folder, tmp_path / "a", ExternalParams(path=str(weights)))
    by_folder = scores(test_folder, tmp_path / "b", ExternalParams(path=str(tmp_path / "restored")))
    assert by_folder == by_network
    assert by_folder["gopro.psnr_rgb"] != by_folder["gopro.input.psnr_rgb"]
    how = {name: json.loads((tmp_path / name / "how.json").read_text())["computed"] for name in ("a", "b")}
    assert (how["a"]["device"], how["b"]) == ("cpu", {})
    assert (tmp_path / "a" / "images.parquet").read_bytes() == (tmp_path / "b" / "images.parquet").read_bytes()


def test_an_onnx_file_scores_as_what_it_computes(test_folder: Path, tmp_path: Path) -> None:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h", "w"]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", ends[:1], ends[1:])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    (tmp_path / "identity.onnx").write_bytes(made.SerializeToString())
    values = scores(test_folder, tmp_path / "b", ExternalParams(path=str(tmp_path / "identity.onnx")))
    assert values["gopro.psnr_rgb"] == values["gopro.input.psnr_rgb"]
    assert values["reds.images"] == 2


def published(test: Path, source: str, folder: Path, shift: int = 0) -> None:
    """The sharp pictures of a source as results numbered from 1, as papers publish them."""
    folder.mkdir(parents=True)
    for number, sample in enumerate(Corpus.open(test / source), start=1):
        (folder / f"{number + shift:04d}_out.png").write_bytes(encode(sample.images["sharp"], "png"))


def test_published_results_are_found_by_number_and_score_their_source_alone(test_folder: Path, tmp_path: Path) -> None:
    published(test_folder, "gopro", tmp_path / "paper" / "gopro")
    external = ExternalParams(path=str(tmp_path / "paper"), files="{source}/{number:04d}_out")
    values = scores(test_folder, tmp_path / "out", external)
    assert (values["gopro.psnr_rgb"], values["gopro.ssim"]) == (100.0, 1.0)
    assert not any(name.startswith("reds") for name in values)
    assert json.loads((tmp_path / "out" / "pictures.json").read_text())[0]["source"] == "gopro"


def test_one_file_is_never_scored_as_two_pictures(test_folder: Path, tmp_path: Path) -> None:
    published(test_folder, "gopro", tmp_path / "paper")
    with pytest.raises(DbganError, match=r"0001_out.png: (.|\n)*gopro s0/0 and for reds s0/0(.|\n)*`sources`"):
        scores(test_folder, tmp_path / "out", ExternalParams(path=str(tmp_path / "paper"), files="{number:04d}_out"))


def test_a_source_restored_in_part_is_refused_with_what_is_missing(test_folder: Path, tmp_path: Path) -> None:
    published(test_folder, "gopro", tmp_path / "paper", shift=1)
    external = ExternalParams(path=str(tmp_path / "paper"), files="{number:04d}_out", sources=["gopro"])
    with pytest.raises(DbganError, match=r"all 3 pictures of gopro as (.|\n)*found 2; missing:\n  s0/0\n"):
        scores(test_folder, tmp_path / "out", external)


def test_sources_without_results_are_named_when_they_were_asked_for(test_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for sources, expected in (([], "a paired test source, found none"), (["reds"], "of reds, found none")):
        with pytest.raises(DbganError, match=expected):
            scores(test_folder, tmp_path / "out", ExternalParams(path=str(tmp_path / "empty"), sources=sources))


def test_results_of_another_size_and_twins_are_refused(test_folder: Path, tmp_path: Path) -> None:
    published(test_folder, "reds", tmp_path / "paper")
    external = ExternalParams(path=str(tmp_path / "paper"), files="{number:04d}_out", sources=["reds"])
    (tmp_path / "paper" / "0001_out.png").write_bytes(encode(np.zeros((30, 40, 3), np.uint8), "png"))
    with pytest.raises(DbganError, match=r"0001_out.png: expected 40x32 px (.|\n)* found 40x30"):
        scores(test_folder, tmp_path / "out", external)
    (tmp_path / "paper" / "0001_out.jpg").write_bytes(b"")
    with pytest.raises(
        DbganError, match=r"expected one restored version of reds s0/0, found 0001_out.jpg, 0001_out.png"
    ):
        scores(test_folder, tmp_path / "out", external)


def test_a_path_to_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"nothing: no such weight file"):
        open_restorer(ExternalParams(path=str(tmp_path / "nothing")), PARAMS)


@pytest.mark.parametrize("files", ["{frame", "{name}", "fixed", "../{frame}", "/{frame}", "{number:q}"])
def test_patterns_that_cannot_name_files_are_refused(files: str) -> None:
    with pytest.raises(ValueError, match="files"):
        ExternalParams(path="x", files=files)


def test_a_network_sees_its_radius(weights: Path) -> None:
    network = load_weights(weights)
    assert NetworkRestorer(network, PARAMS).radius == network.receptive_radius
