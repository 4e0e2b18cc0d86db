"""Generators: BGAN (sharp picture and noise -> blurry picture) and DBGAN (blurry -> sharp). Paper section 3.1, Fig. 2.

Three block kinds, because the paper's text (`plain`), its Fig. 2 (`rdb`) and the released code (`rrdb`) disagree;
docs/paper.md tells why which is the default.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.errors import ParamsError
from dbgan.networks.initialise import initialise, kaiming_std

Kind = Literal["bgan", "dbgan"]
Block = Literal["plain", "rdb", "rrdb"]
Init = Literal["kaiming", "normal", "zero_last"]
Noise = Literal["input", "blocks"]

NOISE_CHANNELS = 4
"""Length of z ~ N(0, I), constant in space (section 3.2)."""

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


class Generator(nn.Module):
    """input + residual(input, z): convolution, blocks, two convolutions; `rrdb` adds a trunk convolution and long skip.

    Attributes:
        architecture: the arguments that rebuild this network (without its init and seed), JSON-able.
        receptive_radius: px by which an output pixel sees to each side.
    """

    def __init__(self, kind: Kind, block: Block, blocks: int, width: int, growth: int, noise: Noise) -> None:
        super().__init__()
        self.kind, self.noise = kind, noise
        self.architecture: dict[str, Any] = {
            "network": "generator",
            "kind": kind,
            "block": block,
            "blocks": blocks,
            "width": width,
            "growth": growth,
        }
        if kind == "bgan":
            self.architecture["noise"] = noise
        self.head = convolution(3 + (NOISE_CHANNELS if kind == "bgan" else 0), width)
        self.blocks = nn.ModuleList(BLOCKS[block](width, growth) for _ in range(blocks))
        injected = blocks if kind == "bgan" and noise == "blocks" else 0
        self.inject = nn.ModuleList(nn.Linear(NOISE_CHANNELS, width) for _ in range(injected))
        self.trunk = convolution(width, width) if block == "rrdb" else None
        self.tail = nn.ModuleList((convolution(width, width), convolution(width, 3)))
        self.tail_slope = 0.2 if block == "rrdb" else 0.0
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
        self._check(image, z)
        output = image + self.residual(image, z)
        return output if self.training else output.clamp(0.0, 1.0)

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

    def _check(self, image: Tensor, z: Tensor | None) -> None:
        if image.ndim != 4 or image.shape[1] != 3:
            raise ValueError(f"{self.kind} generator: expected an NCHW RGB picture, found shape {tuple(image.shape)}")
        if self.kind == "dbgan" and z is not None:
            raise ValueError("dbgan generator: takes no noise z; only a bgan generator does")
        if self.kind == "bgan" and (z is None or tuple(z.shape) != (image.shape[0], NOISE_CHANNELS)):
            found = "none" if z is None else str(tuple(z.shape))
            raise ValueError(
                f"bgan generator: expected noise z of shape {(image.shape[0], NOISE_CHANNELS)}, found {found}"
            )


def generator(
    kind: Kind,
    *,
    block: Block = "plain",
    blocks: int | None = None,
    width: int = 64,
    growth: int = 32,
    init: Init = "kaiming",
    noise: Noise = "input",
    seed: int = 0,
) -> Generator:
    """A generator with its starting weights, on the CPU, in training mode.

    Args:
        kind: "bgan": g(x, z) blurs; "dbgan": g(x) restores.
        block: `plain` (text: 5 convolutions), `rdb` (Fig. 2: dense), `rrdb` (released code: 3 dense blocks each).
        blocks: number of blocks; 9 for BGAN and 16 for DBGAN when not given.
        width: feature channels.
        growth: channels that a dense block adds per convolution; `plain` has none.
        init: `kaiming`: the last convolution of each block and of the network scaled by 0.1, so that training starts
            near the input with z at work; `normal`: N(0, 0.01), the paper's; `zero_last`: as `kaiming`, the last
            convolution zero: starts exactly at the input.
        noise: BGAN only: z enters at the `input`, or also at all `blocks`.
        seed: seed of the weights, which depend on no global random state.

    Raises:
        ParamsError: an argument outside what is listed here.
    """
    for name, value, allowed in (
        ("kind", kind, DEFAULT_BLOCKS),
        ("block", block, BLOCKS),
        ("init", init, ("kaiming", "normal", "zero_last")),
        ("noise", noise, ("input", "blocks")),
    ):
        if value not in allowed:
            raise ParamsError(f"generator {name}: expected one of {', '.join(allowed)}, found {value!r}")
    if kind == "dbgan" and noise != "input":
        raise ParamsError("generator noise: only a bgan has noise; leave it out for a dbgan")
    network = build(
        kind=kind, block=block, blocks=blocks or DEFAULT_BLOCKS[kind], width=width, growth=growth, noise=noise
    )
    initialise(network, lambda name, weight: _std(network, init, name, weight), seed=seed, purpose=f"generator-{kind}")
    return network


def build(*, kind: Kind, block: Block, blocks: int, width: int, growth: int, noise: Noise = "input") -> Generator:
    """A generator whose weights are uninitialised memory; draws no random number."""
    with torch.device("meta"):
        network = Generator(kind, block, blocks, width, growth, noise)
    return network.to_empty(device="cpu")


def _std(network: Generator, init: Init, name: str, weight: Tensor) -> float:
    """Standard deviation of one weight. `kaiming` scales the end of every residual branch, not all convolutions:
    0.1 in each of a block's five would leave 1e-5 of its signal and of z."""
    if init == "normal":
        return 0.01
    if init == "zero_last" and name == "tail.1":
        return 0.0
    slope = 0.0 if network.architecture["block"] == "plain" else 0.2
    ends_branch = name == "tail.1" or name.endswith("convs.4")
    return kaiming_std(weight, 1.0 if ends_branch else slope) * (0.1 if ends_branch else 1.0)


def parameter_count(network: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
