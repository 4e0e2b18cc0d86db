"""What a generator is, and which there are: a new one is one module with an `ENTRY`, and its line in `HOMES`.

A module in `HOMES` defines a subclass of `Generator` and `ENTRY = Entry(...)`. `dbgan.networks.generator(kind,
network=NAME, ...)` then builds it, and `load_weights` rebuilds it from a file's metadata.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from torch import Tensor, nn

from dbgan.errors import ParamsError

Kind = Literal["bgan", "dbgan"]
Init = Literal["kaiming", "normal", "zero_last"]

KINDS: tuple[Kind, ...] = ("bgan", "dbgan")
INITS: tuple[Init, ...] = ("kaiming", "normal", "zero_last")

NOISE_CHANNELS = 4
"""Length of z ~ N(0, I), constant in space (section 3.2)."""

HOMES: dict[str, str] = {
    "residual": "dbgan.networks.generators",
    "nafnet": "dbgan.networks.nafnet",
    "trajectory": "dbgan.networks.trajectory",
}
"""Network -> the module whose `ENTRY` describes it."""

STORED = {"residual": "generator"}
"""Network -> its name in weight files where that differs: files of the first version say `generator`."""


class Generator(nn.Module):
    """Pictures in, pictures of the same size out: what training, synthesis and restoring ask of every network.

    Attributes:
        kind: "bgan": called as g(x, z), blurs; "dbgan": called as g(x), restores.
        architecture: JSON-able; "network" is the name in weight files, "kind" and the rest are `ENTRY.build`'s
            arguments.
        receptive_radius: px by which an output pixel sees to each side; the halo of tiles.
        stride: px; tiles begin at multiples of it. Above 1 where the network halves its picture.
        whole_pixels: pictures of at most so many px are never cut. Above 0 where tiles cannot equal the whole.
        values_per_pixel: input values of its smallest convolution per pixel of the picture, where tiles depend on it
            (`dbgan.networks.tiles`).
        export_by_tracing: `export_onnx` follows one run of it instead of its code, whose symbolic sizes take minutes.
        placed: it takes `place=(top, left, height, width)`: where a tile is, and the size of its picture, px.
    """

    kind: Kind
    architecture: dict[str, Any]
    receptive_radius: int
    stride: int = 1
    whole_pixels: int = 0
    values_per_pixel: float | None = None
    placed: bool = False
    export_by_tracing: bool = False

    def check(self, image: Tensor, z: Tensor | None) -> None:
        """Raise `ValueError` unless `image` is NCHW RGB and z is (N, 4) for a bgan, absent for a dbgan."""
        if image.ndim != 4 or image.shape[1] != 3:
            raise ValueError(f"{self.kind} generator: expected an NCHW RGB picture, found shape {tuple(image.shape)}")
        if self.kind == "dbgan" and z is not None:
            raise ValueError("dbgan generator: takes no noise z; only a bgan generator does")
        if self.kind == "bgan" and (z is None or tuple(z.shape) != (image.shape[0], NOISE_CHANNELS)):
            found = "none" if z is None else str(tuple(z.shape))
            raise ValueError(
                f"bgan generator: expected noise z of shape {(image.shape[0], NOISE_CHANNELS)}, found {found}"
            )

    def exportable(self) -> nn.Module:
        """What `export_onnx` takes the graph from: same arguments for one picture, same results; mostly itself."""
        return self


@dataclass(frozen=True, slots=True)
class Entry:
    """One network.

    Attributes:
        kinds: what it can be trained as.
        options: its own arguments and their defaults, as `generator` takes them.
        build: (kind=..., **options) -> the network with uninitialised memory; draws no random number. It also takes
            what the network's `architecture` holds. Raises `ParamsError` for values that do not fit.
        initialise: (network, init, seed) -> draws its starting weights in place, from the seed alone.
    """

    kinds: tuple[Kind, ...]
    options: Mapping[str, Any]
    build: Callable[..., Generator]
    initialise: Callable[[Any, Init, int], None]


def entry(network: str) -> Entry:
    """The entry of a network.

    Raises:
        ParamsError: no network of that name.
    """
    if network not in HOMES:
        raise ParamsError(f"generator network: expected one of {', '.join(HOMES)}, found {network!r}")
    return cast(Entry, importlib.import_module(HOMES[network]).ENTRY)


def stored_name(network: str) -> str:
    """What a weight file calls `network`."""
    return STORED.get(network, network)


def stored_networks() -> dict[str, str]:
    """Name in weight files -> network."""
    return {stored_name(network): network for network in HOMES}


def generator(
    kind: Kind,
    *,
    network: str | None = None,
    head: str | None = None,
    init: Init = "kaiming",
    seed: int = 0,
    **options: Any,
) -> Generator:
    """A generator with its starting weights, on the CPU, in training mode.

    Args:
        kind: "bgan": g(x, z) blurs; "dbgan": g(x) restores.
        network: a name of `HOMES`; `residual` (the paper's, `dbgan.networks.generators`) when not given.
        head: the same choice in the words used for a bgan, which paints the blurry picture or does not.
        init: `kaiming`: the ends of residual branches scaled by 0.1, so that training starts near the input with z at
            work; `normal`: N(0, 0.01), the paper's; `zero_last`: as `kaiming`, the last convolution zero: starts
            exactly at the input.
        seed: seed of the weights, which depend on no global random state.
        options: the network's own, listed in its `ENTRY`; for `residual`: block, blocks, width, growth, noise,
            global_residual, clamp (`dbgan.networks.generators.build`).

    Raises:
        ParamsError: an argument outside what is listed here or in the network's module.
    """
    if network is not None and head is not None and network != head:
        raise ParamsError(f"generator: head {head!r} and network {network!r} are two names of one choice; give one")
    name = network or head or "residual"
    chosen = entry(name)
    for what, value, allowed in (("kind", kind, KINDS), ("init", init, INITS)):
        if value not in allowed:
            raise ParamsError(f"generator {what}: expected one of {', '.join(allowed)}, found {value!r}")
    if kind not in chosen.kinds:
        raise ParamsError(f"generator network: {name} can be a {' or '.join(chosen.kinds)}, not a {kind}")
    for option in options:
        if option not in chosen.options:
            near = difflib.get_close_matches(option, chosen.options, n=1)
            raise ParamsError(
                f"generator network {name}: has no option {option!r}; its options are {', '.join(chosen.options)}."
                + (f"\nNext: did you mean {near[0]!r}?" if near else "")
            )
    built = chosen.build(kind=kind, **{**chosen.options, **options})
    chosen.initialise(built, init, seed)
    return built
