"""Parameters of training: BGAN (section 3.2) and DBGAN (section 3.3)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from dbgan.params.base import Fraction, Model, Name, Positive, Rate
from dbgan.params.blur import CameraParams
from dbgan.params.networks import DiscriminatorParams, GeneratorParams, PerceptualParams, blurs, restores


class PlateauParams(Model):
    """When a loss has stopped falling, and what the rate does then (`anneal: plateau`)."""

    smoothing: float = Field(0.99, ge=0.0, lt=1.0, description="decay of the smoothed loss: about 1/(1-d) steps")
    patience: Positive = Field(5000, description="steps without a new lowest smoothed loss")
    drop: Fraction = Field(0.01, description="share by which the smoothed loss must fall to count as a new lowest")
    factor: float = Field(0.1, gt=0.0, lt=1.0, description="the rate is multiplied by it, never below lr_end")


class ScheduleParams(Model):
    """Length and rates of one phase."""

    steps: Positive = Field(description="optimiser steps of this phase")
    lr: Rate = Field(1e-4, description="learning rate at the start")
    lr_end: Rate = Field(1e-6, description="learning rate at the end")
    ramp: int = Field(0, ge=0, description="first steps in which the rate rises linearly from 0; spares small nets")
    anneal: Literal["cosine", "plateau"] = Field(
        "cosine", description="over the fixed length; or a step down whenever the loss stops falling (section 3.4)"
    )
    plateau: PlateauParams = PlateauParams()


class TrainingParams(Model):
    """What every training has in common."""

    seed: int = Field(0, description="of initial weights, order, crops, flips and noise")
    crop: int = Field(
        128,
        ge=24,
        le=1024,
        description="px; of discriminators vgg128 and vgg19 a multiple of 32: they halve it five times",
    )
    batch: int = Field(4, ge=1, le=1024, description="crops per step, over all workers")
    betas: tuple[Fraction, Fraction] = Field((0.9, 0.99), description="Adam's")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the device has it, by flags"
    )
    compile: bool = Field(
        False, description="networks through torch.compile: minutes at the start, and other last bits (recipe)"
    )
    threads: int = Field(2, ge=1, le=256, description="CPU threads; part of the recipe")
    workers: int = Field(
        1, ge=1, le=1024, description="1: in this process; n: by Ray Train, a GPU each; part of the recipe (sum order)"
    )
    loader: Literal["random", "stream"] = Field(
        "random", description="stream: shards in sequence through a shuffle buffer; exact resume is then not promised"
    )
    shuffle_buffer: Positive = Field(1000, description="samples in the buffer of `loader: stream`")
    cache: Literal["none", "memory", "device"] = Field(
        "memory", description="keep decoded frames in memory, or on the training's device, where crops are then cut"
    )
    crops_per_image: int = Field(
        1, ge=1, le=64, description="neighbouring crops of one picture; without a cache it is decoded once for them"
    )
    prefetch: int = Field(2, ge=0, le=64, description="batches made ahead by threads; 0: none. It changes no byte")
    evaluate_every: Positive = Field(100, description="steps between rows of curves.csv and gauges")
    checkpoint_every: Positive = Field(200, description="steps between checkpoints in .dbgan/")
    clip_gradient: float = Field(0.0, ge=0.0, description="maximal norm of the gradient; 0 switches clipping off")
    ema: float = Field(
        0.0, ge=0.0, lt=1.0, description="decay of the averaged generator, which is then evaluated and kept; 0: off"
    )

    @model_validator(mode="after")
    def _a_stream_is_not_kept(self) -> TrainingParams:
        if self.loader == "stream" and self.cache != "none":
            raise ValueError("loader: stream keeps no frames: set cache: none")
        return self

    @model_validator(mode="after")
    def _workers_share_the_batch(self) -> TrainingParams:
        if self.batch % self.workers:
            raise ValueError(
                f"batch {self.batch} cannot be divided among {self.workers} workers: each computes an equal part of it"
            )
        return self


def judgeable(crop: int, kind: str) -> None:
    """Raise a ValueError for pydantic where a discriminator of `kind` cannot judge crops of `crop` px."""
    if kind != "patch" and crop % 32:
        raise ValueError(
            f"training.crop {crop}: discriminator {kind} halves its crops five times; "
            f"set crop to {max(1, round(crop / 32)) * 32}, or discriminator.kind to patch, which takes any size"
        )


class WarmupParams(Model):
    """The discriminator trains alone until it leads; without it BGAN collapses to the identity."""

    max_steps: int = Field(300, ge=0, description="steps at most; 0: no warm-up")
    accuracy: Fraction = Field(0.95, description="smoothed accuracy that ends the warm-up early")
    lr: Rate = Field(5e-4, description="learning rate of the discriminator meanwhile")


class JudgeParams(Model):
    """A fresh discriminator's verdict on the finished BGAN, on val pictures (`fresh_accuracy` in summary.json)."""

    steps: int = Field(0, ge=0, description="steps it learns on train pictures before it is asked; 0: no verdict")
    lr: Rate = Field(5e-4, description="its learning rate")
    batches: Positive = Field(32, description="batches of val crops that it is asked about")


