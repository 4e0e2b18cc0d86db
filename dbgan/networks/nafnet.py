"""NAFNet (Chen, Chu, Zhang, Sun: "Simple Baselines for Image Restoration", ECCV 2022), to restore.

The published net is fully named by `width` and the numbers of blocks: GOPRO's are [1, 1, 1, 28], 1, [1, 1, 1, 1] at
width 32 (17.1 M parameters) or 64 (67.9 M). Tensor names and shapes are the published ones.

Its channel attention averages over the whole picture: in training over the crop, and a full picture then has other
statistics than the crops the weights were trained on. So outside training every pixel gets the average over a window
of `pooling` px around it, shifted to lie within the picture (TLC; Chu, Chen, Chen, Lu: "Improving Image Restoration by
Revisiting Global Information Aggregation", ECCV 2022, which takes windows of 1.5 times the training crop).

Each attention looks over half a window and 36 follow each other: no finite halo makes tiles equal the whole. Pictures
of at most `whole_pixels` are therefore never cut, and for larger ones `dbgan.networks.tiles` says that they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.errors import ParamsError
from dbgan.networks.initialise import initialise, kaiming_std
from dbgan.networks.registry import Entry, Generator, Init, Kind

WHOLE_PIXELS = 1920 * 1088
"""Largest picture that is computed in one piece, px: width 64 then needs about 7 GB (16 times what 480x272 px took)."""


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, features: Tensor) -> Tensor:
        last = features.permute(0, 2, 3, 1)
        return F.layer_norm(last, self.weight.shape, self.weight, self.bias, 1e-6).permute(0, 3, 1, 2)


def gate(features: Tensor) -> Tensor:
    """SimpleGate: the product of the two halves of the channels (section 4.2)."""
    one, other = features.chunk(2, dim=1)
    return one * other


def window_means(features: Tensor, side: int) -> Tensor:
    """Mean over a window of `side` px (or the whole length, where that is shorter) around each pixel; windows that
    would leave the picture are shifted into it.

    Args:
        features: NCHW float.
        side: px, at least 1.

    Returns:
        NCHW float32 (float64 for float64) of the same shape.
    """
    means = features if features.dtype == torch.float64 else features.float()
    for dim in (2, 3):
        length = means.shape[dim]
        count = min(side, length)
        first = (torch.arange(length, device=means.device) - count // 2).clamp(0, length - count)
        sums = F.pad(means.cumsum(dim), (0, 0, 1, 0) if dim == 2 else (1, 0))
        means = (sums.index_select(dim, first + count) - sums.index_select(dim, first)) / count
    return means


class NafBlock(nn.Module):
    """Two residual branches without activation functions: convolutions, gate and channel attention; then a gated 1x1
    pair (section 4.3, Fig. 3c)."""

    def __init__(self, channels: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.norm1, self.norm2 = ChannelNorm(channels), ChannelNorm(channels)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.sca = nn.ModuleDict({"1": nn.Conv2d(channels, channels, 1)})
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.empty(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.empty(1, channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        inner = gate(self.conv2(self.conv1(self.norm1(features))))
        inner = self.conv3(inner * self.attention(inner))
        features = features + inner * self.beta
        return cast(Tensor, features + self.conv5(gate(self.conv4(self.norm2(features)))) * self.gamma)

    def attention(self, features: Tensor) -> Tensor:
        """Simplified channel attention (Eq. 6): a factor per channel, of the crop in training, else of the window."""
        if self.training or self.window == 0:
            return cast(Tensor, self.sca["1"](features.mean(dim=(2, 3), keepdim=True)))
        return cast(Tensor, self.sca["1"](window_means(features, self.window).to(features.dtype)))


class NafNet(Generator):
    """input + residual(input): a U of `NafBlock`s, halved by 2x2 convolutions and doubled by pixel shuffles.

    Attributes:
        receptive_radius: px by which a pixel sees through the convolutions; attention sees further.
        stride: px; tiles begin at multiples of it, so that they are halved where the whole is.
        whole_pixels: pictures of at most so many px are never cut into tiles.
    """

    def __init__(
        self, width: int, encoder: Sequence[int], middle: int, decoder: Sequence[int], pooling: int, clamp: bool
    ) -> None:
        super().__init__()
        self.kind, self.clamp = "dbgan", clamp
        self.architecture: dict[str, Any] = {
            "network": "nafnet",
            "kind": "dbgan",
            "width": width,
            "encoder": list(encoder),
            "middle": middle,
            "decoder": list(decoder),
            "pooling": pooling,
        }
        self.architecture |= {} if clamp else {"clamp": False}
        depth = len(encoder)

        def blocks(count: int, scale: int) -> nn.Sequential:
            window = max(1, pooling >> scale) if pooling else 0
            return nn.Sequential(*(NafBlock(width << scale, window) for _ in range(count)))

        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.ending = nn.Conv2d(width, 3, 3, padding=1)
        self.encoders = nn.ModuleList(blocks(count, scale) for scale, count in enumerate(encoder))
        self.downs = nn.ModuleList(nn.Conv2d(width << k, width << k + 1, 2, stride=2) for k in range(depth))
        self.middle_blks = blocks(middle, depth)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width << k, width << k + 1, 1, bias=False), nn.PixelShuffle(2))
            for k in range(depth, 0, -1)
        )
        self.decoders = nn.ModuleList(blocks(count, depth - 1 - index) for index, count in enumerate(decoder))
        self.stride = 1 << depth
        self.whole_pixels = WHOLE_PIXELS
        per_scale = [down + up for down, up in zip(encoder, reversed(decoder), strict=True)] + [middle]
        self.receptive_radius = 2 + sum(count << scale for scale, count in enumerate(per_scale)) + self.stride - 1

    def forward(self, image: Tensor, z: Tensor | None = None) -> Tensor:
        """The restored picture.

        Args:
            image: NCHW float RGB in [0, 1], any size.
            z: None: it takes no noise.

        Returns:
            NCHW, the shape of `image`; clamped to [0, 1] in eval mode only, because a clamp zeroes gradients.

        Raises:
            ValueError: no RGB, or a z.
        """
        self.check(image, z)
        output = image + self.residual(image)
        return output.clamp(0.0, 1.0) if self.clamp and not self.training else output

    def residual(self, image: Tensor) -> Tensor:
        """What the network adds to its input; sizes that cannot be halved often enough are padded with zeros."""
        height, width = image.shape[-2:]
        features = self.intro(F.pad(image, (0, -width % self.stride, 0, -height % self.stride)))
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            skips.append(encoder(features))
            features = down(skips[-1])
        features = self.middle_blks(features)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            features = decoder(up(features) + skips.pop())
        return cast(Tensor, self.ending(features))[..., :height, :width]


def build(
    *,
    kind: Kind,
    width: int,
    encoder: Sequence[int],
    middle: int,
    decoder: Sequence[int],
    pooling: int,
    clamp: bool = True,
) -> NafNet:
    """A NAFNet whose weights are uninitialised memory; draws no random number.

    Args:
        kind: "dbgan".
        width: channels at full resolution, doubled with every halving; published: 32 and 64.
        encoder: blocks at each resolution on the way down; published for GOPRO: 1, 1, 1, 28.
        middle: blocks at the lowest resolution; published: 1.
        decoder: blocks at each resolution on the way up, as many as `encoder` has; published: 1, 1, 1, 1.
        pooling: side of the attention's window outside training, px of the picture; 0: the whole picture.
        clamp: outputs are clamped to [0, 1] outside training.

    Raises:
        ParamsError: a value outside what is listed here.
    """
    if kind != "dbgan":
        raise ParamsError(f"generator network: nafnet can be a dbgan, not a {kind}")
    if (
        not encoder
        or len(encoder) != len(decoder)
        or min(*encoder, *decoder, middle) < 0
        or min(width, 1 + pooling) < 1
    ):
        raise ParamsError(
            "nafnet: expected as many numbers of blocks (0 or more) in encoder as in decoder, width 1 or more and "
            f"pooling 0 or more; found encoder {list(encoder)}, middle {middle}, decoder {list(decoder)}, "
            f"width {width}, pooling {pooling}."
        )
    with torch.device("meta"):
        network = NafNet(width, encoder, middle, decoder, pooling, clamp)
    return network.to_empty(device="cpu")


@torch.no_grad()
def start(network: NafNet, init: Init, seed: int) -> None:
    """Draw the starting weights in place: as published every block begins as the identity (beta = gamma = 0)."""

    def std(name: str, weight: Tensor) -> float:
        if init == "normal":
            return 0.01
        if name == "ending":
            return 0.0 if init == "zero_last" else 0.1 * kaiming_std(weight, 1.0)
        return kaiming_std(weight, 1.0)

    initialise(network, std, seed=seed, purpose="generator-nafnet")
    for module in network.modules():
        if isinstance(module, ChannelNorm):
            module.weight.fill_(1.0)
            module.bias.zero_()
        elif isinstance(module, NafBlock):
            module.beta.zero_()
            module.gamma.zero_()


ENTRY = Entry(
    kinds=("dbgan",),
    options={
        "width": 32,
        "encoder": (1, 1, 1, 28),
        "middle": 1,
        "decoder": (1, 1, 1, 1),
        "pooling": 192,
        "clamp": True,
    },
    build=build,
    initialise=start,
)
