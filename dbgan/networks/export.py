"""A generator as an ONNX file, checked by running it beside torch."""

from __future__ import annotations

import io
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dbgan import files, seeds
from dbgan.errors import DbganError, WeightsError
from dbgan.networks.registry import NOISE_CHANNELS, Generator

OPSET = 18

TOLERANCE = 1e-3
"""Largest difference between torch and onnxruntime on [0, 1]: a quarter of an 8-bit level. Above it nothing is kept."""

TRACED = (64, 96)
"""Height and width of the picture that the graph is taken from, px: unequal, so that no size is taken for another."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and how far it is from torch.

    Attributes:
        path: the file.
        difference: largest absolute difference of the outputs over all checked pictures, of [0, 1].
        sizes: height and width of the checked pictures, px.
    """

    path: Path
    difference: float
    sizes: list[tuple[int, int]]


def export_onnx(network: Generator, path: Path, pictures: list[Tensor]) -> Exported:
    """Write `network` as ONNX (opset 18, inputs `image` and for a bgan `z`, output `output`), any height and width.

    Args:
        network: put into eval mode, on the CPU, float32: so its output is clamped as in `restore`.
        path: file to write, atomically, and only once it was run beside torch.
        pictures: NCHW float32 RGB in [0, 1], N = 1, on which both are run. Other sizes than `TRACED` prove more.

    Raises:
        DbganError: the packages of the extra `onnx` are missing; or onnxruntime's output differs by over `TOLERANCE`.
        WeightsError: this network cannot be exported.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401  torch's exporter fails without it in the middle of its work
    except ImportError as error:
        raise DbganError(f"export to ONNX: {error}.\nNext: pip install 'dbgan[onnx]'") from error
    network = network.eval().cpu().float()
    model = _traced(network)
    described = onnx.StringStringEntryProto(key="architecture", value=json.dumps(network.architecture, sort_keys=True))
    model.metadata_props.append(described)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    data = model.SerializeToString()
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    difference = 0.0
    for index, picture in enumerate(pictures):
        inputs = _inputs(network, picture, index)
        with torch.inference_mode():
            expected = network(*inputs).numpy()
        names = ["image", "z"][: len(inputs)]
        (found,) = session.run(None, {name: value.numpy() for name, value in zip(names, inputs, strict=True)})
        if found.shape != expected.shape:
            raise WeightsError(f"{path}: onnxruntime gives {found.shape} where torch gives {expected.shape}")
        difference = max(difference, float(np.abs(found - expected).max()))
    if not difference <= TOLERANCE:
        raise DbganError(
            f"{path}: onnxruntime differs from torch by {difference:.2g} of [0, 1], expected at most {TOLERANCE:g}.\n"
            "It was not written. Next: try another version of onnxruntime."
        )
    files.write_bytes(path, data)
    return Exported(path, difference, [(picture.shape[2], picture.shape[3]) for picture in pictures])


def _inputs(network: Generator, picture: Tensor, index: int) -> tuple[Tensor, ...]:
    if network.kind == "dbgan":
        return (picture,)
    z = seeds.generator(0, "onnx", index).standard_normal((picture.shape[0], NOISE_CHANNELS), dtype="float32")
    return picture, torch.from_numpy(z)


def _traced(network: Generator) -> Any:
    """The ONNX model of `network`, its height and width free."""
    import onnx

    inputs = _inputs(network, torch.rand(1, 3, *TRACED, generator=torch.Generator().manual_seed(0)), 0)
    names = ["image", "z"][: len(inputs)]
    how: dict[str, Any] = {"opset_version": OPSET, "input_names": names, "output_names": ["output"], "verbose": False}
    free = {2: "height", 3: "width"}
    sides = {side: torch.export.Dim(name, min=1) for side, name in free.items()}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # torch's own deprecations
            if network.export_by_tracing:
                written: Any = io.BytesIO()  # which torch takes, whatever its types say
                axes = {"image": free, "output": free}
                torch.onnx.export(network.exportable(), inputs, written, dynamo=False, dynamic_axes=axes, **how)
                return onnx.load_from_string(written.getvalue())
            shapes: dict[str, Any] = {name: sides if name == "image" else None for name in names}
            program = torch.onnx.export(network.exportable(), inputs, dynamo=True, dynamic_shapes=shapes, **how)
    except Exception as error:  # the exporter raises anything at all
        raise WeightsError(
            f"{network.architecture['network']}: torch cannot export this network to ONNX "
            f"({type(error).__name__}: {str(error).strip()[:500]})"
        ) from error
    assert program is not None
    return program.model_proto
