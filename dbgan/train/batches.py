"""Batches of crops, each crop a pure function of (seed, step, index).

The order of samples is a function of (seed, epoch) alone, a crop's place and flips of (seed, step, index in the batch):
nothing depends on what was read before, so a stopped training goes on with exactly the crops it would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dbgan import seeds
from dbgan.train.data import Picture, TrainingSet
from dbgan.train.spans import span

Crop = tuple[Picture, ...] | tuple[Tensor, ...]
"""One crop of every field: HWC uint8 pictures, or tensors on the training's device."""


@dataclass(frozen=True, slots=True)
class Window:
    """Where a crop is cut and how it is turned: px from the top left, then the flips."""

    top: int
    left: int
    horizontal: bool
    vertical: bool

    def cut(self, image: Picture, size: int) -> Picture:
        """The `size` x `size` window of an HWC image, flipped."""
        crop = image[self.top : self.top + size, self.left : self.left + size]
        return crop[:: -1 if self.vertical else 1, :: -1 if self.horizontal else 1]

    def cut_there(self, frame: Tensor, size: int) -> Tensor:
        """As `cut`, of an HWC tensor, on its device."""
        crop = frame[self.top : self.top + size, self.left : self.left + size]
        return crop.flip([d for d, turned in ((0, self.vertical), (1, self.horizontal)) if turned])


def epoch_order(seed: int, purpose: str, epoch: int, size: int) -> NDArray[np.int64]:
    """The permutation of `size` samples for one epoch: a function of (seed, purpose, epoch)."""
    return seeds.generator(seed, f"order-{purpose}", epoch).permutation(size)


class Batches:
    """Batch `step` of a training set, for any step, in any order.

    Args:
        samples: what is cut.
        seed: of order, crops and flips.
        purpose: keeps apart the draws of several sets in one training, such as "sharp" and "real".
        crop: px.
        batch: crops per batch.
        jpeg: quality at which crops are JPEG-coded (MatchParams.jpeg); 0: not.
        per_image: neighbouring crops that are cut from one picture, so that it is decoded once for all of them.
        rows: which crops of a batch are made, by their place in it: a worker's own (`Team.rows`); None: all.
    """

    def __init__(
        self,
        samples: TrainingSet,
        *,
        seed: int,
        purpose: str,
        crop: int,
        batch: int,
        jpeg: int = 0,
        per_image: int = 1,
        rows: range | None = None,
    ) -> None:
        self.rows = range(batch) if rows is None else rows
        self.samples, self.seed, self.purpose = samples, seed, purpose
        self.crop, self.batch, self.jpeg, self.per_image = crop, batch, jpeg, per_image
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.empty(0, np.int64))

    def index(self, step: int, i: int) -> int:
        """Which sample is the `i`-th of batch `step`."""
        epoch, offset = divmod((step * self.batch + i) // self.per_image, len(self.samples))
        known, order = self._order
        if known != epoch:
            order = epoch_order(self.seed, self.purpose, epoch, len(self.samples))
            self._order = (epoch, order)  # both at once: several threads ask
        return int(order[offset])

    def window(self, step: int, i: int, height: int, width: int) -> Window:
        """Crop and flips of the `i`-th crop of batch `step`: a function of (seed, step, i) and the picture's size."""
        draw = seeds.generator(self.seed, f"crop-{self.purpose}", step, i).random(4)
        return Window(
            top=int(draw[0] * (height - self.crop + 1)),
            left=int(draw[1] * (width - self.crop + 1)),
            horizontal=bool(draw[2] < 0.5),
            vertical=bool(draw[3] < 0.5),
        )

    def crops(self, step: int, i: int) -> Crop:
        """The `i`-th crop of batch `step`, HWC uint8, one per field; tensors where frames are kept on the device."""
        if self.samples.cache == "device" and not self.jpeg:
            frames = self.samples.frames(self.index(step, i))
            place = self.window(step, i, *frames[0].shape[:2])
            return tuple(place.cut_there(frame, self.crop) for frame in frames)
        images = self.images(step, i)
        window = self.window(step, i, *images[0].shape[:2])
        return tuple(_jpeg_coded(window.cut(image, self.crop), self.jpeg) for image in images)

    def images(self, step: int, i: int) -> tuple[Picture, ...]:
        """The pictures that the `i`-th crop of batch `step` is cut from."""
        return self.samples.images(self.index(step, i))

    def begin(self, step: int) -> None:
        """Told of every step in turn, whether it asks for crops of this set or not: streams go by it."""

    def __call__(self, step: int) -> tuple[Tensor, ...]:
        """`rows` of batch `step`: one NCHW float32 tensor in [0, 1] per field, channels_last in memory."""
        with span("data"):
            self.begin(step)
            made = stacked([self.crops(step, i) for i in self.rows])
        # JPEG-coded crops come from the CPU even so
        return tuple(field.to(self.samples.device) for field in made) if self.samples.cache == "device" else made


def centre_crops(samples: TrainingSet, crop: int, count: int) -> tuple[Tensor, ...]:
    """Fixed centre crops of at most `count` samples, spread evenly over the set: one NCHW tensor per field.

    The crop shrinks to the smallest picture's shorter side, so that any set can be looked at.
    """
    chosen = np.unique(np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int))
    pictures = [samples.images(int(index)) for index in chosen]
    side = min(crop, *(min(p[0].shape[:2]) for p in pictures))
    return stacked([tuple(_centre(image, side) for image in images) for images in pictures])


def stacked(crops: Sequence[Crop]) -> tuple[Tensor, ...]:
    """N tuples of HWC uint8 crops -> one NCHW float32 tensor in [0, 1] per field, on the device of the crops.

    HWC crops stacked are NHWC in memory, which is torch's channels_last: no copy is needed to get there.
    """
    devices = {crop[0].device for crop in crops if isinstance(crop[0], Tensor)}
    fields = range(len(crops[0]))
    if not devices:
        return tuple(_levels(np.stack([cast(Picture, crop[f]) for crop in crops])) for f in fields)
    device = devices.pop()
    return tuple(_levels_there(torch.stack([_there(crop[f], device) for crop in crops])) for f in fields)


def _levels(crops: Picture) -> Tensor:
    """NHWC uint8 -> NCHW float32 in [0, 1]. By numpy: a thread of its own would start torch's workers once more."""
    values = crops.astype(np.float32)
    values /= np.float32(255.0)
    return torch.from_numpy(values).permute(0, 3, 1, 2)


def _levels_there(crops: Tensor) -> Tensor:
    """As `_levels`, on the crops' device. By a table: CUDA divides by multiplying, which may differ in the last bit."""
    table = torch.from_numpy(np.arange(256, dtype=np.float32) / np.float32(255.0)).to(crops.device)
    return table[crops.long()].permute(0, 3, 1, 2)


def _there(crop: Picture | Tensor, device: torch.device) -> Tensor:
    return crop if isinstance(crop, Tensor) else torch.from_numpy(np.ascontiguousarray(crop)).to(device)


def _centre(image: Picture, side: int) -> Picture:
    height, width = image.shape[:2]
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def _jpeg_coded(crop: Picture, quality: int) -> Picture:
    if not quality or crop.shape[2] != 3:  # a mask is no picture that a camera coded
        return crop
    coded = cv2.imencode(".jpg", np.ascontiguousarray(crop[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cast(Picture, cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return decoded[..., ::-1]
