"""Checkpoints of other programs as our networks: PyTorch files of a state dict, by the names of their tensors.

| naming | network | known by |
|---|---|---|
| `dbgan` | the released DBGAN: `rrdb` with the global residual | `model.1.sub1.0.RDB1.conv1.0.weight` |
| `basicsr` | BasicSR's RRDBNet without upsampling: `rrdb` that paints the picture | `body.0.rdb1.conv1.weight` |
| `esrgan` | ESRGAN's RRDBNet without upsampling: the same | `RRDB_trunk.0.RDB1.conv1.weight` |
| `nafnet` | NAFNet as published | `encoders.0.0.conv1.weight` |

Files are read with `weights_only=True`: a pickle that would run code is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from dbgan.errors import WeightsError
from dbgan.networks import generators, nafnet
from dbgan.networks.registry import Generator
from dbgan.networks.weights import check_tensors

WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict")
"""Keys below which programs keep the state dict; of several the first is taken, so an average before the last step."""

NAFNET_POOLING = 384
"""The published NAFNet was trained on crops of 256 px and is scored with windows of 1.5 times that (TLC)."""

MOST_BLOCKS = 64
"""More are not built for the sake of a name in a file."""

UPSAMPLING = re.compile(r"^(conv_up\d|upconv\d|upsample)")

NEXT = "Next: give the checkpoint of one of the networks listed in `dbgan weights import --help`."


@dataclass(frozen=True, slots=True)
class Imported:
    """A network rebuilt from another program's file.

    Attributes:
        network: on the CPU, in eval mode, float32.
        naming: which program's names the file has.
        tensors: how many it held.
    """

    network: Generator
    naming: str
    tensors: int


@dataclass(frozen=True, slots=True)
class Naming:
    """One program's names.

    Attributes:
        marker: a tensor name begins with it, in this naming alone.
        rename: our tensor name -> theirs.
        build: their tensors -> our network of that size, weights uninitialised.
    """

    marker: str
    rename: Callable[[str], str]
    build: Callable[[Mapping[str, Tensor]], Generator]


def import_weights(path: Path) -> Imported:
    """The network of a checkpoint that another program wrote.

    Args:
        path: .pth or .pt (a state dict, bare or below one of `WRAPPERS`, with or without `module.`) or .safetensors.

    Raises:
        WeightsError: no such file, not weights alone, names of no known network, an upsampling network, or tensors that
            are missing, surplus or of another shape: all of them are listed, under the names in the file.
    """
    tensors = _state_dict(Path(path))
    naming = _naming(path, tensors)
    upsampling = sorted(name for name in tensors if UPSAMPLING.match(name))
    if upsampling:
        listed = "\n  ".join(upsampling)
        raise WeightsError(
            f"{path}: a network that enlarges its picture cannot restore blur at the size it has. It has\n  {listed}\n"
            "Next: import a network of scale 1 without these layers."
        )
    how = NAMINGS[naming]
    network = how.build(tensors)
    expected = network.state_dict()
    theirs = {how.rename(name): name for name in expected}
    check_tensors(path, tensors, {name: expected[own] for name, own in theirs.items()}, NEXT)
    network.load_state_dict({own: tensors[name].float().contiguous() for name, own in theirs.items()})
    return Imported(network.eval(), naming, len(tensors))


def _state_dict(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"{path}: no such checkpoint.")
    try:
        safe = path.suffix == ".safetensors"
        loaded: Any = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling a hostile or damaged file raises anything at all
        reason = str(error).split("\n")[0][:300]
        raise WeightsError(
            f"{path}: expected a checkpoint that holds nothing but tensors, and it cannot be read as one ({reason}).\n"
            "It was not executed. Next: if you trust its origin, save its state_dict alone with torch.save."
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
            break
    if not isinstance(loaded, dict) or not loaded or not all(isinstance(value, Tensor) for value in loaded.values()):
        found = sorted(map(str, loaded))[:8] if isinstance(loaded, dict) else type(loaded).__name__
        raise WeightsError(f"{path}: expected a state dict of tensors, found {found}.\n{NEXT}")
    return {str(name).removeprefix("module."): tensor for name, tensor in loaded.items()}


def _naming(path: Path, tensors: Mapping[str, Tensor]) -> str:
    for naming, how in NAMINGS.items():
        if any(name.startswith(how.marker) for name in tensors):
            return naming
    first = ", ".join(sorted(tensors)[:6])
    known = "; ".join(f"{naming} ({how.marker}...)" for naming, how in NAMINGS.items())
    raise WeightsError(
        f"{path}: {len(tensors)} tensors of no known network: {first}, ...\nExpected names of {known}.\n{NEXT}"
    )


def _rrdb_names(block: str, layers: Mapping[str, str]) -> Callable[[str], str]:
    """Our `rrdb` names -> theirs, from a pattern of {block}, {dense} and {conv} (the latter two from 1) and a table."""

    def rename(own: str) -> str:
        inner = re.fullmatch(r"blocks\.(\d+)\.dense\.(\d)\.convs\.(\d)\.(weight|bias)", own)
        if inner:
            place, dense, conv = (int(part) for part in inner.groups()[:3])
            return f"{block.format(block=place, dense=dense + 1, conv=conv + 1)}.{inner[4]}"
        layer, _, kind = own.rpartition(".")
        return f"{layers[layer]}.{kind}"

    return rename


def _rrdb(block: str, layers: Mapping[str, str], global_residual: bool) -> Naming:
    rename, prefix = _rrdb_names(block, layers), block.split("{")[0]

    def build(tensors: Mapping[str, Tensor]) -> Generator:
        return generators.build(
            kind="dbgan",
            block="rrdb",
            blocks=_count(tensors, rf"{re.escape(prefix)}(\d+)\.", generators.DEFAULT_BLOCKS["dbgan"]),
            width=_rows(tensors, rename("head.weight"), 64),
            growth=_rows(tensors, rename("blocks.0.dense.0.convs.0.weight"), 32),
            global_residual=global_residual,
        )

    return Naming(prefix, rename, build)


def _nafnet(tensors: Mapping[str, Tensor]) -> Generator:
    scales = min(max(_count(tensors, r"encoders\.(\d+)\.", 4), _count(tensors, r"decoders\.(\d+)\.", 4)), 6)

    def counts(name: str) -> list[int]:
        return [_count(tensors, rf"{name}\.{scale}\.(\d+)\.", 0) for scale in range(scales)]

    return nafnet.build(
        kind="dbgan",
        width=_rows(tensors, "intro.weight", 32),
        encoder=counts("encoders"),
        middle=_count(tensors, r"middle_blks\.(\d+)\.", 0),
        decoder=counts("decoders"),
        pooling=NAFNET_POOLING,
    )


def _count(tensors: Mapping[str, Tensor], pattern: str, default: int) -> int:
    """One more than the largest number that `pattern` finds in a name, at most `MOST_BLOCKS`: what lies above it is
    then surplus."""
    found = [int(match[1]) for name in tensors if (match := re.match(pattern, name))]
    return min(max(found) + 1, MOST_BLOCKS) if found else default


def _rows(tensors: Mapping[str, Tensor], name: str, default: int) -> int:
    """Output channels of a convolution; `default` where it is missing, which is then among the errors."""
    tensor = tensors.get(name)
    return int(tensor.shape[0]) if tensor is not None and tensor.ndim == 4 and 0 < tensor.shape[0] <= 1024 else default


NAMINGS: dict[str, Naming] = {
    "dbgan": _rrdb(
        "model.1.sub1.{block}.RDB{dense}.conv{conv}.0",
        {"head": "model.0", "trunk": "model.1.sub2.0", "tail.0": "model.2", "tail.1": "model.4"},
        global_residual=True,
    ),
    "basicsr": _rrdb(
        "body.{block}.rdb{dense}.conv{conv}",
        {"head": "conv_first", "trunk": "conv_body", "tail.0": "conv_hr", "tail.1": "conv_last"},
        global_residual=False,
    ),
    "esrgan": _rrdb(
        "RRDB_trunk.{block}.RDB{dense}.conv{conv}",
        {"head": "conv_first", "trunk": "trunk_conv", "tail.0": "HRconv", "tail.1": "conv_last"},
        global_residual=False,
    ),
    "nafnet": Naming("encoders.", lambda own: own, _nafnet),
}
"""Naming -> how it is read."""
