"""Train DBGAN: blurry to sharp, on pairs. Paper section 3.3, and 3.4 for the losses.

Stage 0 `l1`: content loss alone. Stage 1 from it: `minus` (classical adversarial loss) and `base` (relativistic, RDBL).
Stage 2 from base: `plus` (synthetic pairs mixed in) and its `control` (the same steps without them).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dbgan.errors import WeightsError
from dbgan.files import sha256_file
from dbgan.networks import discriminator, generator, load_weights
from dbgan.networks.registry import Generator
from dbgan.networks.weights import require_generator
from dbgan.train import losses, work
from dbgan.train.batches import centre_crops
from dbgan.train.bgan import perceptual_features
from dbgan.train.critic import Critic, LogitLoss
from dbgan.train.feed import in_time
from dbgan.train.gauges import discriminator_warnings, psnr
from dbgan.train.learner import Learner
from dbgan.train.loop import Row
from dbgan.train.numerics import Numerics, compiled
from dbgan.train.pairs import DbganData, batches, judges, open_data
from dbgan.train.pictures import Sheet
from dbgan.train.profile import Profile, profile
from dbgan.train.spans import span

if TYPE_CHECKING:
    from dbgan.params import AdversarialParams, DbganCommon, FinetuneParams, PretrainParams, ScheduleParams

REVISION = 3
"""Raised by hand when the same recipe gives other bytes."""

GAUGE_PICTURES = 16
SHOWN = 4
"""Rows of samples.png."""

VIEW = 192
"""Side of the pictures that gauges and samples.png look at, px; less where a source's pictures are smaller."""

NO_PERCEPTUAL = "none (content loss alone)"

ADVERSARIAL: dict[str, tuple[LogitLoss, LogitLoss]] = {
    "classical": (losses.classical_generator_loss, losses.classical_discriminator_loss),
    "relativistic": (losses.relativistic_generator_loss, losses.relativistic_discriminator_loss),
}
"""AdversarialParams.loss -> (loss of G, loss of D)."""


def pretrain(common: DbganCommon, params: PretrainParams, datasets: Path, out: Path) -> None:
    """Stage 0, `l1`: content loss alone. Leaves weights.safetensors, curves.csv, samples.png, summary.json in `out`.

    Args:
        common: what all variants share.
        params: stage 0.
        datasets: the project's datasets folder.
        out: models/dbgan/l1.

    Raises:
        CorpusError: a source is missing, is not paired, or has no kept sample to train on.
        dbgan.train.loop.DivergedError: a loss or gradient became NaN or infinite.
        dbgan.train.work.StaleRevisionError: the code changed what the same recipe gives.
    """
    _do("l1", "l1", common, params, None, datasets, out)


def train_adversarial(
    name: str, common: DbganCommon, params: AdversarialParams, start: Path, datasets: Path, out: Path
) -> None:
    """Stage 1, `minus` or `base`: perceptual, content and adversarial loss, from the weights `start` (l1's).

    Arguments and errors as in `pretrain`; WeightsError when `start` is missing or of another architecture.
    """
    _do(name, "train", common, params, start, datasets, out)


def profile_adversarial(name: str, common: DbganCommon, params: AdversarialParams, datasets: Path) -> Profile:
    """Where the time of a step of `name` goes, in one minute, from fresh weights; nothing is written."""
    numerics = Numerics.choose(common.training)
    data = open_data(common, params, datasets)
    return profile(DbganTask(name, "train", common, params, None, "", data, numerics), numerics)


def finetune(name: str, common: DbganCommon, params: FinetuneParams, start: Path, datasets: Path, out: Path) -> None:
    """Stage 2, `control` or `plus`: stage 1 gone on with from `start` (base's), synthetic pairs mixed in by `plus`.

    Arguments and errors as in `train_adversarial`; the synthetic corpus is at datasets/synthetic/CORPUS.
    """
    _do(name, "finetune", common, params, start, datasets, out)


