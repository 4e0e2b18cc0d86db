"""An ONNX file as a network that restores: ours (`dbgan weights export`) or any other that keeps its picture's size."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.errors import DbganError, WeightsError
from dbgan.networks import registry

MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
"""Sides that networks which halve their picture ask for, px."""


class OnnxNetwork(nn.Module):
    """Runs an ONNX file by onnxruntime, on the CPU, or on a GPU where onnxruntime has one.

    Attributes:
        receptive_radius, stride, whole_pixels: as in `registry.Generator`, for files that say by their metadata which
            of our networks they hold. Of others nothing is known: they are never cut into tiles.
        multiple: px; pictures are padded to such sides by repeating their border, and cut again.
    """

    def __init__(self, path: Path) -> None:
        """Open and try the file.

        Raises:
            DbganError: onnxruntime is not installed.
            WeightsError: no ONNX model; not one picture in and one of the same size out, of any size.
        """
        super().__init__()
        self.path = path
        self.session = _session(path)
        self._input, self._dtype = _only_input(path, self.session)
        described = self.session.get_modelmeta().custom_metadata_map.get("architecture")
        self.architecture: dict[str, Any] = {"network": "onnx", "kind": "dbgan"}
        self.receptive_radius, self.stride, self.whole_pixels = 0, 1, sys.maxsize
        if described is not None:
            self._ours(described)
        self.multiple = self._try()

    def forward(self, image: Tensor) -> Tensor:
        """NCHW float RGB in [0, 1] -> the same shape, clamped to [0, 1]."""
        height, width = image.shape[-2:]
        below, right = -height % self.multiple, -width % self.multiple
        padded = F.pad(image.float(), (0, right, 0, below), mode="replicate") if below or right else image
        restored = torch.from_numpy(self._run(padded.detach().float().cpu().contiguous().numpy()))
        return restored[..., :height, :width].float().clamp(0.0, 1.0).to(image.device)

    def _run(self, picture: Any) -> Any:
        (restored,) = self.session.run(None, {self._input: picture.astype(self._dtype)})
        return np.ascontiguousarray(restored)

    def _ours(self, described: str) -> None:
        """Take over what tiles need from the architecture that `export_onnx` wrote."""
        try:
            arguments = json.loads(described)
            network = registry.stored_networks()[arguments.pop("network")]
            with torch.device("meta"):
                built = registry.entry(network).build(**arguments)
        except (ValueError, TypeError, KeyError, AttributeError, DbganError) as error:
            raise WeightsError(
                f"{self.path}: its metadata names an architecture that this version cannot build ({error}).\n"
                "Next: export it again with `dbgan weights export`."
            ) from None
        if built.kind != "dbgan":
            raise WeightsError(f"{self.path}: expected a network that restores, found a {built.kind}, which blurs.")
        self.architecture = built.architecture
        self.receptive_radius, self.stride = built.receptive_radius, built.stride
        self.whole_pixels = built.whole_pixels

    def _try(self) -> int:
        """The smallest of `MULTIPLES` whose pictures it takes, found by running it on two of unequal sides."""
        problem = ""
        for multiple in MULTIPLES:
            problem = self._problem(multiple)
            if not problem:
                return multiple
        raise WeightsError(
            f"{self.path}: expected a network that gives back a picture of the size it is given, for any size that is "
            f"a multiple of up to {MULTIPLES[-1]} px; found: {problem}"
        )

    def _problem(self, multiple: int) -> str:
        rng = np.random.default_rng(0)
        step = 3 * multiple if multiple > 8 else 24 // multiple * multiple + multiple
        for height, width in ((step, step + multiple), (step + 2 * multiple, step)):
            picture = rng.random((1, 3, height, width), dtype=np.float32)
            try:
                restored = self._run(picture)
            except Exception as error:  # onnxruntime raises its own kinds for what a graph cannot take
                return f"{width}x{height} px: {' '.join(str(error).split())[:200]}"
            if restored.shape != picture.shape:
                return f"{width}x{height} px became an array of shape {restored.shape}"
            if not np.isfinite(restored).all():
                return f"{width}x{height} px: NaN or Inf in the result"
        return ""


def _session(path: Path) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise DbganError(f"running {path}: {error}.\nNext: pip install 'dbgan[onnx]'") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    providers = [name for name in wanted if name in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # a damaged file gives any of a dozen kinds
        raise WeightsError(
            f"{path}: cannot be opened as an ONNX model ({' '.join(str(error).split())[:300]})"
        ) from None


def _only_input(path: Path, session: Any) -> tuple[str, str]:
    """Name and numpy dtype of the single input and output: NCHW of three channels."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    dtypes = {"tensor(float)": "float32", "tensor(float16)": "float16"}
    names = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type not in dtypes:
        raise WeightsError(f"{path}: expected one float picture in and one out, found the inputs {names}")
    shape = list(inputs[0].shape)
    if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
        raise WeightsError(f"{path}: expected an input of (1, 3, height, width), found {names}")
    if any(isinstance(side, int) for side in shape[2:]):
        raise WeightsError(
            f"{path}: expected an input of any height and width, found {names}.\n"
            "Next: export the network again with dynamic axes for height and width."
        )
    return str(inputs[0].name), dtypes[inputs[0].type]
