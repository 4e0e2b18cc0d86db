"""Which training values of a run differ from the paper's, in words. What the paper leaves open is not listed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dbgan.params import (
    AdversarialParams,
    BganParams,
    DbganCommon,
    DiscriminatorParams,
    GeneratorParams,
    Params,
    PerceptualParams,
    TrainingParams,
)

ALPHA = 0.005
BETA = 0.01
PERCEPTUAL_WEIGHT = 1.0
CROP = 128
BATCH = 4
LEARNING_RATE = 1e-4
BGAN_NETWORK = GeneratorParams(block="plain", blocks=9, width=64)
DBGAN_NETWORK = GeneratorParams(block="rrdb", blocks=16, width=64, growth=32)
"""As published by the authors; the text of section 3.2 describes plain blocks (docs/paper.md)."""
DISCRIMINATOR = DiscriminatorParams(kind="vgg128", width=64)


@dataclass(frozen=True, slots=True)
class Departure:
    """One value that is not the paper's.

    Attributes:
        stage: `bgan.NAME`, `dbgan` (all variants) or `dbgan.VARIANT`.
        setting: what it is, in words.
        ours: the run's value.
        paper: the paper's (or, for the network, the published one's).
    """

    stage: str
    setting: str
    ours: str
    paper: str

    @property
    def words(self) -> str:
        """`crop 64 px (paper: 128 px)`."""
        return f"{self.setting} {self.ours} (paper: {self.paper})"


def departures(params: Params) -> list[Departure]:
    """Every value of every BGAN and of DBGAN's variants that differs from the paper's, in the order of training."""
    found = [own for name, bgan in params.bgan.items() for own in _bgan(f"bgan.{name}", bgan)]
    common = params.dbgan.common
    found += _common("dbgan", common, DBGAN_NETWORK)
    found += _rate("dbgan.l1", params.dbgan.pretrain.schedule.lr)
    for trained in (params.dbgan.train, params.dbgan.finetune):
        for variant, own in trained.items():
            found += _adversarial(f"dbgan.{variant}", own)
    return found


def _bgan(stage: str, own: BganParams) -> Iterator[Departure]:
    yield from _common(stage, own, BGAN_NETWORK)
    yield from _weight(stage, "adversarial weight beta", own.beta, BETA)
    yield from _weight(stage, "perceptual weight", own.perceptual_weight, PERCEPTUAL_WEIGHT)
    yield from _weight(stage, "low-pass content weight", own.content, 0.0)
    yield from _weight(stage, "weight of what moves on its own", own.moving, 0.0)
    yield from _rate(stage, max(own.phase_synthetic.lr, own.phase_real.lr))


def _adversarial(stage: str, own: AdversarialParams) -> Iterator[Departure]:
    yield from _weight(stage, "content weight alpha", own.alpha, ALPHA)
    yield from _weight(stage, "adversarial weight beta", own.beta, BETA)
    yield from _weight(stage, "perceptual weight", own.perceptual_weight, PERCEPTUAL_WEIGHT)
    yield from _rate(stage, own.schedule.lr)


def _common(stage: str, own: BganParams | DbganCommon, paper: GeneratorParams) -> Iterator[Departure]:
    yield from _differs(stage, "generator", network(own.generator), network(paper))
    yield from _differs(stage, "discriminator", _discriminator(own.discriminator), _discriminator(DISCRIMINATOR))
    yield from _differs(stage, "perceptual features", features(own.perceptual), features(PerceptualParams()))
    yield from _training(stage, own.training)


def _training(stage: str, own: TrainingParams) -> Iterator[Departure]:
    yield from _differs(stage, "crop", f"{own.crop} px", f"{CROP} px")
    yield from _differs(stage, "batch", str(own.batch), str(BATCH))


def _rate(stage: str, rate: float) -> Iterator[Departure]:
    yield from _weight(stage, "first learning rate", rate, LEARNING_RATE)


def _weight(stage: str, setting: str, ours: float, paper: float) -> Iterator[Departure]:
    yield from _differs(stage, setting, f"{ours:g}", f"{paper:g}")


def _differs(stage: str, setting: str, ours: str, paper: str) -> Iterator[Departure]:
    if ours != paper:
        yield Departure(stage, setting, ours, paper)


def network(own: GeneratorParams) -> str:
    """`9 plain blocks of 64 channels`, `NAFNet of 36 blocks, width 32`."""
    clamp = "" if own.clamp else ", not clamped"
    if own.network == "nafnet":
        blocks = sum(own.nafnet.encoder) + own.nafnet.middle + sum(own.nafnet.decoder)
        return f"NAFNet of {blocks} blocks, width {own.width}{clamp}"
    if own.network == "trajectory":
        return f"trajectory head, paths to {own.trajectory.max_path:g} px, {own.blocks} blocks of {own.width} channels"
    growth = "" if own.block == "plain" else f", growth {own.growth}"
    whole = "" if own.global_residual else ", no global residual"
    return f"{own.blocks} {own.block} blocks of {own.width} channels{growth}{whole}{clamp}"


def _discriminator(own: DiscriminatorParams) -> str:
    return f"{own.kind} of width {own.width}" + (", spectral norm" if own.spectral_norm else "")


def features(own: PerceptualParams) -> str:
    """Whose VGG19 features, in words. The path of a weights file is not said: folders may hold names of people."""
    whose = {"imagenet": "trained on ImageNet", "random": "random"}.get(own.weights, "from a file of one's own")
    layers = " + ".join(name if weight == 1.0 else f"{weight:g} {name}" for name, weight in sorted(own.taps.items()))
    return f"{whose}, width {own.width}" + ("" if own.taps == {"conv5_4": 1.0} else f", {layers}")


def grouped(found: list[Departure]) -> list[Departure]:
    """Equal values of several stages as one row that names them all, for the table."""
    stages: dict[tuple[str, str, str], list[str]] = {}
    for own in found:
        stages.setdefault((own.setting, own.ours, own.paper), []).append(own.stage)
    return [Departure(", ".join(names), *values) for values, names in stages.items()]


def in_words(found: list[Departure]) -> list[tuple[str, str]]:
    """(stage, one sentence of all that differs in it), in the order of `found`."""
    stages: dict[str, list[str]] = {}
    for own in found:
        stages.setdefault(own.stage, []).append(own.words)
    return [(stage, f"Differs from the paper: {'; '.join(words)}.") for stage, words in stages.items()]
