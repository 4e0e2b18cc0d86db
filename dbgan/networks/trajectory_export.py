"""The trajectory head in operations that torch's ONNX exporter translates.

`TrajectoryGenerator.blur` reads how far a path leads from its fields, works in strips of rows and sums by
`embedding_bag`: none of it has a counterpart in ONNX. Here paths lead as far as they ever may, and samples are gathered
a few at a time: the same numbers but for the order of sums, with more memory, and free in height and width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dbgan.networks.motion import (
    CELL,
    cell_means,
    linear_to_srgb,
    luma,
    path_points,
    srgb_to_linear,
    upsampled,
)

if TYPE_CHECKING:
    from dbgan.networks.trajectory import TrajectoryGenerator

TOGETHER = 4
"""Samples gathered at a time; each takes some 60 bytes a pixel."""


class ExportableTrajectory(nn.Module):
    """g(image, z) of one picture, as `network` in eval mode gives it.

    Args:
        network: whose weights it shares.
    """

    t: Tensor
    bend: Tensor
    disk_x: Tensor
    disk_y: Tensor

    def __init__(self, network: TrajectoryGenerator) -> None:
        super().__init__()
        self.network = network
        for name, values in zip(("t", "bend", "disk_x", "disk_y"), path_points(network.samples), strict=True):
            self.register_buffer(name, values, persistent=False)
        self.eval()

    def forward(self, image: Tensor, z: Tensor) -> Tensor:
        """(1, 3, H, W) float32 in [0, 1] and (1, 4) -> (1, 3, H, W) in [0, 1]."""
        height, width = image.shape[-2:]
        picture = window(image, 0, up_to_cells(height), 0, up_to_cells(width))
        fields = self.network.fields(picture, z, (0, 0, height, width))
        brightness = luma(picture)
        guide = cell_means(brightness)
        fine = upsampled(fields.stacked(), brightness, guide, 0, guide.shape[-2])
        light = self.average(srgb_to_linear(picture), fine)
        return linear_to_srgb(light[..., :height, :width]).clamp(0.0, 1.0)

    def average(self, light: Tensor, fields: Tensor) -> Tensor:
        """Mean of `light` (1, 3, H, W) along the path of every pixel; `fields` (1, 5, H, W): `motion.average`'s."""
        height, width = light.shape[-2:]
        reach = self.network.reach + 1
        padded = window(light, -reach, height + reach + 1, -reach, width + reach + 1)
        stride = width + 2 * reach + 1
        table = padded[0].permute(1, 2, 0).reshape(-1, 3)
        vx, vy, ax, ay, radius = fields[0].reshape(5, -1, 1).unbind()
        rows = torch.arange(height, device=light.device)[:, None] + reach
        columns = torch.arange(width, device=light.device) + reach
        place = (rows * stride + columns).reshape(-1, 1)
        total = torch.zeros_like(light).reshape(3, -1).T
        for first in range(0, self.network.samples, TOGETHER):
            t, bend, disk_x, disk_y = (
                values[:, first : first + TOGETHER] for values in (self.t, self.bend, self.disk_x, self.disk_y)
            )
            dx, dy = vx * t + ax * bend + radius * disk_x, vy * t + ay * bend + radius * disk_y
            ix, iy = dx.floor(), dy.floor()
            index = place + ix.long() + iy.long() * stride
            right, lower = (dx - ix)[..., None], (dy - iy)[..., None]
            upper_light = table[index] * (1.0 - right) + table[index + 1] * right
            lower_light = table[index + stride] * (1.0 - right) + table[index + stride + 1] * right
            total = total + (upper_light * (1.0 - lower) + lower_light * lower).sum(1)
        return (total / self.network.samples).T.reshape(1, 3, height, width)


def up_to_cells(side: Any) -> Any:
    """`side`, which the exporter has as a symbol, up to a multiple of CELL."""
    return (side + CELL - 1) // CELL * CELL


def window(picture: Tensor, top: Any, bottom: Any, left: Any, right: Any) -> Tensor:
    """Rows top .. bottom and columns left .. right of NCHW `picture`; outside it, its outermost pixels repeat."""
    height, width = picture.shape[-2:]
    rows = torch.arange(top, bottom, device=picture.device).clamp(0, height - 1)
    columns = torch.arange(left, right, device=picture.device).clamp(0, width - 1)
    return picture[:, :, rows][..., columns]
