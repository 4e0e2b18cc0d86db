"""A file of weights, whosever, as a network that restores."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from dbgan.errors import WeightsError
from dbgan.networks.weights import load_weights, require_generator

CHECKPOINTS = (".pth", ".pt", ".ckpt")


def open_network(path: Path) -> nn.Module:
    """The network of a file, on the CPU, in eval mode, with what `tiles` asks of it.

    Args:
        path: `.safetensors` of ours (imported ones too), `.onnx`, or another program's checkpoint (`.pth`, `.pt`),
            which is imported on the way (`dbgan weights import`).

    Raises:
        WeightsError: no such file, another kind of file, a network that blurs, or tensors that do not fit.
        DbganError: an ONNX file without onnxruntime.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weight file.\nNext: train the network, or `dvc pull` its model folder.")
    if path.suffix == ".onnx":
        from dbgan.networks.onnx_network import OnnxNetwork

        return OnnxNetwork(path).eval()
    if path.suffix in CHECKPOINTS:
        from dbgan.networks.foreign import import_weights

        return import_weights(path).network.eval()
    return require_generator(load_weights(path), "dbgan", path)
