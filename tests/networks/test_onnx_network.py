"""ONNX files are run as networks: ours in tiles, others whole and padded; what is no restorer is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from dbgan.errors import WeightsError
from dbgan.networks import generator
from dbgan.networks.export import export_onnx
from dbgan.networks.onnx_network import OnnxNetwork
from dbgan.networks.restoring import open_network
from dbgan.restore import restore


@pytest.fixture
def ours(tmp_path: Path) -> tuple[torch.nn.Module, Path]:
    network = generator("dbgan", block="plain", blocks=1, width=4, seed=1)
    export_onnx(network, tmp_path / "ours.onnx", [torch.rand(1, 3, 20, 24)])
    return network, tmp_path / "ours.onnx"


def test_ours_is_restored_in_tiles_as_torch_does(ours: tuple[torch.nn.Module, Path]) -> None:
    network, path = ours
    found = open_network(path)
    assert (found.receptive_radius, found.multiple) == (network.receptive_radius, 1)
    image = np.random.default_rng(0).integers(0, 256, (150, 131, 3), dtype=np.uint8)
    expected = restore(image, network, threads=1).astype(int)
    for tile in (64, 512):
        restored = restore(image, found, tile=tile, threads=1, device="cpu")
        assert np.abs(restored.astype(int) - expected).max() <= 1


def model(path: Path, nodes: list[Any], shape: list[Any], kind: int = TensorProto.FLOAT, out: str = "y") -> Path:
    """A file of one input `x` and one output."""
    initial = [helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(out, kind, None)],
        initial,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(made.SerializeToString())
    return path


FREE = [1, 3, "h", "w"]
HALVING = [
    helper.make_node("SpaceToDepth", ["x"], ["a"], blocksize=4),
    helper.make_node("DepthToSpace", ["a"], ["y"], blocksize=4),
]


def test_others_are_padded_to_what_they_ask_for_and_never_cut(tmp_path: Path) -> None:
    found = OnnxNetwork(model(tmp_path / "halving.onnx", HALVING, FREE))
    assert found.multiple == 4
    assert found.whole_pixels == sys.maxsize
    image = np.random.default_rng(0).integers(0, 256, (71, 90, 3), dtype=np.uint8)
    assert np.array_equal(restore(image, found, tile=64, device="cpu"), image)


def test_half_precision_is_taken(tmp_path: Path) -> None:
    identity = [helper.make_node("Identity", ["x"], ["y"])]
    found = OnnxNetwork(model(tmp_path / "half.onnx", identity, FREE, TensorProto.FLOAT16))
    picture = torch.rand(1, 3, 9, 7)
    torch.testing.assert_close(found(picture), picture, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("nodes", "shape", "kind", "expected"),
    [
        ([helper.make_node("Identity", ["x"], ["y"])], [1, 3, 64, 64], TensorProto.FLOAT, "any height and width"),
        ([helper.make_node("Identity", ["x"], ["y"])], [1, 1, "h", "w"], TensorProto.FLOAT, r"\(1, 3, height, width\)"),
        ([helper.make_node("Identity", ["x"], ["y"])], FREE, TensorProto.DOUBLE, "one float picture in"),
        ([helper.make_node("ReduceMean", ["x", "axes"], ["y"])], FREE, TensorProto.FLOAT, "became an array of shape"),
        (
            [helper.make_node("Log", ["n"], ["y"]), helper.make_node("Neg", ["x"], ["n"])][::-1],
            FREE,
            TensorProto.FLOAT,
            "NaN or Inf",
        ),
    ],
)
def test_what_is_no_restorer_is_refused(tmp_path: Path, nodes: Any, shape: Any, kind: int, expected: str) -> None:
    path = model(tmp_path / "other.onnx", nodes, shape, kind)
    with pytest.raises(WeightsError, match=rf"other.onnx: expected (.|\n)*{expected}"):
        OnnxNetwork(path)


def test_damaged_files_and_networks_that_blur_are_refused(ours: tuple[torch.nn.Module, Path], tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"not a model")
    with pytest.raises(WeightsError, match=r"no.onnx: cannot be opened as an ONNX model"):
        OnnxNetwork(tmp_path / "no.onnx")
    bgan = generator("bgan", block="plain", blocks=1, width=4, seed=1)
    loaded = onnx.load(ours[1])
    loaded.metadata_props[0].value = json.dumps(bgan.architecture)
    onnx.save(loaded, tmp_path / "bgan.onnx")
    with pytest.raises(WeightsError, match="found a bgan, which blurs"):
        OnnxNetwork(tmp_path / "bgan.onnx")
    with pytest.raises(WeightsError, match="no such weight file"):
        open_network(tmp_path / "absent.safetensors")
