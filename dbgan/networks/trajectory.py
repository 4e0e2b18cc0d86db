"""The trajectory head of BGAN: blur as the integral of Eq. 1 along each pixel's path, in linear light (Eq. 4).

A small network at 1/4 resolution predicts how every pixel moves during the exposure and how far it is out of focus;
the blurry picture is the mean of the sharp one along these paths. So it blurs and can neither tint, nor invent, nor
sharpen. docs/paper.md tells where this departs from the paper, whose own head is `residual`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.errors import ParamsError
from dbgan.networks.generators import PlainBlock, convolution
from dbgan.networks.initialise import initialise, kaiming_std
from dbgan.networks.motion import (
    CELL,
    SMOOTHING,
    Fields,
    Place,
    average,
    cell_centres,
    cell_means,
    fitted,
    linear_to_srgb,
    longest_offset,
    luma,
    pixel_table,
    smoothed,
    srgb_to_linear,
    unstacked,
    upsampled,
    whole_cells,
)
from dbgan.networks.registry import NOISE_CHANNELS, Entry, Generator, Init, Kind
from dbgan.networks.trajectory_export import ExportableTrajectory

HIDDEN = 32
"""Width of the small network that bends the straight way from z to the motions."""

START = 0.5
"""Scale of the motions at the start."""

CAMERA = 7
"""Motions of the camera: shift x and y, its change x and y, roll, zoom, and focus."""

DEPTH = 0.1
"""Scale of the convolutions' part of the defocus, so that it starts even."""

TURN = 0.03
"""Largest roll, rad per exposure, and largest zoom, as a share of the size: what a hand does in a long exposure."""

LOCAL = 2.0
"""Fastest own motion of a layer, in quarters of `max_path`. Its direction is z's alone: left free, the convolutions
were seen to take over in 400 steps, every path at its limit whatever z."""

STRIP = 24
"""Rows that are sampled at a time without gradients: what lies between stays in the cache of the CPU."""

MAX_PATH_LIMIT = 64


