"""The trained BGAN as a blur: one z for a whole picture, tiles that equal the whole, 8 bits out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from dbgan import files, seeds
from dbgan.blur.model import Record
from dbgan.corpus.motion import Motion
from dbgan.errors import DbganError
from dbgan.networks import load_weights, tiles
from dbgan.networks.motion import CELL, Fields, fitted
from dbgan.networks.registry import NOISE_CHANNELS, Generator
from dbgan.networks.trajectory import TrajectoryGenerator
from dbgan.networks.weights import require_generator
from dbgan.restore import autocast, to_image, to_tensor


def reduced(picture: Tensor, side: int) -> Tensor:
    """(1, 3, H, W) whose longer side is `side` px, if it was longer; each pixel is the mean of what it replaces."""
    longest = max(picture.shape[-2:])
    if not side or longest <= side:
        return picture
    size = [max(1, round(length * side / longest)) for length in picture.shape[-2:]]
    return F.interpolate(picture, size, mode="area").clamp(0.0, 1.0)


def as_motion(fields: Fields) -> Motion:
    """The fields of one picture as a corpus stores them. Float16 keeps 3 digits: 0.01 px at 20 px."""
    stacked = fields.stacked()[0].float().cpu().numpy().astype(np.float16)
    return Motion(stacked[:2], stacked[2:4], stacked[4], CELL)


def draw_noise(seed: int, key: str, variant: int) -> tuple[float, ...]:
    """z ~ N(0, I_4) (section 3.2), a function of its arguments alone, in float32 precision.

    Args:
        seed: of the synthetic corpus.
        key: `SEQUENCE/FRAME` of the sharp frame.
        variant: index of the blurry version, from 0.
    """
    drawn = seeds.generator(seed, "noise", key, variant).standard_normal(NOISE_CHANNELS)
    return tuple(float(value) for value in drawn.astype(np.float32))


@dataclass(frozen=True)
class BganBlur:
    """A trained generator as a `dbgan.blur.Blur`. Picklable: each process loads the weights when it first blurs.

    Attributes:
        weights: a BGAN's weights.safetensors.
        tile: largest side of a tile without its halo, px. In fp32 it does not change the picture.
        precision: of the convolutions; the residual is added to the sharp picture in float32 in both.
        device: "cpu" or a torch CUDA device.
        digest: hex sha256 of `weights`, taken when this object is made.
        fields_side: long side, px, of the reduced picture on which a trajectory generator predicts motion; 0: none.
        motion: whether records tell the motion; only a trajectory generator knows it.

    Raises:
        DbganError: no such file; `fields_side` or `motion` of a generator that knows no motion.
        WeightsError: the file is damaged or holds no BGAN generator.
    """

    weights: Path
    tile: int = 512
    precision: Literal["fp32", "bf16"] = "fp32"
    device: str = "cpu"
    digest: str = field(default="")
    fields_side: int = 0
    motion: bool = False

    name: ClassVar[str] = "bgan"
    revision: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if not self.weights.is_file():
            raise DbganError(
                f"{self.weights}: no such weight file.\nNext: train the generator (`dvc repro train_bgan`) or pull it."
            )
        if not self.digest:
            object.__setattr__(self, "digest", files.sha256_file(self.weights))
        # Here, once: a file of another kind would otherwise fail in every shard, as often as the engine tries.
        network = require_generator(load_weights(self.weights), "bgan", self.weights)
        if (self.fields_side or self.motion) and not isinstance(network, TrajectoryGenerator):
            raise DbganError(
                f"{self.weights}: `motion` and `fields_side` need a trajectory generator, found "
                f"{network.architecture['network']!r}, which paints pictures and knows no motion.\n"
                "Next: leave them out, or name a BGAN of generator.network: trajectory."
            )

    def describe(self) -> dict[str, Any]:
        """Weights digest and settings: with the device class, all that determines the output."""
        return {"weights": self.digest, **self._settings(), **({"motion": True} if self.motion else {})}

    def _settings(self) -> dict[str, Any]:
        reduced = {"fields_side": self.fields_side} if self.fields_side else {}
        return {"tile": self.tile, "precision": self.precision, **reduced}

    def __call__(
        self, sharp: NDArray[np.uint8], *, seed: int, key: str, variant: int
    ) -> tuple[NDArray[np.uint8], Record]:
        """Blur one HWC uint8 RGB picture with the noise `draw_noise(seed, key, variant)`; see `dbgan.blur.model.Blur`.

        Raises:
            DbganError: the file changed since this object was made, or the network gives NaN or Inf.
        """
        z = draw_noise(seed, key, variant)
        picture, motion = self.blur_and_motion(sharp, z)
        return picture, Record(self.name, z, self._settings(), motion)

    def blur(self, sharp: NDArray[np.uint8], z: tuple[float, ...]) -> NDArray[np.uint8]:
        """The picture blurred under a given noise `z`; rounded to the nearest of 256 levels."""
        return self.blur_and_motion(sharp, z)[0]

    def blur_and_motion(
        self, sharp: NDArray[np.uint8], z: tuple[float, ...]
    ) -> tuple[NDArray[np.uint8], Motion | None]:
        """As `blur`, and the motion that made it where `motion` asks for it.

        A trajectory generator sees the whole picture: sampling in strips, it needs no tiles to bound its memory.
        """
        network = self._network()
        noise = torch.tensor([z], dtype=torch.float32, device=self.device)
        with torch.inference_mode(), autocast(torch.device(self.device), self.precision):
            picture = to_tensor(sharp, self.device)
            if not isinstance(network, TrajectoryGenerator):
                return to_image(tiles.apply(network, picture, noise, tile=self.tile)), None
            fields = fitted(network.fields(reduced(picture, self.fields_side), noise), picture)
            return to_image(network.blur(picture, fields)), as_motion(fields) if self.motion else None

    def _network(self) -> Generator:
        """The generator, loaded once per process."""
        loaded = self.__dict__.get("_loaded")
        if isinstance(loaded, Generator):
            return loaded
        if files.sha256_file(self.weights) != self.digest:
            raise DbganError(
                f"{self.weights}: expected sha256 {self.digest[:12]}..., found another: it changed during the build."
                "\nNext: run the same command again when nothing is training into this folder."
            )
        network = require_generator(load_weights(self.weights), "bgan", self.weights)
        network.eval().requires_grad_(False).to(self.device).to(memory_format=torch.channels_last)
        object.__setattr__(self, "_loaded", network)
        return network

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_loaded"}