def _do(
    name: str,
    stage: str,
    common: DbganCommon,
    params: PretrainParams | AdversarialParams,
    start: Path | None,
    datasets: Path,
    out: Path,
) -> None:
    data = open_data(common, params, datasets)
    numerics = Numerics.choose(common.training)
    digest = _start_digest(start)
    shaping = {
        "stage": stage,
        "common": common.model_dump(mode="json", exclude={"training"}) | {"training": work.shaping(common.training)},
        "params": params.model_dump(mode="json", exclude={"reads"}),
    }
    inputs: dict[str, Any] = {"samples": data.digests(), "start": digest}
    if judges(params):
        inputs["perceptual"] = work.perceptual_digest(common.perceptual)
    work.do(
        work.Work(
            kind="dbgan",
            variant=name,
            revision=REVISION,
            inputs=inputs,
            params=shaping,
            training=common.training,
            numerics=numerics,
            build=lambda numerics: DbganTask(name, stage, common, params, start, digest, data, numerics),
            notes=data.notes,
        ),
        out,
    )


class DbganTask:
    """DBGAN for the loop (`dbgan.train.loop.Task`); without a discriminator in stage 0."""

    columns: tuple[str, ...] = (
        *("lr", "loss", "content", "perceptual", "adversarial", "d_loss", "d_accuracy"),
        *("psnr", "psnr_input"),
    )

    def __init__(
        self,
        name: str,
        stage: str,
        common: DbganCommon,
        params: PretrainParams | AdversarialParams,
        start: Path | None,
        start_digest: str,
        data: DbganData,
        numerics: Numerics,
    ) -> None:
        self.label = f"train dbgan {name}"
        self._params, self._numerics = params, numerics
        self._schedule: ScheduleParams = params.schedule
        self._batches = in_time(batches(stage, common.training, params, data, numerics.team), common.training)
        self.memory: dict[str, float] = {}
        self._learner = Learner(
            _started(common, start), training=common.training, numerics=numerics, memory=self.memory
        )
        self.generator = self._learner.network
        self.modules: dict[str, nn.Module] = self._learner.modules
        self.optimizers: dict[str, torch.optim.Optimizer] = {"generator": self._learner.optimizer}
        self.facts: dict[str, Any] = {"perceptual": NO_PERCEPTUAL, "start": start_digest}
        self._critic: Critic | None = None
        if judges(params):
            self._judged_by(common, params, numerics)
        held_out = centre_crops(data.held_out, VIEW, GAUGE_PICTURES)
        self._blurry, self._sharp = (numerics.tensor(pictures) for pictures in held_out)

    def _judged_by(self, common: DbganCommon, params: AdversarialParams, numerics: Numerics) -> None:
        features = perceptual_features(common.perceptual)
        self._features = compiled(numerics.place(features), common.training)
        self.facts["perceptual"] = features.description
        generator_loss, discriminator_loss = ADVERSARIAL[params.loss]
        training = common.training
        self._critic = Critic(
            discriminator(**common.discriminator.model_dump(), crop=training.crop, seed=training.seed),
            generator_loss=generator_loss,
            discriminator_loss=discriminator_loss,
            warmup=params.warmup,
            lr=params.discriminator_lr,
            training=training,
            numerics=numerics,
            memory=self.memory,
            pool=params.pool,
        )
        self.modules |= self._critic.modules
        self.optimizers["discriminator"] = self._critic.optimizer

    @property
    def product(self) -> Generator:
        """The restorer that is evaluated and kept."""
        return self._learner.product

    @property
    def total_steps(self) -> int:
        """Warm-up of D, if there is one, and the schedule."""
        return self._schedule.steps + (self._critic.warmup_steps if self._critic else 0)

    def phase(self, step: int) -> str:
        """`content`, `warmup` or `adversarial`."""
        if self._critic is None:
            return "content"
        return "adversarial" if self._critic.leads(step) else "warmup"

    def step(self, step: int) -> dict[str, float]:
        """One step of the phase that `step` is in."""
        phase = self.phase(step)
        return self._step(phase, step, step - (self._critic.warmup_steps if self._critic else 0))

    def rehearse(self) -> None:
        """One step of each phase."""
        for step, phase in enumerate(("content",) if self._critic is None else ("warmup", "adversarial")):
            self._step(phase, step, 0)

    def _step(self, phase: str, step: int, within: int) -> dict[str, float]:
        blurry, sharp = (self._numerics.tensor(pictures) for pictures in self._batches(step))
        with span("G forward"), torch.set_grad_enabled(phase != "warmup"), self._numerics.autocast():
            restored = self.generator(blurry)
        restored = restored.float()
        if self._critic is not None and phase == "warmup":
            return {"lr": 0.0, **self._critic.warm(sharp, restored)}
        terms = self._terms(restored, sharp)
        values = self._learner.learn(terms, phase=phase, within=within, schedule=self._schedule)
        if self._critic is None:
            return values
        return {**values, **self._critic.learn(sharp, restored, lr=self._critic.rate(values["lr"], self._schedule))}

    def _terms(self, restored: Tensor, sharp: Tensor) -> dict[str, Tensor]:
        """Content alone in stage 0; later perceptual + alpha * content + beta * adversarial (section 3.4)."""
        params, difference = self._params, losses.content(restored, sharp, self._params.content)
        if self._critic is None or not judges(params):
            return {"loss": difference}
        with self._numerics.autocast():
            resemblance = losses.perceptual(self._features, restored, sharp)
        adversarial = self._critic.verdict(sharp, restored)
        loss = params.perceptual_weight * resemblance + params.alpha * difference + params.beta * adversarial
        return {"loss": loss, "content": difference, "perceptual": resemblance, "adversarial": adversarial}

    def _restored(self, blurry: Tensor) -> Tensor:
        return self._learner.infer(self._numerics, blurry)

    def evaluate(self) -> dict[str, float]:
        """Mean PSNR of restored and of blurry centre crops of held-out pairs, dB."""
        restored = psnr(self._restored(self._blurry), self._sharp).mean()
        return {"psnr": float(restored), "psnr_input": float(psnr(self._blurry, self._sharp).mean())}

    def final_gauges(self) -> dict[str, float]:
        """None: a restorer is judged by evaluation."""
        return {}

    def sheets(self) -> dict[str, Sheet]:
        """`samples`: blurry, restored, sharp."""
        blurry, sharp = self._blurry[:SHOWN], self._sharp[:SHOWN]
        return {"samples": Sheet.of({"blurry": blurry, "restored": self._restored(blurry), "sharp": sharp})}

    def warnings(self, row: Row) -> list[str]:
        """Worse than doing nothing; a discriminator at chance or winning outright."""
        warnings = [] if row["phase"] == "warmup" else discriminator_warnings(row)
        if row["psnr"] < row["psnr_input"] - 0.5:
            warnings.append(
                f"restored pictures are worse than the blurry ones (PSNR {row['psnr']:.2f} dB, input "
                f"{row['psnr_input']:.2f} dB): raise alpha, lower beta or perceptual_weight, or the learning rate."
            )
        return warnings


def _start_digest(start: Path | None) -> str:
    if start is None:
        return ""
    if not start.is_file():
        raise WeightsError(f"{start}: no such weight file to start from.\nNext: dvc repro {_stage_of(start)}")
    return sha256_file(start)


def _stage_of(start: Path) -> str:
    variant = start.parent.name
    return "pretrain_dbgan" if variant == "l1" else f"train_dbgan@{variant}"


def _started(common: DbganCommon, start: Path | None) -> Generator:
    """A fresh generator, or that of `start`, which must be the one that the parameters describe."""
    fresh = generator("dbgan", **common.generator.arguments(), seed=common.training.seed)
    if start is None:
        return fresh
    loaded = require_generator(load_weights(start), "dbgan", start)
    if loaded.architecture != fresh.architecture:
        raise WeightsError(
            f"{start}: expected the generator of dbgan.common.generator, {fresh.architecture}, "
            f"found {loaded.architecture}.\nNext: dvc repro {_stage_of(start)}"
        )
    return loaded.train()
