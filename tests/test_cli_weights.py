"""`dbgan weights info`, `import` and `export`, called as a user calls them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file

from dbgan.networks import discriminator, generator, load_weights, save_weights
from tests.commands import dbgan, identity_weights


def test_import_writes_weights_that_info_reads(tmp_path: Path) -> None:
    network = generator("dbgan", network="nafnet", width=4, encoder=(1,), decoder=(1,), pooling=384)
    torch.save({"params": network.state_dict()}, tmp_path / "nafnet.pth")
    done = dbgan("weights", "import", tmp_path / "nafnet.pth", tmp_path / "w.safetensors")
    assert done.exit_code == 0, done.output
    assert "names of" in done.output
    assert load_weights(tmp_path / "w.safetensors").architecture == network.architecture
    done = dbgan("weights", "info", tmp_path / "w.safetensors")
    assert done.exit_code == 0
    assert f"{network.receptive_radius} px" in done.output


def test_import_of_something_else_exits_1_and_writes_nothing(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pth")
    done = dbgan("weights", "import", tmp_path / "other.pth", tmp_path / "w.safetensors")
    assert done.exit_code == 1
    assert "no known network" in done.output
    assert not (tmp_path / "w.safetensors").exists()
    done = dbgan("weights", "import", tmp_path / "other.pth", tmp_path / "w.pth")
    assert done.exit_code == 2


@pytest.mark.slow
def test_export_prints_the_largest_difference(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is absent")
    save_weights(tmp_path / "w.safetensors", generator("dbgan", blocks=1, width=4))
    done = dbgan("weights", "export", tmp_path / "w.safetensors", tmp_path / "w.onnx", "--to", "onnx")
    assert done.exit_code == 0, done.output
    difference = next(line for line in done.output.splitlines() if line.startswith("largest difference"))
    assert float(difference.split()[2]) < 1e-5
    assert (tmp_path / "w.onnx").stat().st_size > 1000


def test_export_of_a_discriminator_is_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "d.safetensors", discriminator("vgg128", width=4, crop=32))
    done = dbgan("weights", "export", tmp_path / "d.safetensors", tmp_path / "d.onnx", "--to", "onnx")
    assert done.exit_code == 1
    assert "expected the weights of a generator, found a discriminator" in done.output


def test_weights_info_counts_the_parameters(tmp_path: Path) -> None:
    weights = identity_weights(tmp_path / "weights.safetensors")
    done = dbgan("weights", "info", weights)
    assert done.exit_code == 0, done.output
    assert f"{sum(tensor.size for tensor in load_file(weights).values()):,}" in done.stdout
    assert "plain" in done.stdout


def test_weights_info_of_another_file_fails_in_words(tmp_path: Path) -> None:
    other = tmp_path / "weights.pth"
    other.write_bytes(b"not safetensors")
    done = dbgan("weights", "info", other)
    assert done.exit_code == 1
    assert str(other) in done.stderr
