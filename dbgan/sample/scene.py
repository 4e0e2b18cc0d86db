"""What is in front of the demo's camera: a backdrop and, moving before it, a cut-out of another photograph."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.sample.photographs import Box, load, resized

SHADOW = 0.35
"""Opacity of the cut-out's soft shadow."""
SOFT_EDGE_PX = 0.7
PAPER = (236, 233, 226)
"""Colour of a print's border, RGB."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where something is: centre x, y in px, angle in rad, size as a factor."""

    x: float
    y: float
    angle: float = 0.0
    size: float = 1.0


@dataclass(frozen=True, slots=True)
class CutoutSpec:
    """A part of a photograph used as an object: a print with a white border, or an ellipse.

    Attributes:
        photograph: name in PHOTOGRAPHS.
        box: left, top, right, bottom in px of the photograph's used part.
        shape: `print` or `ellipse`.
        width: of the object, as a share of the frame's width.
    """

    photograph: str
    box: Box
    shape: Literal["print", "ellipse"]
    width: float


def cut_out(spec: CutoutSpec, frame_width: int) -> NDArray[np.float32]:
    """The object with its shadow, HWC float32 premultiplied RGBA: colours 0 to 255, alpha 0 to 1."""
    left, top, right, bottom = spec.box
    picture = load(spec.photograph)[top:bottom, left:right]
    picture = resized(picture, spec.width * frame_width / picture.shape[1])
    if spec.shape == "print":
        border = max(2, round(0.05 * picture.shape[1]))
        picture = _framed(picture, border, cv2.BORDER_CONSTANT)
    height, width = picture.shape[:2]
    margin = max(6, round(0.12 * width))
    mask = np.zeros((height + 2 * margin, width + 2 * margin), np.float32)
    if spec.shape == "print":
        mask[margin : margin + height, margin : margin + width] = 1.0
    else:
        y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
        radius = np.hypot((x - (mask.shape[1] - 1) / 2) / (width / 2), (y - (mask.shape[0] - 1) / 2) / (height / 2))
        mask[radius <= 1] = 1.0
    alpha = cv2.GaussianBlur(mask, (0, 0), SOFT_EDGE_PX)
    shadow = SHADOW * cv2.GaussianBlur(np.roll(mask, (margin // 4, margin // 4), (0, 1)), (0, 0), margin / 4)
    colour = _framed(picture, margin, cv2.BORDER_REPLICATE).astype(np.float32)
    covered = alpha + shadow * (1.0 - alpha)
    return np.dstack([colour * alpha[..., None], covered]).astype(np.float32)


def _framed(picture: NDArray[np.uint8], px: int, border: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.copyMakeBorder(picture, px, px, px, px, border, value=PAPER), np.uint8)


@dataclass(frozen=True, slots=True)
class Scene:
    """A backdrop and an optional cut-out, seen by a camera.

    Attributes:
        backdrop: HWC uint8 RGB.
        cutout: HWC float32 premultiplied RGBA of `cut_out`, or None.
    """

    backdrop: NDArray[np.uint8]
    cutout: NDArray[np.float32] | None = None

    def frame(self, view: Pose, size: tuple[int, int], object_pose: Pose | None = None) -> NDArray[np.uint8]:
        """One sharp frame.

        Args:
            view: the camera: what backdrop px is in the middle of the frame, its roll and its zoom.
            size: width, height of the frame, px.
            object_pose: the cut-out in frame px; None leaves it out.

        Returns:
            HWC uint8 RGB. Beyond its edges the backdrop is mirrored.
        """
        width, height = size
        # Frame to backdrop, which is what warpAffine wants with WARP_INVERSE_MAP.
        matrix = _similarity(view.angle, 1.0 / view.size, (width / 2, height / 2), (view.x, view.y))
        picture = cv2.warpAffine(
            self.backdrop,
            matrix,
            size,
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        if self.cutout is None or object_pose is None:
            return np.asarray(picture, np.uint8)
        layer = self._layer(object_pose, size)
        over = layer[..., :3] + picture * (1.0 - layer[..., 3:])
        return np.asarray(np.clip(np.rint(over), 0, 255).astype(np.uint8))

    def coverage(self, object_pose: Pose, size: tuple[int, int]) -> NDArray[np.float32]:
        """How much of each pixel the cut-out and its shadow cover in a frame of `size`: (H, W) float32 in [0, 1]."""
        return self._layer(object_pose, size)[..., 3]

    def _layer(self, pose: Pose, size: tuple[int, int]) -> NDArray[np.float32]:
        """The cut-out alone in the frame, HWC premultiplied RGBA."""
        assert self.cutout is not None
        centre = (self.cutout.shape[1] / 2, self.cutout.shape[0] / 2)
        matrix = _similarity(pose.angle, pose.size, centre, (pose.x, pose.y))
        layer = cv2.warpAffine(self.cutout, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(layer, np.float32)


def _similarity(
    angle: float, scale: float, source: tuple[float, float], target: tuple[float, float]
) -> NDArray[np.float64]:
    """The 2 x 3 matrix that turns by `angle`, scales, and takes the point `source` to `target`."""
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    return np.array(
        [
            [c, -s, target[0] - c * source[0] + s * source[1]],
            [s, c, target[1] - s * source[0] - c * source[1]],
        ]
    )
