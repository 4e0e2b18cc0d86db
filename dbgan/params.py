"""params.yaml as validated models: every knob, its unit, its range. Nothing below `pipelines/` reads raw settings."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dbgan.errors import ParamsError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0, le=1.0)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$")]


class Model(BaseModel):
    """Frozen, and a key that no field names is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SampleParams(Model):
    """The embedded demo input (`dbgan sample`)."""

    seed: int = Field(7, description="seed of trajectories, noise and exposure")
    width: int = Field(320, ge=64, le=1920, description="frame width, px")
    height: int = Field(192, ge=64, le=1080, description="frame height, px")
    average: int = Field(11, ge=3, le=31, description="sharp 240 fps frames averaged per blurry one (yy of GOPRO), odd")
    frames_per_sequence: int = Field(8, ge=2, le=200, description="pairs per GOPRO-like sequence")
    captures_per_phone: int = Field(20, ge=2, le=500, description="blurry photos per phone")


class IngestParams(Model):
    """How a raw folder becomes a corpus."""

    layout: Literal["gopro", "captures", "paired"] = Field(description="layout of the raw folder")
    image: Literal["png", "jpg"] = Field("png", description="file type of every image in the corpus")
    shard_samples: int = Field(32, ge=2, le=100_000, description="mean samples per shard; at most twice as many")
    max_reject_fraction: Fraction = Field(0.02, description="share of refused inputs above which the stage fails")
    max_pixels: int = Field(200_000_000, ge=1, description="pictures that promise more pixels are refused unread")
    min_side: int = Field(16, ge=1, description="pictures with a shorter side are refused, px")
    icc: Literal["keep", "srgb"] = Field(
        "keep",
        description="`keep`: pixel values as stored, colour profiles (Display P3 of phones) stay in the pictures; "
        "`srgb`: pictures of another profile are converted to sRGB and encoded anew",
    )
    quality: bool = Field(True, description="measure sharpness, noise, clipping of every picture")
    blur: Literal["blur", "blur_gamma"] | None = Field(
        None, description="GOPRO only, required: `blur` averages stored frames, `blur_gamma` averages in linear light"
    )
    device: str | dict[str, str] = Field(
        "exif", description="`exif` (make and model), `folder` (top folder), a name, or {glob: name} on relative paths"
    )
    blur_glob: str = Field("", description="paired only: blurry files below the root; its `*` name sequence and frame")
    sharp_glob: str = Field("", description="paired only: sharp files below the root, with as many `*`")

    @model_validator(mode="after")
    def _layout_needs(self) -> IngestParams:
        if self.layout == "gopro" and self.blur is None:
            raise ValueError("layout gopro needs `blur: blur` or `blur: blur_gamma` (see datasets/gopro.md on which)")
        if self.layout == "paired" and not (self.blur_glob and self.sharp_glob):
            raise ValueError("layout paired needs blur_glob and sharp_glob, such as '*/blur/*.png' and '*/sharp/*.png'")
        return self


class Limits(Model):
    """A closed band; None leaves that side open."""

    min: float | None = None
    max: float | None = None


class CurateParams(Model):
    """Which samples to use, in which split. A measure is a manifest column such as `blur_laplacian`."""

    min_side: int = Field(128, ge=1, description="samples whose shorter side is smaller are dropped, px")
    limits: dict[str, Limits] = Field(default_factory=dict, description="measure -> band, for every device")
    devices: dict[str, dict[str, Limits]] = Field(default_factory=dict, description="device -> measure -> band")
    drop_duplicates: bool = Field(True, description="of samples with equal pixels only the first by key is kept")
    val_fraction: Fraction = Field(0.1, description="share of sequences held out of training, by hash of their name")
    pinned: dict[str, Literal["train", "val", "test"]] = Field(
        default_factory=dict, description="sequence -> split, over the hash"
    )


class SourceParams(Model):
    """One raw folder: where it is, what it is for, how it is read and curated."""

    use: Literal["train", "test"]
    root: str = Field(description="raw folder, relative to the project's root")
    ingest: IngestParams
    curate: CurateParams