class TrajectoryGenerator(Generator):
    """g(x, z): fields from x and z, and x averaged along them.

    z alone draws the motions, each odd in z, so that no direction is preferred: that of the camera (shift, its change,
    roll and zoom about the picture's centre) and those of `layers` things before it. The convolutions say where in the
    picture each of these is (a gate from 0 to 1) and what is out of focus.

    Attributes:
        samples: points along each path.
        max_path: longest path, px.
        max_defocus: largest radius of defocus, px.
        stride: tiles begin at multiples of it, px.
        receptive_radius: px by which an output pixel sees to each side, the larger of what its field sees and how far
            its path leads.
    """

    stride = CELL
    placed = True
    export_by_tracing = True

    def __init__(
        self, kind: Kind, blocks: int, width: int, layers: int, samples: int, max_path: float, max_defocus: float
    ) -> None:
        super().__init__()
        self.kind, self.layers = kind, layers
        self.samples, self.max_path, self.max_defocus = samples, float(max_path), float(max_defocus)
        self.architecture: dict[str, Any] = {
            "network": "trajectory",
            "kind": kind,
            "blocks": blocks,
            "width": width,
            "layers": layers,
            "samples": samples,
            "max_path": self.max_path,
            "max_defocus": self.max_defocus,
        }
        self.head = convolution(3 * CELL**2 + NOISE_CHANNELS, width)
        self.blocks = nn.ModuleList(PlainBlock(width, 0) for _ in range(blocks))
        self.inject = nn.ModuleList(nn.Linear(NOISE_CHANNELS, width) for _ in range(blocks))
        self.tail = convolution(width, layers + 1)
        # Odd in z, for want of biases: -z moves the picture the other way.
        motions = CAMERA + 4 * layers
        self.straight = nn.Linear(NOISE_CHANNELS, motions, bias=False)
        self.bent = nn.ModuleList(
            (nn.Linear(NOISE_CHANNELS, HIDDEN, bias=False), nn.Linear(HIDDEN, motions, bias=False))
        )
        self.values_per_pixel = min(3 * CELL**2 + NOISE_CHANNELS, width) / CELL**2
        self.reach = math.ceil(self.max_path / 2 + self.max_defocus)
        cells = 1 + blocks * PlainBlock.radius + 1 + sum(SMOOTHING) + 1
        self.values_per_pixel = min(width, self.head.in_channels) / CELL**2
        self.receptive_radius = max(cells * CELL + CELL - 1, self.reach + 1)

    def forward(self, image: Tensor, z: Tensor | None = None, place: Place | None = None) -> Tensor:
        """The blurry picture.

        Args:
            image: NCHW float RGB in [0, 1].
            z: (N, 4) float, N(0, I).
            place: where in a larger picture `image` is, whose centre the camera rolls about; None: it is the whole.

        Returns:
            NCHW float32 (float64 where `image` is), the shape of `image`, in [0, 1] (but for rounding in training).

        Raises:
            ValueError: z missing or of another shape.
        """
        self.check(image, z)
        assert z is not None
        return self.blur(image, self.fields(image, z, place))

    def fields(self, image: Tensor, z: Tensor, place: Place | None = None) -> Fields:
        """How every cell of `image` moves under the noise `z`; arguments as `forward`.

        They may be applied to another resolution of the same picture: predict on a reduced one, where motion lies
        within what the network has learnt, and `blur` the large one.
        """
        return self._motions(image, z, place)[0]

    def blur_and_layers(self, image: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """`forward` and `layers_of` at once, for a training that teaches the layers apart.

        No gradient of the picture reaches the convolutions, but for the last one's that tells the defocus: a
        discriminator asks for open gates everywhere, which makes blur stronger. z's motions get it all.
        """
        self.check(image, z)
        fields, gates = self._motions(image, z, None, taught_apart=True)
        return self.blur(image, fields), gates

    def layers_of(self, image: Tensor, z: Tensor) -> Tensor:
        """How far each layer is open: (N, layers, h, w) in [0, 1], one value for each cell."""
        self.check(image, z)
        return self._motions(image, z, None)[1]

    def _motions(
        self, image: Tensor, z: Tensor, place: Place | None, taught_apart: bool = False
    ) -> tuple[Fields, Tensor]:
        """The fields, and the layers' gates that they are made of; `taught_apart`: as `blur_and_layers` says."""
        picture = whole_cells(image)
        features = self._features(picture, z)
        told = self.tail(features)
        focus_told = self.tail(features.detach()) if taught_apart else told
        with torch.autocast(image.device.type, enabled=False):
            layers = 0.5 + 0.5 * _squashed(told[:, : self.layers].to(_precision(image)))
            gates = layers.detach() if taught_apart else layers
            depth = DEPTH * focus_told[:, self.layers :].to(gates.dtype)
            z = z.to(gates.dtype)
            drawn = (_applied(self.straight, z) + _applied(self.bent[1], _squashed(_applied(self.bent[0], z))))[
                ..., None, None
            ]
            shift, bend, turn, focus = drawn[:, :2], drawn[:, 2:4], TURN * _squashed(drawn[:, 4:6]), drawn[:, 6:7]
            x, y = cell_centres(image, place or (0, 0, *image.shape[-2:]))
            roll, zoom = turn[:, :1], turn[:, 1:]
            unit = self.max_path / 4.0
            velocity = shift * unit + torch.cat((zoom * x - roll * y, zoom * y + roll * x), dim=1)
            bend = (bend * unit).expand(-1, -1, *gates.shape[-2:])
            for k in range(self.layers):
                own = LOCAL * unit * _squashed(drawn[:, CAMERA + 4 * k : CAMERA + 4 * k + 4])
                velocity, bend = velocity + gates[:, k : k + 1] * own[:, :2], bend + gates[:, k : k + 1] * own[:, 2:]
            bounded = torch.cat(
                (
                    _bounded(velocity, 0.75 * self.max_path),
                    _bounded(bend, self.max_path),
                    self.max_defocus * 0.5 * (1.0 + _squashed(depth + focus - 1.0)),
                ),
                dim=1,
            )
            return unstacked(smoothed(bounded, cell_means(luma(picture.to(bounded.dtype))))), layers

    def blur(self, image: Tensor, fields: Fields) -> Tensor:
        """`image` averaged along `fields`: Eq. 1 in linear light (Eq. 4). Sampled in float32 under any autocast.

        Args:
            image: NCHW float RGB in [0, 1]; the picture that `fields` was predicted on, or a larger or smaller one.
            fields: of this picture; of another size, they are scaled to it.

        Returns:
            As `forward`. Beyond its border the picture counts as repeating its outermost pixels.
        """
        height, width = image.shape[-2:]
        with torch.autocast(image.device.type, enabled=False):
            picture = whole_cells(image).to(_precision(image))
            brightness = luma(picture)
            guide = cell_means(brightness)
            rows = guide.shape[-2]
            values = fitted(fields, picture).stacked()
            reach = max(self.reach, longest_offset(values))
            table, stride = pixel_table(srgb_to_linear(picture), reach)
            step = rows if torch.is_grad_enabled() else max(1, STRIP // CELL)
            strips = []
            for top in range(0, rows, step):
                fine = upsampled(values, brightness, guide, top, min(rows, top + step))
                strips.append(average(self.samples, table, stride, fine, top * CELL, reach))
            light = strips[0] if len(strips) == 1 else torch.cat(strips, dim=2)
            blurry = linear_to_srgb(light[..., :height, :width])
            # A mean of light needs no clamp but against rounding, and a clamp has no gradient where it acts.
            blurry = blurry if self.training else blurry.clamp(0.0, 1.0)
            return blurry.contiguous(memory_format=torch.channels_last)

    def exportable(self) -> ExportableTrajectory:
        """The same in operations that ONNX has."""
        return ExportableTrajectory(self)

    def _features(self, picture: Tensor, z: Tensor) -> Tensor:
        """(N, width, h, w): what the convolutions see in each cell, from which `tail` tells gates and defocus."""
        folded = F.pixel_unshuffle(picture, CELL)
        maps = z.to(folded.dtype)[:, :, None, None].expand(-1, -1, *folded.shape[-2:])
        features = self.head(torch.cat((folded, maps), dim=1).contiguous(memory_format=torch.channels_last))
        for block, inject in zip(self.blocks, self.inject, strict=True):
            told = _applied(inject, z).to(features.dtype)
            features = features + block(F.relu(features + told[:, :, None, None]))
        return features  # type: ignore[no-any-return]


def _precision(image: Tensor) -> torch.dtype:
    return torch.float64 if image.dtype == torch.float64 else torch.float32


def _applied(layer: nn.Module, z: Tensor) -> Tensor:
    """`layer`, a linear one, of (N, C): BLAS gives other last bits where weights lie at another place in memory, as
    those of a file do."""
    assert isinstance(layer, nn.Linear)
    outcome = (layer.weight.to(z.dtype) * z[:, None]).sum(-1)
    return outcome if layer.bias is None else outcome + layer.bias.to(z.dtype)


def _squashed(values: Tensor) -> Tensor:
    """Into (-1, 1), with a finite gradient for every input and the same bits everywhere, unlike torch's sigmoid."""
    return values / (1.0 + values.square()).sqrt()


def _bounded(vectors: Tensor, longest: float) -> Tensor:
    """(N, 2, h, w) vectors shortened to less than `longest`, hardly where they are short. Smooth everywhere."""
    return vectors / (1.0 + vectors.square().sum(1, keepdim=True) / longest**2).sqrt()


def build(
    *, kind: Kind, blocks: int, width: int, layers: int, samples: int, max_path: float, max_defocus: float
) -> TrajectoryGenerator:
    """A trajectory head whose weights are uninitialised memory.

    Args:
        kind: "bgan"; a trajectory blurs.
        blocks: of five convolutions each, at 1/4 resolution.
        width: feature channels.
        layers: things that can move on their own before the camera; 0: the picture moves as one.
        samples: points along each path; with fewer than one for every 2 px, bright points leave dotted trails.
        max_path: longest path, px of the picture that the network sees.
        max_defocus: largest radius of defocus, px.

    Raises:
        ParamsError: a value outside its range.
    """
    for name, value, low, high in (
        ("blocks", blocks, 1, 64),
        ("width", width, 4, 512),
        ("layers", layers, 0, 8),
        ("samples", samples, 2, 257),
        ("max_path", max_path, 1, MAX_PATH_LIMIT),
        ("max_defocus", max_defocus, 0, 16),
    ):
        if not low <= value <= high:
            raise ParamsError(f"generator trajectory {name}: expected {low} to {high}, found {value}")
    with torch.device("meta"):
        network = TrajectoryGenerator(kind, blocks, width, layers, samples, max_path, max_defocus)
    return network.to_empty(device="cpu")


def start(network: TrajectoryGenerator, init: Init, seed: int) -> None:
    """Draw the starting weights: z moves the whole picture by about a tenth of `max_path`, its layers by less.

    That is less than real blur has, so that the discriminator has something to learn before G moves: with a start as
    strong as the real it stayed at chance (docs/results.md).

    Raises:
        ParamsError: init `zero_last`: with no motion at all the gradient is zero, and training could not leave it.
    """
    if init == "zero_last":
        raise ParamsError(
            "generator trajectory init: zero_last starts with no motion, where the gradient is zero.\n"
            "Next: use init: kaiming."
        )

    def std(name: str, weight: Tensor) -> float:
        if init == "normal":
            return 0.01
        ends_branch = name.endswith("convs.4")
        linear = ends_branch or name.startswith(("bent", "inject", "tail"))
        scale = 0.1 if ends_branch or name == "bent.1" else 1.0
        return 0.0 if name == "straight" else kaiming_std(weight, 1.0 if linear else 0.0) * scale

    initialise(network, std, seed=seed, purpose="generator-trajectory")
    with torch.no_grad():
        for row, drawn in enumerate(straight_motions(network.layers)):
            for which, amount in drawn.items():
                network.straight.weight[row, which] = START * amount


def straight_motions(layers: int) -> list[dict[int, float]]:
    """Which of z's four numbers draws which motion at the start, and how strongly: shift, its change, roll, zoom, focus
    of the camera, then shift and change of each layer.

    Two numbers per shift, equal in strength: every direction is as likely as any other, which random weights did not
    give (of 64 draws none in a sixth of all directions).
    """
    camera: list[dict[int, float]] = [{0: 1.0}, {1: 1.0}, {2: 1.0}, {3: 1.0}, {2: 0.5}, {3: 0.5}, {1: 0.5, 3: 0.5}]
    own: list[dict[int, float]] = []
    for k in range(layers):
        way = (2 + k) % NOISE_CHANNELS, (3 + k) % NOISE_CHANNELS
        own += [{way[0]: 1.0}, {way[1]: 1.0}, {way[1]: -0.5}, {way[0]: 0.5}]
    return camera + own


ENTRY = Entry(
    kinds=("bgan",),
    options={"blocks": 2, "width": 32, "layers": 2, "samples": 13, "max_path": 20.0, "max_defocus": 3.0},
    build=build,
    initialise=start,
)
