"""Train BGAN: sharp frames and real blur, unpaired, to a generator of realistic blur. Paper section 3.2, Fig. 3.

Three phases. `warmup`: D alone, until it leads (a D that starts at chance lets G collapse to the identity).
`synthetic`: D's real pictures are the averaged blur of paired sources. `real`: real captures make up half of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dbgan import seeds
from dbgan.errors import CorpusError
from dbgan.networks import NOISE_CHANNELS, discriminator, generator, perceptual
from dbgan.networks.features import PerceptualFeatures
from dbgan.networks.registry import Generator
from dbgan.networks.trajectory import TrajectoryGenerator
from dbgan.train import losses, stream, work
from dbgan.train.batches import Batches, centre_crops
from dbgan.train.critic import Critic
from dbgan.train.data import TrainingSet, open_set
from dbgan.train.feed import crops_of, in_time
from dbgan.train.gauges import bgan_gauges, bgan_warnings, laplacian_variance
from dbgan.train.judge import judged
from dbgan.train.learner import Learner
from dbgan.train.loop import Row
from dbgan.train.moving import MovingSet, layers_loss, openness
from dbgan.train.numerics import Numerics, compiled
from dbgan.train.pictures import Sheet, between
from dbgan.train.profile import Profile, profile
from dbgan.train.spans import span
from dbgan.train.team import ALONE, Team

if TYPE_CHECKING:
    from dbgan.params import BganParams, MatchParams, PerceptualParams, ScheduleParams

REVISION = 5
"""Raised by hand when the same recipe gives other bytes."""

GAUGE_PICTURES = 8
SHOWN = 4
"""Rows of samples.png and walk.png."""

WALK = 7
"""Columns of walk.png: steps on the way from one draw of z to another, both ends among them."""

CAPTURE = "a real capture"
"""The column of samples.png that BGAN did not make."""

VIEW = 192
"""Side of the pictures that gauges and samples.png look at, px; less where a source's pictures are smaller."""


CUDA_NOTE = (
    "a stopped and resumed training of the trajectory head equals an undisturbed one statistically, not bit for bit: "
    "on CUDA parts of its backward pass add up in no fixed order"
)


@dataclass(frozen=True, slots=True)
class BganData:
    """What BGAN learns from and is looked at with; `held_out` and `captures` are never trained on where val exists."""

    sharp: TrainingSet
    synthetic: TrainingSet
    real: TrainingSet
    held_out: TrainingSet
    captures: TrainingSet
    notes: tuple[str, ...]

    def digests(self) -> dict[str, list[list[str]]]:
        """Pixel digests of every sample, for the recipe."""
        names = ("sharp", "synthetic", "real", "held_out", "captures")
        return {name: getattr(self, name).digests() for name in names}


def train_bgan(name: str, params: BganParams, datasets: Path, out: Path) -> None:
    """Train BGAN `name` and leave weights.safetensors, curves.csv, samples.png, walk.png and summary.json in `out`.

    Args:
        name: under `bgan` in params.
        params: its parameters.
        datasets: the project's datasets folder; sources at train/SOURCE with train/SOURCE.selection.parquet.
        out: models/bgan/NAME.

    Raises:
        CorpusError: a source is missing, lacks a field, or has no kept sample to train on.
        dbgan.train.loop.DivergedError: a loss or gradient became NaN or infinite.
        dbgan.train.work.StaleRevisionError: the code changed what the same recipe gives.
    """
    data = open_data(params, datasets)
    numerics = Numerics.choose(params.training)
    shaping = params.model_dump(mode="json", exclude={"training"}) | {"training": work.shaping(params.training)}
    work.do(
        work.Work(
            kind="bgan",
            variant=name,
            revision=REVISION,
            inputs={"samples": data.digests(), "perceptual": work.perceptual_digest(params.perceptual)},
            params=shaping,
            training=params.training,
            numerics=numerics,
            build=lambda numerics: BganTask(name, params, data, numerics),
            notes=data.notes,
        ),
        out,
    )


