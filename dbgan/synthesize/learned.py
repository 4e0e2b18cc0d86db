"""The trained BGAN as a blur: one z for a whole picture, tiles that equal the whole, 8 bits out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dbgan import files, seeds
from dbgan.blur.model import Record
from dbgan.errors import DbganError
from dbgan.networks import load_weights, tiles
from dbgan.networks.registry import NOISE_CHANNELS, Generator
from dbgan.networks.weights import require_generator
from dbgan.restore import autocast, to_image, to_tensor


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

    Raises:
        DbganError: no such file.
        WeightsError: the file is damaged or holds no BGAN generator.
    """

    weights: Path
    tile: int = 512
    precision: Literal["fp32", "bf16"] = "fp32"
    device: str = "cpu"
    digest: str = field(default="")

    name: ClassVar[str] = "bgan"
    revision: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not self.weights.is_file():
            raise DbganError(
                f"{self.weights}: no such weight file.\nNext: train the generator (`dvc repro train_bgan`) or pull it."
            )
        if not self.digest:
            object.__setattr__(self, "digest", files.sha256_file(self.weights))
        # Here, once: a file of another kind would otherwise fail in every shard, as often as the engine tries.
        require_generator(load_weights(self.weights), "bgan", self.weights)

    def describe(self) -> dict[str, Any]:
        """Weights digest, tile and precision: with the device class, all that determines the output."""
        return {"weights": self.digest, "tile": self.tile, "precision": self.precision}

    def __call__(
        self, sharp: NDArray[np.uint8], *, seed: int, key: str, variant: int
    ) -> tuple[NDArray[np.uint8], Record]:
        """Blur one HWC uint8 RGB picture with the noise `draw_noise(seed, key, variant)`; see `dbgan.blur.model.Blur`.

        Raises:
            DbganError: the file changed since this object was made, or the network gives NaN or Inf.
        """
        z = draw_noise(seed, key, variant)
        return self.blur(sharp, z), Record(self.name, z, {"tile": self.tile, "precision": self.precision})

    def blur(self, sharp: NDArray[np.uint8], z: tuple[float, ...]) -> NDArray[np.uint8]:
        """The picture blurred under a given noise `z`; rounded to the nearest of 256 levels."""
        network = self._network()
        noise = torch.tensor([z], dtype=torch.float32, device=self.device)
        with torch.inference_mode(), autocast(torch.device(self.device), self.precision):
            return to_image(tiles.apply(network, to_tensor(sharp, self.device), noise, tile=self.tile))

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
