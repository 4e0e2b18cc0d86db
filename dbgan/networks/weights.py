"""Weight files: safetensors that carry their architecture, so that a file alone rebuilds its network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from dbgan import files
from dbgan.errors import DbganError, WeightsError
from dbgan.networks import discriminators, registry
from dbgan.networks.discriminators import Discriminator
from dbgan.networks.registry import Generator

ARCHITECTURE = "architecture"
"""The only metadata key: safetensors orders several at random, and equal networks must give equal bytes."""


DISCRIMINATOR = "discriminator"
"""What the metadata of a discriminator's file call it; generators have the names of `dbgan.networks.registry`."""


def save_weights(path: Path, network: Generator | Discriminator) -> bool:
    """Write `network`'s weights and architecture, atomically. Equal weights give equal bytes.

    Args:
        path: the file, usually `weights.safetensors`.
        network: on any device, in any memory format.

    Returns:
        Whether anything was written: a file that already holds these bytes is left alone.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    architecture = json.dumps(network.architecture, sort_keys=True, separators=(",", ":"))
    return files.write_bytes(Path(path), save(tensors, metadata={ARCHITECTURE: architecture}))


def load_weights(path: Path) -> Generator | Discriminator:
    """Rebuild the network of a file that `save_weights` wrote, on the CPU, in eval mode.

    Args:
        path: the file.

    Raises:
        WeightsError: no such file, another format, an unknown architecture, or tensors that do not fit it (all of
            them are listed).
    """
    path = Path(path)
    architecture, tensors = _read(path)
    network = _build(path, architecture)
    check_tensors(path, tensors, network.state_dict())
    network.load_state_dict(tensors, assign=True)
    return network.eval()


FIT = "Next: use the file of the run that trained this network, or train again."


def check_tensors(path: Path, found: dict[str, Tensor], expected: dict[str, Tensor], next_step: str = FIT) -> None:
    """Raise `WeightsError` naming every tensor of `found` that is missing, surplus, of another shape or not finite."""
    wrong = [f"missing: {name} {tuple(expected[name].shape)}" for name in sorted(expected.keys() - found.keys())]
    wrong += [f"not of this network: {name}" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(expected.keys() & found.keys()):
        if found[name].shape != expected[name].shape:
            wrong.append(f"{name}: expected {tuple(expected[name].shape)}, found {tuple(found[name].shape)}")
        elif not bool(found[name].isfinite().all()):
            wrong.append(f"{name}: holds NaN or infinite numbers, as a training that diverged leaves them")
    if wrong:
        listed = "\n  ".join(wrong)
        raise WeightsError(
            f"{path}: {len(wrong)} tensors do not fit the network ({len(expected)} expected, {len(found)} found):\n"
            f"  {listed}\n{next_step}"
        )


def _open(path: Path) -> Any:
    if not path.is_file():
        raise WeightsError(f"{path}: no such weight file.\nNext: train the network, or `dvc pull` its model folder.")
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise WeightsError(
            f"{path}: expected a safetensors file, found something else ({error}).\n"
            "Next: fetch it again; or, if it is a checkpoint of another program, `dbgan weights import FILE OUT`."
        ) from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    with _open(path) as handle:
        return _architecture(path, handle.metadata()), {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118


def _architecture(path: Path, metadata: dict[str, str] | None) -> dict[str, Any]:
    text = (metadata or {}).get(ARCHITECTURE)
    if text is None:
        raise WeightsError(
            f"{path}: expected the metadata key {ARCHITECTURE!r} that tells which network the weights are of, "
            f"found {sorted(metadata or {}) or 'no metadata'}.\nNext: write it with dbgan.networks.save_weights."
        )
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise WeightsError(f"{path}: the metadata key {ARCHITECTURE!r} is not JSON: {text[:200]!r}") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{path}: the metadata key {ARCHITECTURE!r} is no JSON object: {text[:200]!r}")
    return value


def _build(path: Path, architecture: dict[str, Any]) -> Generator | Discriminator:
    arguments = dict(architecture)
    network = arguments.pop("network", None)
    generators = registry.stored_networks()
    if network != DISCRIMINATOR and network not in generators:
        known = ", ".join([*generators, DISCRIMINATOR])
        raise WeightsError(f"{path}: expected a network of kind {known}, found {network!r}")
    try:
        builder = discriminators.build if network == DISCRIMINATOR else registry.entry(generators[network]).build
        built: Generator | Discriminator = builder(**arguments)
    except (TypeError, KeyError, ValueError, DbganError) as error:
        raise WeightsError(
            f"{path}: this version cannot build the network {architecture} ({type(error).__name__}: {error}).\n"
            "Next: use the dbgan version that wrote the file."
        ) from error
    return built


def require_generator(network: nn.Module, kind: str, path: Path) -> Generator:
    """`network` as a generator of `kind` ("bgan" or "dbgan"), or `WeightsError` naming what the file holds."""
    if isinstance(network, Generator) and network.kind == kind:
        return network
    found = getattr(network, "architecture", {})
    raise WeightsError(
        f"{path}: expected the weights of a {kind} generator, found {found.get('network')} {found.get('kind')}.\n"
        f"Next: give a file from models/{kind}/."
    )