def profile_bgan(name: str, params: BganParams, datasets: Path) -> Profile:
    """Where the time of a step of BGAN `name` goes, in one minute; nothing is written. Errors as in `train_bgan`."""
    numerics = Numerics.choose(params.training)
    return profile(BganTask(name, params, open_data(params, datasets), numerics), numerics)


def open_data(params: BganParams, datasets: Path) -> BganData:
    """The training sets that `params` name. Reads tables, no pictures."""
    training, long_side = params.training, params.match.long_side
    device = Numerics.choose(training).device

    def opened(names: list[str], field: str, split: Any, side: int = 0) -> TrainingSet:
        made_by = MovingSet if field == "sharp" and params.moving else TrainingSet
        how: dict[str, Any] = {"cache": training.cache, "device": device, "long_side": side, "made_by": made_by}
        return open_set(datasets, names, (field,), split, **how)

    sharp, real = opened(params.sharp, "sharp", "train"), opened(params.real, "blur", "train", long_side)
    held_out, captures = opened(params.sharp, "sharp", "val"), opened(params.real, "blur", "val", long_side)
    for names, unseen in ((params.sharp, held_out), (params.real, captures)):
        if params.judge.steps and len(unseen) == 0:
            raise CorpusError(
                f"datasets/train: no kept sample of split 'val' in {', '.join(names)}; `judge` asks about what "
                "training has not seen.\nNext: raise curate.val_fraction of a source, or pin a sequence to val; or set "
                "judge.steps to 0."
            )
    notes: tuple[str, ...] = (stream.NOTE,) if training.loader == "stream" else ()
    if device == "cuda" and params.generator.network == "trajectory":
        notes += (CUDA_NOTE,)
    if len(held_out) == 0:
        notes += (f"no validation split in {', '.join(params.sharp)}: gauges look at training frames",)
    return BganData(
        sharp=sharp,
        synthetic=opened(params.synthetic, "blur", "train"),
        real=real,
        held_out=held_out if len(held_out) else sharp,
        captures=captures if len(captures) else real,
        notes=notes,
    )