class GeneratorParams(Model):
    """A generator (paper section 3.1 and Fig. 2)."""

    block: Literal["plain", "rdb", "rrdb"] = "plain"
    blocks: int = Field(16, ge=1, le=64)
    width: int = Field(64, ge=4, le=512, description="feature channels")
    growth: int = Field(32, ge=4, le=512, description="channels a dense block adds per convolution")
    init: Literal["kaiming", "normal", "zero_last"] = Field(
        "kaiming", description="kaiming: scaled 0.1; normal: N(0, 0.01), the paper's; zero_last: starts as the identity"
    )
    noise: Literal["input", "blocks"] = Field("input", description="BGAN only: where the noise map enters")


class DiscriminatorParams(Model):
    """A discriminator on crops of `crop` px."""

    kind: Literal["vgg128", "vgg19"] = "vgg128"
    width: int = Field(64, ge=4, le=512, description="channels of the first convolution")
    spectral_norm: bool = False


class PerceptualParams(Model):
    """VGG19 `features[:35]` (conv5_4 before ReLU), L1 on features."""

    weights: str = Field("imagenet", description="`imagenet`, `random`, or the path of a vgg19 weights file")
    width: int = Field(64, ge=4, le=64, description="channels of the first block; other than 64 only with `random`")
    seed: int = Field(0, description="seed of `random`")


class ScheduleParams(Model):
    """Length and rates of one phase."""

    steps: Positive
    lr: Rate = 1e-4
    lr_end: Rate = 1e-6
    ramp: int = Field(0, ge=0, description="first steps in which the rate rises linearly from 0; spares small nets")


class TrainingParams(Model):
    """What every training has in common."""

    seed: int = 0
    crop: int = Field(128, ge=32, le=1024, multiple_of=32, description="px; discriminators halve it five times")
    batch: int = Field(4, ge=1, le=1024)
    betas: tuple[Fraction, Fraction] = Field((0.9, 0.99), description="Adam's")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the device has it, by flags"
    )
    threads: int = Field(2, ge=1, le=256, description="CPU threads; part of the recipe")
    cache: Literal["memory", "none"] = Field("memory", description="keep decoded frames in memory")
    evaluate_every: Positive = Field(100, description="steps between rows of curves.csv and gauges")
    checkpoint_every: Positive = Field(200, description="steps between checkpoints in .dbgan/")
    clip_gradient: float = Field(0.0, ge=0.0, description="maximal norm of the gradient; 0 switches clipping off")


class WarmupParams(Model):
    """The discriminator trains alone until it leads; without it BGAN collapses to the identity."""

    max_steps: int = Field(300, ge=0)
    accuracy: Fraction = Field(0.95, description="smoothed accuracy that ends the warm-up early")
    lr: Rate = 5e-4


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
    generator: GeneratorParams = GeneratorParams(blocks=9)
    discriminator: DiscriminatorParams = DiscriminatorParams()
    perceptual: PerceptualParams = PerceptualParams()
    training: TrainingParams = TrainingParams()
    warmup: WarmupParams = WarmupParams()
    match: MatchParams = MatchParams()
    beta: float = Field(0.01, ge=0.0, description="weight of the realistic blur loss (RBL); the paper's 0.01")
    perceptual_weight: float = Field(1.0, ge=0.0)
    phase_synthetic: ScheduleParams
    phase_real: ScheduleParams
    discriminator_lr: Rate = 1e-4


class AdversarialParams(Model):
    """One adversarial training of DBGAN (section 3.3)."""

    loss: Literal["classical", "relativistic"] = "relativistic"
    alpha: float = Field(0.005, ge=0.0, description="weight of the content loss; the paper's 0.005")
    beta: float = Field(0.01, ge=0.0, description="weight of the adversarial loss; the paper's 0.01")
    perceptual_weight: float = Field(1.0, ge=0.0)
    content: Literal["l1", "mse"] = "l1"
    schedule: ScheduleParams
    discriminator_lr: Rate = 1e-4
    warmup: WarmupParams = WarmupParams(max_steps=0)


