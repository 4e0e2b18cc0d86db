"""Parameters of networks: generators, discriminators, perceptual features (sections 3.1 to 3.3)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dbgan.params.base import Model

Depth = Annotated[int, Field(ge=0, le=64)]


class NafnetParams(Model):
    """NAFNet (Chen et al., "Simple Baselines for Image Restoration", ECCV 2022), of `generator.width`.

    The defaults are the published net for GOPRO; widths 32 and 64 are the published sizes.
    """

    encoder: list[Depth] = Field([1, 1, 1, 28], min_length=1, max_length=6, description="blocks at each scale, down")
    middle: Depth = Field(1, description="blocks at the lowest scale")
    decoder: list[Depth] = Field([1, 1, 1, 1], min_length=1, max_length=6, description="blocks at each scale, up")
    pooling: int = Field(
        192, ge=0, le=4096, description="px, 1.5 times the crop: window of attention outside training; 0: whole picture"
    )

    @model_validator(mode="after")
    def _as_many_down_as_up(self) -> NafnetParams:
        if len(self.encoder) != len(self.decoder):
            raise ValueError(f"decoder has {len(self.decoder)} scales and encoder {len(self.encoder)}: make them equal")
        return self


class TrajectoryParams(Model):
    """BGAN's trajectory head: blur as the mean of light along each pixel's path (`dbgan.networks.trajectory`).

    `generator.blocks` and `generator.width` are those of its small network at 1/4 resolution: 2 of 32 are much.
    """

    layers: int = Field(2, ge=0, le=8, description="things that can move on their own before the camera; 0: none")
    samples: int = Field(13, ge=2, le=257, description="points along each path; one for every 1 to 2 px")
    max_path: float = Field(20.0, ge=1.0, le=64.0, description="longest path, px of the picture the network sees")
    max_defocus: float = Field(3.0, ge=0.0, le=16.0, description="largest radius of defocus, px")


RESIDUAL_ONLY = ("block", "blocks", "growth", "noise", "global_residual")
"""Fields of `GeneratorParams` that `nafnet` does not have: its global residual is part of the published net."""

IDLE: dict[str, tuple[str, ...]] = {
    "residual": ("nafnet", "trajectory"),
    "nafnet": (*RESIDUAL_ONLY, "trajectory"),
    "trajectory": (*(name for name in RESIDUAL_ONLY if name != "blocks"), "clamp", "nafnet"),
}
"""Network -> fields of `GeneratorParams` without effect on it."""


class GeneratorParams(Model):
    """A generator (paper section 3.1 and Fig. 2), or another network of `dbgan.networks.registry`."""

    network: Literal["residual", "nafnet", "trajectory"] = Field(
        "residual",
        description="residual: the paper's, by block; nafnet: a modern one, DBGAN only; trajectory: BGAN only",
    )
    block: Literal["plain", "rdb", "rrdb"] = Field(
        "plain", description="plain: the text's; rdb: dense, Fig. 2's; rrdb: three dense ones, the released code's"
    )
    blocks: int = Field(16, ge=1, le=64, description="residual blocks in a row")
    width: int = Field(64, ge=4, le=512, description="feature channels")
    growth: int = Field(32, ge=4, le=512, description="channels a dense block adds per convolution")
    init: Literal["kaiming", "normal", "zero_last"] = Field(
        "kaiming", description="kaiming: scaled 0.1; normal: N(0, 0.01), the paper's; zero_last: starts as the identity"
    )
    noise: Literal["input", "blocks"] = Field("input", description="BGAN only: where the noise map enters")
    global_residual: bool = Field(True, description="the network's output is added to its input (the released code)")
    clamp: bool = Field(True, description="outputs are clamped to [0, 1] outside training")
    nafnet: NafnetParams = NafnetParams()
    trajectory: TrajectoryParams = TrajectoryParams()

    @model_validator(mode="after")
    def _only_what_the_network_has(self) -> GeneratorParams:
        # Compared with the defaults and not by what was given: parameters that were written out whole read back.
        idle = [name for name in IDLE[self.network] if getattr(self, name) != type(self).model_fields[name].default]
        if idle:
            raise ValueError(f"{', '.join(idle)}: no effect with network {self.network}; leave it out")
        if self.init == "zero_last" and not self.global_residual:
            raise ValueError("init zero_last starts at the input, which needs global_residual")
        if self.init == "zero_last" and self.network == "trajectory":
            raise ValueError("init zero_last: without motion a trajectory has no gradient; use kaiming")
        return self

    def arguments(self) -> dict[str, Any]:
        """What `dbgan.networks.generator` takes besides kind and seed: the fields of the chosen network alone."""
        nested: dict[str, Model] = {"nafnet": self.nafnet, "trajectory": self.trajectory}
        own = self.model_dump(exclude={*nested, *IDLE[self.network]})
        return own | nested[self.network].model_dump() if self.network in nested else own


def blurs(own: GeneratorParams) -> GeneratorParams:
    """`own`, if it can be a BGAN's; a ValueError for pydantic otherwise."""
    if own.network == "nafnet":
        raise ValueError("network nafnet takes no noise z: it restores (dbgan.common.generator) and cannot blur")
    return own


def restores(own: GeneratorParams) -> GeneratorParams:
    """`own`, if it can be a DBGAN's; a ValueError for pydantic otherwise."""
    if own.noise != "input":
        raise ValueError(f"noise {own.noise}: a network that restores has none; leave it out")
    if own.network == "trajectory":
        raise ValueError("network trajectory blurs (bgan.NAME.generator) and cannot restore")
    return own


class DiscriminatorParams(Model):
    """A discriminator on crops of `crop` px."""

    kind: Literal["vgg128", "vgg19", "patch"] = Field(
        "vgg128", description="vgg128: the released code's; vgg19: the text's; patch: 70 px PatchGAN, a map of logits"
    )
    width: int = Field(64, ge=4, le=512, description="channels of the first convolution")
    spectral_norm: bool = Field(False, description="bound every layer's largest singular value")


Tap = Annotated[str, Field(pattern=r"^(conv|relu)([12]_[12]|[345]_[1-4])$")]
TapWeight = Annotated[float, Field(gt=0.0)]


class PerceptualParams(Model):
    """VGG19 `features[:35]` (conv5_4 before ReLU) or other layers of it, L1 on features."""

    weights: str = Field("imagenet", description="`imagenet`, `random`, or the path of a vgg19 weights file")
    width: int = Field(64, ge=4, le=64, description="channels of the first block; other than 64 only with `random`")
    seed: int = Field(0, description="seed of `random`")
    taps: dict[Tap, TapWeight] = Field(
        {"conv5_4": 1.0}, min_length=1, description="layers and their weights; conv3_4 before its ReLU, relu3_4 after"
    )
