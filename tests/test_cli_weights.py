"""`dbgan weights import` and `export`, called as a user calls them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from dbgan.cli import app
from dbgan.networks import discriminator, generator, load_weights, save_weights


def dbgan(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_import_writes_weights_that_info_reads(tmp_path: Path) -> None:
    network = generator("dbgan", network="nafnet", width=4, encoder=(1,), decoder=(1,), pooling=384)
    torch.save({"params": network.state_dict()}, tmp_path / "nafnet.pth")
    code, said = dbgan("weights", "import", tmp_path / "nafnet.pth", tmp_path / "w.safetensors")
    assert code == 0, said
    assert "names of" in said
    assert load_weights(tmp_path / "w.safetensors").architecture == network.architecture
    code, said = dbgan("weights", "info", tmp_path / "w.safetensors")
    assert code == 0
    assert f"{network.receptive_radius} px" in said


def test_import_of_something_else_exits_1_and_writes_nothing(tmp_path: Path) -> None:
    torch.save({"layer.weight": torch.zeros(1)}, tmp_path / "other.pth")
    code, said = dbgan("weights", "import", tmp_path / "other.pth", tmp_path / "w.safetensors")
    assert code == 1
    assert "no known network" in said
    assert not (tmp_path / "w.safetensors").exists()
    code, said = dbgan("weights", "import", tmp_path / "other.pth", tmp_path / "w.pth")
    assert code == 2


@pytest.mark.slow
def test_export_prints_the_largest_difference(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `onnx` is absent")
    save_weights(tmp_path / "w.safetensors", generator("dbgan", blocks=1, width=4))
    code, said = dbgan("weights", "export", tmp_path / "w.safetensors", tmp_path / "w.onnx", "--to", "onnx")
    assert code == 0, said
    difference = next(line for line in said.splitlines() if line.startswith("largest difference"))
    assert float(difference.split()[2]) < 1e-5
    assert (tmp_path / "w.onnx").stat().st_size > 1000


def test_export_of_a_discriminator_is_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "d.safetensors", discriminator("vgg128", width=4, crop=32))
    code, said = dbgan("weights", "export", tmp_path / "d.safetensors", tmp_path / "d.onnx", "--to", "onnx")
    assert code == 1
    assert "expected the weights of a generator, found a discriminator" in said
