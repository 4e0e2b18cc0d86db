"""Generators: BGAN (sharp picture and noise -> blurry picture) and DBGAN (blurry -> sharp). Paper section 3.1, Fig. 2.

Three block kinds, because the paper's text (`plain`), its Fig. 2 (`rdb`) and the released code (`rrdb`) disagree;
docs/paper.md tells why which is the default. Other networks stand beside this one in `dbgan.networks.registry`.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.errors import ParamsError
from dbgan.networks.initialise import initialise, kaiming_std
from dbgan.networks.registry import NOISE_CHANNELS as NOISE_CHANNELS
from dbgan.networks.registry import Entry, Init, Kind, stored_name
from dbgan.networks.registry import Generator as Generator

Block = Literal["plain", "rdb", "rrdb"]
Noise = Literal["input", "blocks"]

RESIDUAL_SCALE = 0.2
"""Dense residuals are scaled before they are added, as in the released network."""

DEFAULT_BLOCKS: dict[str, int] = {"bgan": 9, "dbgan": 16}


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """3x3, zero padding, bias: the only convolution of the paper's generators."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


class PlainBlock(nn.Module):
    """Five 3x3 convolutions, ReLU between them (section 3.2). Returns what is to be added to its input."""

    radius = 5

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convolution(width, width) for _ in range(5))

    def forward(self, features: Tensor) -> Tensor:
        for conv in self.convs[:-1]:
            features = F.relu(conv(features))
        return cast(Tensor, self.convs[-1](features))


class DenseBlock(nn.Module):
    """Residual dense block (Fig. 2): each convolution sees all before it; LeakyReLU 0.2. Returns the residual."""

    radius = 5

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convolution(width + i * growth, width if i == 4 else growth) for i in range(5))

    def forward(self, features: Tensor) -> Tensor:
        seen = features
        for conv in self.convs[:-1]:
            seen = torch.cat((seen, F.leaky_relu(conv(seen), 0.2)), dim=1)
        return cast(Tensor, self.convs[-1](seen)) * RESIDUAL_SCALE


class ResidualInResidualBlock(nn.Module):
    """Three residual dense blocks inside a residual (RRDB, the released DBGAN). Returns the scaled residual."""

    radius = 15

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.dense = nn.ModuleList(DenseBlock(width, growth) for _ in range(3))

    def forward(self, features: Tensor) -> Tensor:
        for dense in self.dense:
            features = features + dense(features)
        return features * RESIDUAL_SCALE


BLOCKS: dict[str, type[PlainBlock] | type[DenseBlock] | type[ResidualInResidualBlock]] = {
    "plain": PlainBlock,
    "rdb": DenseBlock,
    "rrdb": ResidualInResidualBlock,
}


class ResidualGenerator(Generator):
    """input + residual(input, z): convolution, blocks, two convolutions; `rrdb` adds a trunk convolution and long skip.

    Without the global residual the residual itself is the picture. Arguments as in `build`.
    """

    def __init__(
        self,
        kind: Kind,
        block: Block,
        blocks: int,
        width: int,
        growth: int,
        noise: Noise,
        global_residual: bool,
        clamp: bool,
    ) -> None:
        super().__init__()
        self.kind, self.noise = kind, noise
        self.global_residual, self.clamp = global_residual, clamp
        self.architecture: dict[str, Any] = {
            "network": stored_name("residual"),
            "kind": kind,
            "block": block,
            "blocks": blocks,
            "width": width,
            "growth": growth,
        }
        if kind == "bgan":
            self.architecture["noise"] = noise
        # Only what differs from the paper's network is told: files written before there was a choice keep their bytes.
        self.architecture |= {} if global_residual else {"global_residual": False}
        self.architecture |= {} if clamp else {"clamp": False}
        self.head = convolution(3 + (NOISE_CHANNELS if kind == "bgan" else 0), width)
        self.blocks = nn.ModuleList(BLOCKS[block](width, growth) for _ in range(blocks))
        injected = blocks if kind == "bgan" and noise == "blocks" else 0
        self.inject = nn.ModuleList(nn.Linear(NOISE_CHANNELS, width) for _ in range(injected))
        self.trunk = convolution(width, width) if block == "rrdb" else None
        self.tail = nn.ModuleList((convolution(width, width), convolution(width, 3)))
        self.tail_slope = 0.2 if block == "rrdb" else 0.0
        self.values_per_pixel = 3.0  # the picture's own channels: what comes behind has more
        self.receptive_radius = 1 + blocks * BLOCKS[block].radius + (1 if block == "rrdb" else 0) + 2

    def forward(self, image: Tensor, z: Tensor | None = None) -> Tensor:
        """The blurred (BGAN) or restored (DBGAN) picture.

        Args:
            image: NCHW float RGB in [0, 1].
            z: (N, 4) float, N(0, I): BGAN needs it, DBGAN takes none.

        Returns:
            NCHW, the shape of `image`; clamped to [0, 1] in eval mode only, because a clamp zeroes gradients.

        Raises:
            ValueError: z missing, unexpected or of another shape.
        """
        self.check(image, z)
        output = self.residual(image, z)
        if self.global_residual:
            output = image + output
        return output.clamp(0.0, 1.0) if self.clamp and not self.training else output

    def residual(self, image: Tensor, z: Tensor | None = None) -> Tensor:
        """What the network adds to its input; arguments as in `forward`."""
        entering = image
        if z is not None:
            maps = z.to(image.dtype)[:, :, None, None].expand(-1, -1, *image.shape[-2:])
            entering = torch.cat((image, maps), dim=1)
            if image.is_contiguous(memory_format=torch.channels_last):
                entering = entering.contiguous(memory_format=torch.channels_last)  # cat with an expanded map loses it
        features = first = self.head(entering)
        for index, block in enumerate(self.blocks):
            seen = features + self.inject[index](z)[:, :, None, None] if self.inject else features
            features = features + block(seen)
        if self.trunk is not None:
            features = first + self.trunk(features)
        return cast(Tensor, self.tail[1](F.leaky_relu(self.tail[0](features), self.tail_slope)))