class BganTask:
    """BGAN for the loop (`dbgan.train.loop.Task`)."""

    columns: tuple[str, ...] = (
        *("lr", "loss", "perceptual", "content", "adversarial", "d_loss", "d_accuracy"),
        *("psnr_to_sharp", "colour_shift", "z_sensitivity", "z_tint", "z_low", "z_high"),
        *("laplacian", "laplacian_sharp", "laplacian_real"),
    )

    def __init__(self, name: str, params: BganParams, data: BganData, numerics: Numerics) -> None:
        self.label = f"train bgan {name}"
        if params.moving:
            self.columns = (*BganTask.columns, "moving", "layers_moving", "layers_still")
        self._params, self._numerics = params, numerics
        training = params.training
        jpeg = params.match.jpeg
        self._sharp, self._synthetic, self._real = (
            in_time(crops_of(samples, training, purpose, jpeg=quality, team=numerics.team), training)
            for samples, purpose, quality in (
                (data.sharp, "sharp", jpeg),
                (data.synthetic, "synthetic", 0),
                (data.real, "real", jpeg),
            )
        )
        features = perceptual_features(params.perceptual)
        self._features = compiled(numerics.place(features), training)
        network = generator("bgan", **params.generator.arguments(), seed=training.seed)
        self.memory: dict[str, float] = {}
        self._learner = Learner(network, training=training, numerics=numerics, memory=self.memory)
        self.generator = self._learner.network
        self._critic = Critic(
            discriminator(**params.discriminator.model_dump(), crop=training.crop, seed=training.seed),
            generator_loss=losses.relativistic_generator_loss,
            discriminator_loss=losses.relativistic_discriminator_loss,
            warmup=params.warmup,
            lr=params.discriminator_lr,
            training=training,
            numerics=numerics,
            memory=self.memory,
            pool=params.pool,
        )
        self.modules: dict[str, nn.Module] = {**self._learner.modules, **self._critic.modules}
        self.optimizers: dict[str, torch.optim.Optimizer] = {
            "generator": self._learner.optimizer,
            "discriminator": self._critic.optimizer,
        }
        self.facts: dict[str, Any] = {"perceptual": features.description, "start": ""}
        self._judging = _judging(data, params) if params.judge.steps else None
        self._looked_at, *masks = (numerics.tensor(f) for f in centre_crops(data.held_out, VIEW, GAUGE_PICTURES))
        self._looked_at_masks = masks[0] if masks else None
        self._captures = numerics.tensor(centre_crops(data.captures, VIEW, GAUGE_PICTURES)[0])

    @property
    def product(self) -> Generator:
        """The blur generator that is evaluated and kept."""
        return self._learner.product

    @property
    def total_steps(self) -> int:
        """Warm-up and both phases; it shrinks when the warm-up ends early."""
        return self._critic.warmup_steps + self._params.phase_synthetic.steps + self._params.phase_real.steps

    def phase(self, step: int) -> str:
        """`warmup`, `synthetic` or `real`."""
        if not self._critic.leads(step):
            return "warmup"
        return "synthetic" if step - self._critic.warmup_steps < self._params.phase_synthetic.steps else "real"

    def step(self, step: int) -> dict[str, float]:
        """One step of the phase that `step` is in."""
        phase = self.phase(step)
        begun = self._critic.warmup_steps + (self._params.phase_synthetic.steps if phase == "real" else 0)
        return self._step(phase, step, step - begun)

    def rehearse(self) -> None:
        """One step of each phase."""
        for step, phase in enumerate(("warmup", "synthetic", "real")):
            self._step(phase, step, 0)

    def _step(self, phase: str, step: int, within: int) -> dict[str, float]:
        sharp, *masks = (self._numerics.tensor(field) for field in self._sharp(step))
        z = self._numerics.team.share(self._noise("noise", step, self._params.training.batch))
        real = self._real_batch(phase, step, sharp)
        with span("G forward"), torch.set_grad_enabled(phase != "warmup"), self._numerics.autocast():
            fake, layers = self._head.blur_and_layers(sharp, z) if masks else (self.generator(sharp, z), None)
        real_seen, fake_seen = self._with_noise(step, real, fake.float())
        if phase == "warmup":
            values = self._teach_layers(sharp, z, masks[0], step) if masks else {"lr": 0.0}
            return {**values, **self._critic.warm(real_seen, fake_seen)}
        schedule: ScheduleParams = getattr(self._params, f"phase_{phase}")
        terms = self._generator_terms(sharp, fake, real_seen, fake_seen)
        if layers is not None:
            terms["moving"] = layers_loss(layers, masks[0])
            terms["loss"] = terms["loss"] + self._params.moving * terms["moving"]
        values = self._learner.learn(terms, phase=phase, within=within, schedule=schedule)
        judged = self._critic.learn(real_seen, fake_seen, lr=self._critic.rate(values["lr"], schedule))
        return {**values, **judged}

    def _teach_layers(self, sharp: Tensor, z: Tensor, masks: Tensor, step: int) -> dict[str, float]:
        """A step of the layers alone, at the rates of phase `synthetic`: they need no D to learn where things move."""
        with span("G forward"), self._numerics.autocast():
            layers = self._head.layers_of(sharp, z)
        moving = layers_loss(layers, masks)
        terms = {"loss": self._params.moving * moving, "moving": moving}
        return self._learner.learn(terms, phase="warmup", within=step, schedule=self._params.phase_synthetic)

    @property
    def _head(self) -> TrajectoryGenerator:
        """The generator, which has layers where `moving` is on. Never compiled: the head costs little."""
        assert isinstance(self.generator, TrajectoryGenerator)  # BganParams sees to it
        return self.generator

    def _generator_terms(self, sharp: Tensor, fake: Tensor, real_seen: Tensor, fake_seen: Tensor) -> dict[str, Tensor]:
        """Perceptual loss and low-pass content loss against its own sharp input, and the realistic blur loss (RBL).

        A term of weight zero is not computed.
        """
        own = self._params
        adversarial = self._critic.verdict(real_seen, fake_seen)
        loss, kept = own.beta * adversarial, {}
        if own.perceptual_weight:
            with self._numerics.autocast():
                kept["perceptual"] = losses.perceptual(self._features, fake, sharp)
            loss = loss + own.perceptual_weight * kept["perceptual"]
        if own.content:
            kept["content"] = losses.low_pass_content(fake.float(), sharp)
            loss = loss + own.content * kept["content"]
        return {"loss": loss, **kept, "adversarial": adversarial}

    def _real_batch(self, phase: str, step: int, sharp: Tensor) -> Tensor:
        """What D sees as real: averaged blur; in phase `real` every second picture is a real capture."""
        averaged = self._numerics.tensor(self._synthetic(step)[0])
        if phase != "real":
            return averaged
        captured, team = self._numerics.tensor(self._real(step)[0]), self._numerics.team
        if self._params.match.colour:
            captured = match_colour(captured, sharp, team)
        every_second = team.share(torch.arange(self._params.training.batch, device=averaged.device)) % 2 == 1
        return torch.where(every_second.view(-1, 1, 1, 1), captured, averaged)

    def _with_noise(self, step: int, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """MatchParams.noise: the same sensor noise on both, so that its absence betrays none. Then `colour`."""
        seen = add_noise(self._params.match, self._params.training.seed, step, real, fake, self._numerics.team)
        return seen if self._params.colour == "rgb" else (luminance(seen[0]), luminance(seen[1]))

    def _draw(self, purpose: str, number: int, count: int) -> NDArray[np.float64]:
        return seeds.generator(self._params.training.seed, purpose, number).standard_normal((count, NOISE_CHANNELS))

    def _noise(self, purpose: str, number: int, count: int) -> Tensor:
        return self._numerics.tensor(torch.from_numpy(self._draw(purpose, number, count).astype(np.float32)))

    def _blurred(self, sharp: Tensor, z: Tensor) -> Tensor:
        return self._learner.infer(self._numerics, sharp, z)

    def evaluate(self) -> dict[str, float]:
        """Gauges on fixed frames and two fixed draws of z."""
        z1, z2 = (self._noise("gauge-noise", n, len(self._looked_at)) for n in range(2))
        gauges = bgan_gauges(self._blurred, self._looked_at, z1, z2)
        if self._looked_at_masks is not None:
            assert isinstance(self.product, TrajectoryGenerator)
            with torch.no_grad(), self._numerics.autocast():
                layers = self.product.layers_of(self._looked_at, z1)
            gauges |= openness(layers, self._looked_at_masks)
        return {**gauges, "laplacian_real": float(laplacian_variance(self._captures).mean())}

    def final_gauges(self) -> dict[str, float]:
        """`judge`: what a fresh discriminator says of the finished generator; none where that is off."""
        if self._judging is None:
            return {}
        own, training = self._params, self._params.training
        numerics = replace(self._numerics, team=ALONE)

        def seen(kind: str, step: int) -> tuple[Tensor, Tensor]:
            assert self._judging is not None
            sharp, real = (numerics.tensor(batches(step)[0]) for batches in self._judging[kind])
            real = match_colour(real, sharp) if own.match.colour else real
            fake = self._blurred(sharp, self._noise(f"judge-{kind}-noise", step, len(sharp)))
            real, fake = add_noise(own.match, training.seed, step, real, fake)
            return (real, fake) if own.colour == "rgb" else (luminance(real), luminance(fake))

        # a seed of its own: it must not start where the discriminator of the training started
        fresh = discriminator(**own.discriminator.model_dump(), crop=training.crop, seed=training.seed + 1)
        return judged(fresh, partial(seen, "learnt"), partial(seen, "asked"), own.judge, training, numerics)

    def sheets(self) -> dict[str, Sheet]:
        """`samples`: sharp, three draws of z, a real capture (for the look of it: it shows something else).

        `walk`: the same frames on the way from the first draw of z to the second.
        """
        sharp = self._looked_at[:SHOWN]

        def blurred(z: NDArray[np.float64]) -> Tensor:
            shared = self._numerics.tensor(torch.from_numpy(z.astype(np.float32)))
            return self._blurred(sharp, shared.expand(len(sharp), -1))

        draws = [self._draw("gauge-noise", n, 1)[0] for n in range(3)]
        samples = {"sharp": sharp, **{f"z {n + 1}": blurred(z) for n, z in enumerate(draws)}}
        way = between(draws[0], draws[1], WALK)
        names = ["z 1", *(f"{100 * n / (WALK - 1):.0f} %" for n in range(1, WALK - 1)), "z 2"]
        return {
            "samples": Sheet.of({**samples, CAPTURE: self._captures[:SHOWN]}),
            "walk": Sheet.of({name: blurred(z) for name, z in zip(names, way, strict=True)}),
        }

    def warnings(self, row: Row) -> list[str]:
        """Identity, unused noise, sharpening, a discriminator at chance or winning outright; not during the warm-up."""
        return [] if row["phase"] == "warmup" else bgan_warnings(row)


def _judging(data: BganData, params: BganParams) -> dict[str, tuple[Batches, Batches]]:
    """(sharp frames, real captures) that a fresh discriminator learns from, and that it is asked about."""
    sets = {"learnt": (data.sharp, data.real), "asked": (data.held_out, data.captures)}
    return {
        kind: (
            crops_of(sharp, params.training, f"judge-{kind}-sharp", jpeg=params.match.jpeg),
            crops_of(real, params.training, f"judge-{kind}-real", jpeg=params.match.jpeg),
        )
        for kind, (sharp, real) in sets.items()
    }


def luminance(pictures: Tensor) -> Tensor:
    """BT.601 luma of NCHW RGB in all three channels: the same discriminator judges it."""
    red, green, blue = pictures.unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma[:, None].expand(-1, 3, -1, -1)


def match_colour(pictures: Tensor, reference: Tensor, team: Team = ALONE) -> Tensor:
    """`pictures` with the channel means and deviations of `reference`, both over the whole batch, clamped to [0, 1].

    Args:
        pictures: NCHW float in [0, 1]; this worker's rows of the batch.
        reference: NCHW float in [0, 1]; likewise.
        team: the workers whose rows make up the batch.
    """
    dims = (0, 2, 3)
    everyones, wanted = team.whole(pictures), team.whole(reference)
    mean, std = everyones.mean(dims, keepdim=True), everyones.std(dims, keepdim=True).clamp_min(1e-3)
    wanted_mean, wanted_std = wanted.mean(dims, keepdim=True), wanted.std(dims, keepdim=True)
    return ((pictures - mean) / std * wanted_std + wanted_mean).clamp(0.0, 1.0)


def add_noise(
    match: MatchParams, seed: int, step: int, real: Tensor, fake: Tensor, team: Team = ALONE
) -> tuple[Tensor, Tensor]:
    """Both batches with Gaussian noise of `match.noise`, a function of (seed, step) and the place in the batch."""
    if match.noise == 0.0:
        return real, fake
    whole = (2, len(real) * team.size, *real.shape[1:])
    drawn = torch.from_numpy(seeds.generator(seed, "match-noise", step).standard_normal(whole, dtype=np.float32))
    real_noise, fake_noise = (team.share(part).to(real.device) * match.noise for part in drawn)
    return real + real_noise, fake + fake_noise


def perceptual_features(params: PerceptualParams) -> PerceptualFeatures:
    """The perceptual network that `params` name."""
    return perceptual(params.weights, params.width, params.seed, params.taps)
