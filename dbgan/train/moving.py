"""What moves on its own in sharp frames, seen from their neighbours: what BGAN's trajectory head learns layers from.

A blurry picture hardly tells a discriminator that one thing in it moved and another did not, but a sequence of sharp
frames does: its optical flow is the camera's motion except where something moves. As in Pathak et al., "Learning
features by watching objects move" (CVPR 2017), that teaches a network to see in one frame what is likely to move.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from dbgan.blur.frames import flow
from dbgan.networks.motion import CELL
from dbgan.train.data import Picture, TrainingSet, reduced

LOOKED_AT = 640
"""Longer side at which motion is looked for, px."""

OWN_MOTION = 2.0
"""Distance from the camera's motion, px between two frames at that size, above which something moves on its own."""

STEP = 8
"""The camera's motion is fitted to the flow of every STEP-th pixel."""

EXPLAINED = 0.5
"""Share of them that the camera's motion must explain within a px; else the frames are taken for a cut."""

SPECKLE = 9
"""Side of the median that removes what is smaller than a thing, px."""

MOVES, STILL, UNKNOWN = 255, 0, 128
"""Values of a mask's pixels."""


class MovingSet(TrainingSet):
    """Sharp frames, each with a second picture: which of its pixels are of something that moves on its own.

    The neighbours of a frame are those before and after it in its sequence, of those that are kept. Without a cache
    each is decoded for it, and the flow computed for every crop: better have one. Arguments as `TrainingSet`.
    """

    def _decoded(self, index: int) -> tuple[Picture, ...]:
        (frame,) = super()._decoded(index)
        corpus, key = self._members[index]
        neighbours = [
            super(MovingSet, self)._decoded(other)[0]
            for other in (index - 1, index + 1)
            if 0 <= other < len(self) and _sequence(*self._members[other]) == _sequence(corpus, key)
        ]
        return frame, moving(frame, neighbours)


def _sequence(corpus: int, key: str) -> tuple[int, str]:
    return corpus, key.split("/")[0]


def moving(frame: Picture, neighbours: list[Picture]) -> Picture:
    """Where something moves on its own in `frame`: HW1 uint8 of `MOVES`, `STILL` and `UNKNOWN`.

    A pixel counts as moving where it does so on the way to every neighbour: what the camera uncovers has a wrong flow
    on one side alone. All is `UNKNOWN` without a neighbour whose motion is mostly that of a camera.
    """
    height, width = frame.shape[:2]
    small = reduced(frame, LOOKED_AT)
    others = [reduced(other, LOOKED_AT) for other in neighbours if other.shape == frame.shape]
    strayed = [away for other in others if (away := own_motion(small, other)) is not None]
    if not strayed:
        return np.full((height, width, 1), UNKNOWN, np.uint8)
    moves = np.minimum.reduce(strayed) > OWN_MOTION
    mask = cv2.medianBlur(np.where(moves, MOVES, STILL).astype(np.uint8), SPECKLE)
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)[..., None]


def own_motion(first: Picture, second: Picture) -> NDArray[np.float32] | None:
    """How far each pixel of `first` moves towards `second` beside what the camera does, px; None after a cut.

    The camera shifts, rolls and zooms: a similarity, fitted by RANSAC (its draws are seeded by OpenCV).
    """
    height, width = first.shape[:2]
    found = flow(first, second)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    chosen = (slice(STEP // 2, None, STEP), slice(STEP // 2, None, STEP))
    source = np.stack((x[chosen], y[chosen]), axis=-1).reshape(-1, 2)
    camera, fits = cv2.estimateAffinePartial2D(
        source, source + found[chosen].reshape(-1, 2), method=cv2.RANSAC, ransacReprojThreshold=1.0
    )
    if camera is None or fits.mean() < EXPLAINED:
        return None
    a: Any = camera.astype(np.float32)
    dx = a[0, 0] * x + a[0, 1] * y + a[0, 2] - x - found[..., 0]
    dy = a[1, 0] * x + a[1, 1] * y + a[1, 2] - y - found[..., 1]
    return np.asarray(np.hypot(dx, dy), np.float32)


def layers_loss(layers: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy of where the layers are open against where something moves, mean over the cells of the batch;
    what is unknown counts as nothing.

    Args:
        layers: (N, L, h, w) in [0, 1]: how far each layer is open (`TrajectoryGenerator.blur_and_layers`).
        masks: (N, 1, H, W) of `moving`, divided by 255.

    Returns:
        Scalar float32.
    """
    moves, known = _by_cell(masks)
    found = union(layers).clamp(1e-4, 1.0 - 1e-4)
    return -(known * (moves * found.log() + (1.0 - moves) * (1.0 - found).log())).mean()


@torch.no_grad()
def openness(layers: Tensor, masks: Tensor) -> dict[str, float]:
    """How far the layers are open, [0, 1], in the mean over what moves, `layers_moving`, and over what stands still,
    `layers_still`, as far as there is any. Arguments as `layers_loss`."""
    moves, known = _by_cell(masks)
    shares = {"layers_moving": moves * known, "layers_still": (1.0 - moves) * known}
    found = union(layers)
    return {name: float((found * share).sum() / share.sum()) for name, share in shares.items() if share.any()}


def union(layers: Tensor) -> Tensor:
    """(N, 1, h, w): how far any layer is open; which of them opens is left to the training."""
    return 1.0 - (1.0 - layers.float()).prod(dim=1, keepdim=True)


def _by_cell(masks: Tensor) -> tuple[Tensor, Tensor]:
    """Of each cell the share of moving pixels among those known, and the share of those known."""
    known = ((masks - UNKNOWN / 255).abs() > 0.25).float()
    share = F.avg_pool2d(known, CELL, ceil_mode=True)
    return F.avg_pool2d(masks * known, CELL, ceil_mode=True) / share.clamp_min(1e-6), share