class MatchParams(Model):
    """Equalised between sharp and real crops before the discriminator sees them, so that it judges blur alone."""

    long_side: int = Field(0, ge=0, description="real captures are reduced to this long side, px; 0: left as they are")
    colour: bool = Field(True, description="channel means and deviations of real crops are set to those of the sharp")
    noise: float = Field(0.0, ge=0.0, le=0.2, description="sigma of noise added to real and fake alike, of [0, 1]")
    jpeg: int = Field(0, ge=0, le=100, description="quality at which real and sharp crops are JPEG-coded; 0: not")


class BganParams(Model):
    """One BGAN: a generator of realistic blur (section 3.2)."""

    sharp: list[Name] = Field(min_length=1, description="train sources whose sharp frames are blurred")
    synthetic: list[Name] = Field(min_length=1, description="sources whose blur D sees as real in the first phase")
    real: list[Name] = Field(min_length=1, description="sources of real captures, added in the second phase")
    generator: Annotated[GeneratorParams, AfterValidator(blurs)] = GeneratorParams(blocks=9)
    discriminator: DiscriminatorParams = DiscriminatorParams()
    perceptual: PerceptualParams = PerceptualParams()
    training: TrainingParams = TrainingParams()
    warmup: WarmupParams = WarmupParams()
    match: MatchParams = MatchParams()
    judge: JudgeParams = JudgeParams()
    beta: float = Field(0.01, ge=0.0, description="weight of the realistic blur loss (RBL); the paper's 0.01")
    perceptual_weight: float = Field(1.0, ge=0.0, description="weight of the perceptual loss")
    content: float = Field(
        0.0, ge=0.0, description="weight of the L1 between blurry and sharp means over 8x8 px: holds colour, lets blur"
    )
    moving: float = Field(
        0.0,
        ge=0.0,
        description="weight of the loss that opens the trajectory head's layers where something moves on its own, as "
        "neighbouring sharp frames of a sequence tell",
    )
    colour: Literal["rgb", "luminance"] = Field(
        "rgb", description="what D sees; luminance: it cannot judge colour, so that G has no reason to tint"
    )
    phase_synthetic: ScheduleParams
    phase_real: ScheduleParams
    discriminator_lr: Rate = Field(1e-4, description="learning rate of the discriminator")
    pool: int = Field(
        0, ge=0, le=100_000, description="past logits of D that join the batch in E[.] (relativistic); 0: none"
    )

    @model_validator(mode="after")
    def _crops_can_be_judged(self) -> BganParams:
        judgeable(self.training.crop, self.discriminator.kind)
        return self

    @model_validator(mode="after")
    def _layers_learn_from_neighbours(self) -> BganParams:
        if self.moving and (self.generator.network != "trajectory" or not self.generator.trajectory.layers):
            raise ValueError("moving teaches the layers of generator.network: trajectory; this generator has none")
        if self.moving and self.training.loader == "stream":
            raise ValueError("moving looks at neighbouring frames, which a stream does not have: set loader: random")
        return self


