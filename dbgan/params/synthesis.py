"""Parameters of synthesis."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dbgan.params.base import Model, Name, Positive
from dbgan.params.blur import AverageParams, Camera, KernelParams

BlurModel = Literal["bgan", "average", "kernel"]


class SynthesizeParams(Model):
    """One synthetic corpus: sharp frames of train sources, blurred."""

    sharp: list[Name] = Field(min_length=1, description="train sources whose sharp frames are blurred")
    model: BlurModel = Field("bgan", description="what blurs, where `models` names nothing")
    models: dict[BlurModel, Annotated[float, Field(ge=0.0)]] = Field(
        default_factory=dict,
        description="several models and their shares of the shards, such as {bgan: 0.6, kernel: 0.4}; a changed share "
        "makes only those shards anew that change their model",
    )
    generator: str = Field("", description="bgan only: the name under `bgan` in params")
    kernel: KernelParams = Field(default_factory=KernelParams, description="model kernel: Eq. 3")
    average: AverageParams = Field(default_factory=AverageParams, description="model average: Eqs. 2 and 4")
    camera: Camera = Field(
        "none",
        description="after any blur: none, default (RSBlur's constants), a file of `dbgan calibrate`, or constants",
    )
    variants: int = Field(1, ge=1, le=1000, description="blurry versions of each sharp frame")
    seed: int = Field(0, description="of z and of all that is drawn for a pair")
    image: Literal["png", "jpg", "webp"] = Field(
        "png", description="file type of the pictures; webp is lossless: a seventh smaller than png, five times as slow"
    )
    jpeg_quality: int = Field(98, ge=1, le=100, description="of image: jpg; 4:4:4")
    quality: bool = Field(
        True, description="measure sharpness, noise, clipping of every blurry picture; the PSNR of pairs always is"
    )
    tile: int = Field(512, ge=64, le=8192, description="tile side, px; part of the recipe")
    threads: int = Field(2, ge=1, le=256, description="threads per actor; part of the recipe")
    io_threads: int = Field(
        2, ge=1, le=64, description="threads per actor that read, and as many that encode, while others blur"
    )
    memory_mb: int = Field(
        1024, ge=0, description="MB of decoded sharp pictures that an actor keeps for their other variants"
    )
    precision: Literal["fp32", "bf16"] = Field("fp32", description="of the generator's arithmetic; part of the recipe")
    fields_side: int = Field(
        0,
        ge=0,
        le=16_384,
        description="trajectory generators only: motion is predicted on the picture reduced to this long side, px, "
        "about that of the pictures it was trained on, and applied to the whole; 0: on the picture as it is",
    )
    motion: bool = Field(False, description="trajectory generators only: store each pair's motion as motion.npz")
    shard_samples: int = Field(32, ge=2, le=100_000, description="mean samples per shard; at most twice as many")
    workers: int = Field(1, ge=0, description="0: all devices through Ray; 1: in this process; n: n Ray actors")

    @model_validator(mode="after")
    def _bgan_needs_generator(self) -> SynthesizeParams:
        if self.models and sum(self.models.values()) <= 0:
            raise ValueError("models: at least one share is above 0")
        if ("bgan" in self.shares) != bool(self.generator):
            raise ValueError("model bgan needs `generator` (a name under `bgan`), other models take none")
        if (self.motion or self.fields_side) and set(self.shares) != {"bgan"}:
            raise ValueError("motion and fields_side are of a trajectory generator: name no model beside bgan")
        return self

    @property
    def shares(self) -> dict[BlurModel, float]:
        """Model -> its share of the shards, above 0."""
        return {name: share for name, share in self.models.items() if share > 0} or {self.model: 1.0}


class CalibrateParams(Model):
    """Constants of a train source's cameras -> datasets/train/NAME.cameras.json, for `camera`."""

    device: str = Field("", description="only this device, as the manifest names it; empty: each")
    pictures: Positive = Field(64, description="measured of each device at most, chosen by the hash of their key")