def build(
    *,
    kind: Kind,
    block: Block,
    blocks: int | None,
    width: int,
    growth: int,
    noise: Noise = "input",
    global_residual: bool = True,
    clamp: bool = True,
) -> ResidualGenerator:
    """A generator whose weights are uninitialised memory; draws no random number.

    Args:
        kind: "bgan": g(x, z) blurs; "dbgan": g(x) restores.
        block: `plain` (text: 5 convolutions), `rdb` (Fig. 2: dense), `rrdb` (released code: 3 dense blocks each).
        blocks: number of blocks; 9 for BGAN and 16 for DBGAN when not given.
        width: feature channels.
        growth: channels that a dense block adds per convolution; `plain` has none.
        noise: BGAN only: z enters at the `input`, or also at all `blocks`.
        global_residual: the network's output is added to its input (released code), or is the picture itself.
        clamp: outputs are clamped to [0, 1] outside training.

    Raises:
        ParamsError: an argument outside what is listed here.
    """
    for name, value, allowed in (("block", block, tuple(BLOCKS)), ("noise", noise, ("input", "blocks"))):
        if value not in allowed:
            raise ParamsError(f"generator {name}: expected one of {', '.join(allowed)}, found {value!r}")
    if kind == "dbgan" and noise != "input":
        raise ParamsError("generator noise: only a bgan has noise; leave it out for a dbgan")
    depth = DEFAULT_BLOCKS[kind] if blocks is None else blocks
    if min(depth, width, growth) < 1:
        raise ParamsError(f"generator: blocks, width and growth are at least 1, found {depth}, {width} and {growth}")
    with torch.device("meta"):
        network = ResidualGenerator(kind, block, depth, width, growth, noise, global_residual, clamp)
    return network.to_empty(device="cpu")


def start(network: ResidualGenerator, init: Init, seed: int) -> None:
    """Draw the starting weights in place.

    Raises:
        ParamsError: `zero_last` without the global residual, which would start as a black picture.
    """
    if init == "zero_last" and not network.global_residual:
        raise ParamsError(
            "generator init: zero_last starts at the input; without global_residual the network would start black.\n"
            "Next: set init to kaiming, or global_residual to true."
        )
    purpose = f"generator-{network.kind}"
    initialise(network, lambda name, weight: _std(network, init, name, weight), seed=seed, purpose=purpose)


def _std(network: ResidualGenerator, init: Init, name: str, weight: Tensor) -> float:
    """Standard deviation of one weight. `kaiming` scales the end of every residual branch, not all convolutions:
    0.1 in each of a block's five would leave 1e-5 of its signal and of z."""
    if init == "normal":
        return 0.01
    if init == "zero_last" and name == "tail.1":
        return 0.0
    slope = 0.0 if network.architecture["block"] == "plain" else 0.2
    last = name == "tail.1"
    ends_branch = name.endswith("convs.4") or (last and network.global_residual)
    return kaiming_std(weight, 1.0 if last or ends_branch else slope) * (0.1 if ends_branch else 1.0)


ENTRY = Entry(
    kinds=("bgan", "dbgan"),
    options={
        "block": "plain",
        "blocks": None,
        "width": 64,
        "growth": 32,
        "noise": "input",
        "global_residual": True,
        "clamp": True,
    },
    build=build,
    initialise=start,
)


def parameter_count(network: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
