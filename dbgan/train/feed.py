"""From a training set to its batches: by which loader, and how far ahead of the step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dbgan.train.batches import Batches
from dbgan.train.data import TrainingSet
from dbgan.train.prefetch import BatchOf, Prefetched
from dbgan.train.stream import StreamedBatches
from dbgan.train.team import ALONE, Team

if TYPE_CHECKING:
    from dbgan.params import TrainingParams


def crops_of(
    samples: TrainingSet, training: TrainingParams, purpose: str, *, jpeg: int = 0, team: Team = ALONE
) -> Batches:
    """Batches of `samples`, its cache filled.

    Args:
        samples: what is cut.
        training: seed, crop, batch, loader.
        purpose: keeps apart the draws of several sets in one training.
        jpeg: quality at which crops are JPEG-coded; 0: not.
        team: the workers that share each batch; only this one's rows are made.

    Raises:
        CorpusError: a picture is smaller than the crop.
    """
    samples.require_side(training.crop)
    arguments: dict[str, Any] = {
        "seed": training.seed,
        "purpose": purpose,
        "crop": training.crop,
        "batch": training.batch,
        "jpeg": jpeg,
        "per_image": training.crops_per_image,
        "rows": team.rows(training.batch),
    }
    if training.loader == "stream":
        return StreamedBatches(samples, buffer=training.shuffle_buffer, **arguments)
    samples.load()
    return Batches(samples, **arguments)


def in_time(batches: BatchOf, training: TrainingParams) -> BatchOf:
    """`batches`, made `training.prefetch` steps ahead; on the device itself there is nothing to wait for.

    A stream is asked in order, by one thread; other batches are made by as many threads as are asked ahead.
    """
    if training.prefetch == 0 or training.cache == "device":
        return batches
    threads = 1 if training.loader == "stream" else training.prefetch
    return Prefetched(batches, training.prefetch, threads=threads)
