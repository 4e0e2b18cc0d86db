"""ONNX files, run by onnxruntime on sizes that the graph was not taken from, a real frame among them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dbgan.errors import DbganError
from dbgan.image.codec import decode
from dbgan.networks import Generator, export, generator
from dbgan.networks.export import export_onnx
from dbgan.restore import to_tensor

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is absent")
pytest.importorskip("onnxscript", reason="the extra `onnx` is absent")

pytestmark = pytest.mark.slow  # torch's exporter takes some 5 s a network

NETWORKS = {
    "rrdb": lambda: generator("dbgan", block="rrdb", blocks=1, width=8, growth=4),
    "bgan": lambda: generator("bgan", blocks=2, width=8, noise="blocks"),
    "trajectory": lambda: generator("bgan", network="trajectory", blocks=1, width=8, samples=5, max_path=12.0),
    "nafnet": lambda: generator("dbgan", network="nafnet", width=4, encoder=(1,), middle=0, decoder=(0,), pooling=16),
}


def shaken(network: Generator) -> Generator:
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.02)
    return network


def picture(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(height))


@pytest.mark.parametrize("name", NETWORKS)
def test_onnxruntime_gives_what_torch_gives_at_any_size(tmp_path, name) -> None:
    network = shaken(NETWORKS[name]())
    done = export_onnx(network, tmp_path / "n.onnx", [picture(31, 50)])
    assert done.difference < 1e-5
    session = onnxruntime.InferenceSession(str(tmp_path / "n.onnx"), providers=["CPUExecutionProvider"])
    assert {i.name for i in session.get_inputs()} == ({"image", "z"} if network.kind == "bgan" else {"image"})
    image, z = picture(9, 70), torch.tensor([[0.5, -1.0, 2.0, 0.1]])
    extra = [z] if network.kind == "bgan" else []
    feeds = {"image": image.numpy()} | ({"z": z.numpy()} if extra else {})
    with torch.inference_mode():
        np.testing.assert_allclose(session.run(None, feeds)[0], network(image, *extra).numpy(), atol=1e-5)


def test_a_real_frame(tmp_path, shared_data: Path) -> None:
    frame = sorted((shared_data / "gopro").rglob("*.png"))[0]
    image = to_tensor(decode(frame.read_bytes())[:360, :500]).contiguous()
    done = export_onnx(shaken(NETWORKS["rrdb"]()), tmp_path / "n.onnx", [image])
    assert done.sizes == [(360, 500)]
    assert done.difference < 1e-5


def test_a_real_frame_blurred_along_paths(tmp_path, shared_data: Path) -> None:
    frame = sorted((shared_data / "gopro").rglob("*.png"))[0]
    image = to_tensor(decode(frame.read_bytes())[:361, :501]).contiguous()
    network = generator("bgan", network="trajectory", blocks=1, width=8)
    done = export_onnx(network, tmp_path / "n.onnx", [image])
    assert done.sizes == [(361, 501)]
    assert done.difference < 1e-4
    with torch.no_grad():
        assert float((network(image, torch.ones(1, 4)) - image).abs().mean()) > 1e-3  # something moved


def test_a_file_that_differs_from_torch_is_not_written(tmp_path, monkeypatch) -> None:
    network = generator("dbgan", blocks=1, width=4, init="zero_last").eval()
    model = export._traced(network)
    monkeypatch.setattr(export, "_traced", lambda _: model)
    with torch.no_grad():
        network.tail[1].bias.add_(0.015)
    with pytest.raises(DbganError, match=r"differs from torch by 0\.0[12].*at most 0\.001"):
        export_onnx(network, tmp_path / "n.onnx", [0.2 + picture(16, 16) / 2])
    assert not (tmp_path / "n.onnx").exists()


def test_without_the_extra_the_message_names_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(DbganError, match=r"Next: pip install 'dbgan\[onnx\]'"):
        export_onnx(NETWORKS["rrdb"](), tmp_path / "n.onnx", [])