class FinetuneParams(AdversarialParams):
    """Stage 2: from `base`, with synthetic pairs mixed in (`plus`) or without (`control`)."""

    corpus: str = Field("", description="name of the synthetic corpus mixed in; empty for the control")
    reads: str = Field("", description="path DVC watches: datasets/synthetic/CORPUS, or the control's start")
    mix: Fraction = Field(0.0, description="probability that a sample of the batch is synthetic")

    @model_validator(mode="after")
    def _mix_needs_corpus(self) -> FinetuneParams:
        if bool(self.corpus) != (self.mix > 0):
            raise ValueError("mix above 0 needs a corpus, and a corpus needs mix above 0")
        if self.corpus and self.reads != f"datasets/synthetic/{self.corpus}":
            raise ValueError(f"reads must be 'datasets/synthetic/{self.corpus}', so that DVC watches the corpus")
        return self


class DbganCommon(Model):
    """What all DBGAN variants share."""

    pairs: list[Name] = Field(min_length=1, description="paired train sources")
    generator: GeneratorParams = GeneratorParams()
    discriminator: DiscriminatorParams = DiscriminatorParams()
    perceptual: PerceptualParams = PerceptualParams()
    training: TrainingParams = TrainingParams()


class PretrainParams(Model):
    """Stage 0: content loss alone."""

    content: Literal["l1", "mse"] = "l1"
    schedule: ScheduleParams


class DbganParams(Model):
    """DBGAN and its variants (section 3.3, DESIGN's graph)."""

    common: DbganCommon
    pretrain: PretrainParams
    train: dict[Literal["minus", "base"], AdversarialParams]
    finetune: dict[Literal["control", "plus"], FinetuneParams]


class SynthesizeParams(Model):
    """One synthetic corpus: sharp frames of train sources, blurred."""

    sharp: list[Name] = Field(min_length=1)
    model: Literal["bgan", "average", "kernel"] = "bgan"
    generator: str = Field("", description="bgan only: the name under `bgan` in params")
    variants: int = Field(1, ge=1, le=1000, description="blurry versions of each sharp frame")
    seed: int = 0
    image: Literal["png", "jpg"] = "png"
    tile: int = Field(512, ge=64, le=8192, description="tile side, px; part of the recipe")
    threads: int = Field(2, ge=1, le=256, description="threads per actor; part of the recipe")
    precision: Literal["fp32", "bf16"] = "fp32"
    shard_samples: int = Field(32, ge=2, le=100_000)
    workers: int = Field(1, ge=0, description="0: all devices through Ray; 1: in this process; n: n Ray actors")

    @model_validator(mode="after")
    def _bgan_needs_generator(self) -> SynthesizeParams:
        if (self.model == "bgan") != bool(self.generator):
            raise ValueError("model bgan needs `generator` (a name under `bgan`), other models take none")
        return self


class AuditParams(Model):
    """Is the synthetic blur like the real? Compared on the val split of real captures, never on datasets/test."""

    real: list[Name] = Field(min_length=1, description="sources of real captures")
    pairs: list[Name] = Field(default_factory=list, description="paired sources whose own blur is compared as well")
    crop: int = Field(128, ge=32, description="px; measures are taken on crops of this size")
    crops_per_image: Positive = 4
    images: Positive = Field(200, description="pictures measured of each set, chosen by the hash of their key")
    long_side: int = Field(
        0, ge=0, description="real captures are reduced to this long side before, px (as bgan.NAME.match does); 0: not"
    )
    seed: int = 0


class EvaluateParams(Model):
    """Scores on datasets/test."""

    variants: list[Literal["l1", "minus", "base", "control", "plus"]]
    tile: int = Field(512, ge=64, le=8192, description="px")
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int = Field(2, ge=1, le=256)
    pictures: int = Field(4, ge=1, le=100, description="test pairs shown in the grid")