class AdversarialParams(Model):
    """One adversarial training of DBGAN (section 3.3)."""

    loss: Literal["classical", "relativistic"] = Field(
        "relativistic", description="adversarial loss: the classical one, or the relativistic average of Eqs. 7 and 8"
    )
    alpha: float = Field(0.005, ge=0.0, description="weight of the content loss; the paper's 0.005")
    beta: float = Field(0.01, ge=0.0, description="weight of the adversarial loss; the paper's 0.01")
    perceptual_weight: float = Field(1.0, ge=0.0, description="weight of the perceptual loss")
    content: Literal["l1", "mse"] = Field("l1", description="content loss: section 3.3 says L1, 3.4 MSE")
    schedule: ScheduleParams
    discriminator_lr: Rate = Field(1e-4, description="learning rate of the discriminator")
    warmup: WarmupParams = WarmupParams(max_steps=0)
    pool: int = Field(
        0, ge=0, le=100_000, description="past logits of D that join the batch in E[.] (relativistic); 0: none"
    )

    @model_validator(mode="after")
    def _pool_needs_means(self) -> AdversarialParams:
        if self.pool and self.loss == "classical":
            raise ValueError("pool holds logits for the means of the relativistic loss; the classical loss has none")
        return self


class FinetuneParams(AdversarialParams):
    """Stage 2: from `base`, with synthetic pairs mixed in (`plus`) or without (`control`)."""

    corpus: str = Field("", description="name of the synthetic corpus mixed in; empty for the control")
    corpora: dict[Name, Annotated[float, Field(gt=0.0)]] = Field(
        default_factory=dict, description="instead of `corpus`, several: name -> relative frequency"
    )
    reads: str = Field(
        "",
        description="path DVC watches: datasets/synthetic/CORPUS; of several, their parent; or the control's start",
    )
    mix: Fraction = Field(0.0, description="probability that a sample of the batch is synthetic")
    camera: CameraParams | None = Field(
        None, description="camera model that blurry crops go through, drawn for each crop anew; none by default"
    )
    camera_on: Literal["synthetic", "all"] = Field(
        "synthetic", description="which crops go through `camera`; all: averaged blur of real pairs as well"
    )

    @property
    def mixed(self) -> dict[str, float]:
        """Name -> relative frequency of the synthetic corpora mixed in; empty for the control."""
        return dict(self.corpora) if self.corpora else ({self.corpus: 1.0} if self.corpus else {})

    @model_validator(mode="after")
    def _mix_needs_corpus(self) -> FinetuneParams:
        if self.corpus and self.corpora:
            raise ValueError("name one corpus by `corpus` or several by `corpora`, not both")
        if bool(self.mixed) != (self.mix > 0):
            raise ValueError("mix above 0 needs a corpus, and a corpus needs mix above 0")
        if self.camera is not None and self.camera_on == "synthetic" and not self.mixed:
            raise ValueError("without a corpus no crop is synthetic: set camera_on: all, or leave camera out")
        if self.mixed:
            names = list(self.mixed)
            watched = f"datasets/synthetic/{names[0]}" if len(names) == 1 else "datasets/synthetic"
            if self.reads != watched:
                raise ValueError(f"reads must be {watched!r}, so that DVC watches what is mixed in")
        return self


class DbganCommon(Model):
    """What all DBGAN variants share."""

    pairs: list[Name] = Field(min_length=1, description="paired train sources")
    generator: Annotated[GeneratorParams, AfterValidator(restores)] = GeneratorParams()
    discriminator: DiscriminatorParams = DiscriminatorParams()
    perceptual: PerceptualParams = PerceptualParams()
    training: TrainingParams = TrainingParams()

    @model_validator(mode="after")
    def _crops_can_be_judged(self) -> DbganCommon:
        judgeable(self.training.crop, self.discriminator.kind)
        return self


class PretrainParams(Model):
    """Stage 0: content loss alone."""

    content: Literal["l1", "mse"] = Field("l1", description="content loss: section 3.3 says L1, 3.4 MSE")
    schedule: ScheduleParams


class DbganParams(Model):
    """DBGAN and its variants (section 3.3, DESIGN's graph)."""

    common: DbganCommon
    pretrain: PretrainParams
    train: dict[Literal["minus", "base"], AdversarialParams]
    finetune: dict[Literal["control", "plus"], FinetuneParams]
