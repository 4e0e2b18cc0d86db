"""The pairs that DBGAN is trained on and looked at with, and the mix of stage 2."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from dbgan.train import stream
from dbgan.train.batches import Batches
from dbgan.train.data import TrainingSet, open_set, open_synthetic
from dbgan.train.feed import crops_of
from dbgan.train.mix import MixedBatches
from dbgan.train.numerics import Numerics
from dbgan.train.team import ALONE, Team

if TYPE_CHECKING:
    from dbgan.params import AdversarialParams, DbganCommon, FinetuneParams, PretrainParams, TrainingParams

FIELDS = ("blur", "sharp")


@dataclass(frozen=True, slots=True)
class DbganData:
    """Pairs to train on, pairs to look at, and the synthetic corpora, by name, that stage 2 mixes in."""

    pairs: TrainingSet
    held_out: TrainingSet
    synthetic: dict[str, TrainingSet] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def digests(self) -> dict[str, list[list[str]]]:
        """Pixel digests of every sample, for the recipe."""
        digests = {"pairs": self.pairs.digests(), "held_out": self.held_out.digests()}
        if not self.synthetic:
            return digests
        return {**digests, "synthetic": sorted(row for mixed in self.synthetic.values() for row in mixed.digests())}


def judges(params: PretrainParams | AdversarialParams) -> TypeGuard[AdversarialParams]:
    """Whether there is a discriminator. By what they hold: that loads without pydantic."""
    return hasattr(params, "beta")


def mixes(params: PretrainParams | AdversarialParams) -> TypeGuard[FinetuneParams]:
    """Whether they are of stage 2; likewise."""
    return hasattr(params, "mix")


def open_data(common: DbganCommon, params: PretrainParams | AdversarialParams, datasets: Path) -> DbganData:
    """The training sets that the parameters name. Reads tables, no pictures.

    What is held out is the val split that curation cut by sequence from the train sources; datasets/test is not opened.
    """
    training = common.training
    cache, device = training.cache, Numerics.choose(training).device
    pairs = open_set(datasets, common.pairs, FIELDS, "train", cache=cache, device=device)
    held_out = open_set(datasets, common.pairs, FIELDS, "val", cache=cache, device=device)
    names = params.mixed if mixes(params) else {}
    synthetic = {name: open_synthetic(datasets, name, FIELDS, cache=cache, device=device) for name in names}
    notes = (stream.NOTE,) if training.loader == "stream" else ()
    if len(held_out):
        return DbganData(pairs, held_out, synthetic, notes)
    note = f"no validation split in {', '.join(common.pairs)}: psnr in curves.csv is of training pairs"
    return DbganData(pairs, pairs, synthetic, (*notes, note))


def batches(
    stage: str,
    training: TrainingParams,
    params: PretrainParams | AdversarialParams,
    data: DbganData,
    team: Team = ALONE,
) -> Batches | MixedBatches:
    """Batches by step, of them the rows of this worker of `team`.

    The stage names the draws: `plus` and `control`, `minus` and `base` see the same pairs.
    """
    pairs = crops_of(data.pairs, training, f"pairs-{stage}", team=team)
    if not mixes(params) or not (data.synthetic or params.camera):
        return pairs
    several = len(data.synthetic) > 1
    synthetic = {
        name: crops_of(samples, training, f"synthetic-{stage}-{name}" if several else f"synthetic-{stage}", team=team)
        for name, samples in data.synthetic.items()
    }
    return MixedBatches(
        pairs,
        synthetic,
        params.mix,
        weights=params.mixed,
        sensors=params.camera,
        all_crops=params.camera_on == "all",
    )