class Params(Model):
    """The whole of params.yaml."""

    samples: dict[Name, SampleParams] = Field(default_factory=dict)
    sources: dict[Name, SourceParams] = Field(min_length=1)
    bgan: dict[Name, BganParams] = Field(min_length=1)
    synthesize: dict[Name, SynthesizeParams] = Field(min_length=1)
    audit: dict[Name, AuditParams] = Field(min_length=1)
    dbgan: DbganParams
    evaluate: EvaluateParams

    @model_validator(mode="after")
    def _names_exist(self) -> Params:
        train = {n for n, s in self.sources.items() if s.use == "train"}
        for where, names in self._named_sources().items():
            for name in names:
                if name not in train:
                    near = difflib.get_close_matches(name, train, 1)
                    hint = f" Did you mean {near[0]!r}?" if near else ""
                    raise ValueError(f"{where} names {name!r}, which is no source with `use: train`.{hint}")
        for name, synth in self.synthesize.items():
            if synth.generator and synth.generator not in self.bgan:
                raise ValueError(f"synthesize.{name}.generator names {synth.generator!r}, which is not under `bgan`")
        for name in self.audit:
            if name not in self.synthesize:
                raise ValueError(f"audit.{name} has no synthetic corpus of that name under `synthesize`")
        for name, tune in self.dbgan.finetune.items():
            if not tune.reads:
                start = "models/dbgan/base/weights.safetensors"
                raise ValueError(f"dbgan.finetune.{name}.reads is missing; without a corpus it is {start}")
            if tune.corpus and tune.corpus not in self.synthesize:
                raise ValueError(f"dbgan.finetune.{name}.corpus names {tune.corpus!r}, not under `synthesize`")
        return self

    def _named_sources(self) -> dict[str, list[str]]:
        named = {"dbgan.common.pairs": list(self.dbgan.common.pairs)}
        for name, bgan in self.bgan.items():
            named |= {f"bgan.{name}.{k}": list(getattr(bgan, k)) for k in ("sharp", "synthetic", "real")}
        for name, synth in self.synthesize.items():
            named[f"synthesize.{name}.sharp"] = list(synth.sharp)
        for name, audit in self.audit.items():
            named |= {f"audit.{name}.real": list(audit.real), f"audit.{name}.pairs": list(audit.pairs)}
        return named


M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], values: Any, where: str) -> M:
    """`model` from a dict, or `ParamsError` that lists every wrong key, what was expected and the nearest right key."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ParamsError(f"{where}: {_explain(model, error)}") from None


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    lines = [f"{error.error_count()} wrong value(s)"]
    for problem in error.errors():
        path = ".".join(str(part) for part in problem["loc"]) or "(whole)"
        line = f"  {path}: {problem['msg']}"
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(problem["loc"][-1]), sorted(_all_fields(model)), 1)
            line = f"  {path}: no such key." + (f" Did you mean {near[0]!r}?" if near else "")
        elif problem["type"] != "missing" and not isinstance(problem.get("input"), dict):
            line += f" (found {problem.get('input')!r})"
        lines.append(line)
    return "\n".join(lines)


def _all_fields(model: type[BaseModel]) -> set[str]:
    """Field names of the model and of every model below it."""
    names, queue, seen = set[str](), [model], set[type]()
    while queue:
        current = queue.pop()
        seen.add(current)
        for name, info in current.model_fields.items():
            names.add(name)
            queue.extend(m for m in _models_in(info.annotation) if m not in seen)
    return names


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for part in getattr(annotation, "__args__", ()) for m in _models_in(part)]


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate params.yaml. Raises `ParamsError` before any work."""
    if not path.is_file():
        raise ParamsError(f"{path}: no such file.\nNext: run from the project's root, where params.yaml is.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read ({error.strerror}).\nNext: correct its permissions.") from None
    except UnicodeDecodeError as error:
        raise ParamsError(
            f"{path}: expected UTF-8 text, found the byte 0x{error.object[error.start]:02x} at offset {error.start}.\n"
            "Next: save it as UTF-8."
        ) from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not YAML: {error}") from None
    return validated(Params, values, str(path))
