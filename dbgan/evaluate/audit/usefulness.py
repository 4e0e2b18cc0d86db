"""The number that counts: what a small network learns from a corpus, tested on real pairs that it never saw.

The same network, budget and sharp frames for each corpus; only the blur differs. Train on synthetic, test on real
(Esteban, Hyland and Raetsch, "Real-valued (medical) time series generation with recurrent conditional GANs", 2017,
section 4.2, call it TSTR).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dbgan import seeds
from dbgan.blur.kernel_blur import KernelBlur
from dbgan.corpus import Corpus
from dbgan.errors import CorpusError
from dbgan.evaluate import pictures
from dbgan.evaluate.audit import boxes
from dbgan.evaluate.audit.probe import Probe
from dbgan.evaluate.audit.sets import Source, by_hash, variants_of
from dbgan.image.quality import pair_psnr
from dbgan.params import AuditParams, ScheduleParams, TrainingParams, UsefulnessParams
from dbgan.restore import restore
from dbgan.train.optimise import adam, annealed, update

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Blurry and sharp, HWC uint8 RGB of one size."""


TESTED_PX = 640 * 480
"""A test picture is cut to its centre of about so many px."""

TILE = 640
"""Largest side of a tile, px."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What training on one corpus won.

    Attributes:
        gains: mean PSNR gain over the blurry input of each seed's network, dB.
        patches: training pairs. pictures: different ones that they were cut from.
    """

    gains: tuple[float, ...]
    patches: int
    pictures: int


@dataclass(frozen=True, slots=True)
class Usefulness:
    """Gains by corpus (synthetic, kernel, pairs), on `images` real pairs whose blurry halves have `input_psnr` dB."""

    gains: Mapping[str, Gain]
    images: int
    input_psnr: float


def usefulness(
    synthetic: Corpus, paired: Sequence[Source], params: AuditParams, how: UsefulnessParams, datasets: Path
) -> Usefulness:
    """Train `how.seeds` networks on each corpus and test them all.

    Raises:
        CorpusError: a test source is absent, not curated, not paired or empty.
    """
    tests = list(held_out(how, datasets))
    before = [pair_psnr(blur, sharp) for blur, sharp in tests]
    gains = {}
    frames = _used(how, min(how.images, len(variants_of(synthetic))))
    own = _used(how, sum(min(how.images, len(source.table)) for source in paired))
    for name, patches in training_sets(synthetic, paired, params, how).items():
        found = []
        for seed in range(how.seeds):
            network = trained(patches, how, seed, params.threads)
            after = [
                pair_psnr(restore(blur, network, tile=TILE, threads=params.threads), sharp) for blur, sharp in tests
            ]
            found.append(float(np.mean(np.subtract(after, before))))
        gains[name] = Gain(tuple(found), len(patches), own if name == "pairs" else frames)
    return Usefulness(gains, len(tests), float(np.mean(before)))


def training_sets(
    synthetic: Corpus, paired: Sequence[Source], params: AuditParams, how: UsefulnessParams
) -> dict[str, list[Pair]]:
    """`how.patches` pairs of each corpus. Synthetic and kernel pairs are the same places of the same sharp frames."""
    made: dict[str, list[Pair]] = {"synthetic": [], "kernel": []}
    groups = variants_of(synthetic)
    frames = by_hash(list(groups), how.images)
    each = -(-how.patches // len(frames))
    kernel = KernelBlur()
    for frame in frames:
        rng = seeds.generator(params.seed, "usefulness", frame)
        # as many variants as there are, shared among the places: a corpus is used as it is
        chosen = [groups[frame][i] for i in rng.permutation(len(groups[frame]))[: how.variants]]
        samples = [synthetic[key].images for key in chosen]
        sharp = samples[0]["sharp"]
        where = boxes.crop_boxes(boxes.luma(sharp), how.crop, each, rng)
        by_kernel = [kernel(sharp, seed=params.seed, key=frame, variant=v)[0] for v in range(len(chosen))]
        for index, box in enumerate(where):
            turn = index % len(chosen)
            made["synthetic"].append(_cut(samples[turn]["blur"], sharp, box, how.crop))
            made["kernel"].append(_cut(by_kernel[turn], sharp, box, how.crop))
    if paired:
        made["pairs"] = list(_own_pairs(paired, params, how))
    return {name: patches[: how.patches] for name, patches in made.items()}


def _used(how: UsefulnessParams, available: int) -> int:
    """Pictures that patches are cut from, of those available: an equal number from each, until there are enough."""
    return -(-how.patches // -(-how.patches // available)) if available else 0


def trained(patches: Sequence[Pair], how: UsefulnessParams, seed: int, threads: int) -> Probe:
    """A probe after `how.steps` steps of L1 on flipped patches."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        network = Probe(how.width, seed).train()
        optimizer = adam(network, TrainingParams())
        schedule = ScheduleParams(steps=how.steps, lr=how.lr, lr_end=how.lr / 50, ramp=min(20, how.steps))
        rng = seeds.generator(seed, "usefulness batches")
        for step in range(how.steps):
            blur, sharp = _batch(patches, how.batch, rng)
            loss = torch.nn.functional.l1_loss(network(blur), sharp)
            update(network, optimizer, {"loss": loss}, lr=annealed(step, schedule), clip=1.0)
        return network.eval()
    finally:
        torch.set_num_threads(before)


def held_out(how: UsefulnessParams, datasets: Path) -> Iterator[Pair]:
    """The centre of at most `how.test_images` kept pairs of the test sources, shared among these."""
    corpora = {}
    for name in how.test:
        path = datasets / "test" / name
        corpus = Corpus.open(path, selection=datasets / "test" / f"{name}.selection.parquet")
        if corpus.kind != "paired" or len(corpus) == 0:
            raise CorpusError(
                f"{path}: expected a paired corpus with kept samples, found a {corpus.kind} one with {len(corpus)}.\n"
                "Next: name paired sources with `use: test` in audit.NAME.usefulness.test."
            )
        corpora[name] = corpus
    shares = pictures.share(how.test_images, {name: len(corpus) for name, corpus in corpora.items()})
    for name, corpus in corpora.items():
        for key in by_hash(list(corpus.keys), shares[name]):
            images = corpus[key].images
            yield pictures.cut(images["blur"], TESTED_PX), pictures.cut(images["sharp"], TESTED_PX)


def _own_pairs(paired: Sequence[Source], params: AuditParams, how: UsefulnessParams) -> Iterator[Pair]:
    keys = [(source, key) for source in paired for key in by_hash(list(source.table["key"]), how.images)]
    each = -(-how.patches // len(keys))
    for source, key in keys:
        images = source.corpus[key].images
        rng = seeds.generator(params.seed, "usefulness", key)
        for box in boxes.crop_boxes(boxes.luma(images["sharp"]), how.crop, each, rng):
            yield _cut(images["blur"], images["sharp"], box, how.crop)


def _cut(blur: NDArray[np.uint8], sharp: NDArray[np.uint8], box: tuple[int, int], side: int) -> Pair:
    place = (slice(box[0], box[0] + side), slice(box[1], box[1] + side))
    return np.ascontiguousarray(blur[place]), np.ascontiguousarray(sharp[place])


def _batch(patches: Sequence[Pair], count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    chosen = [patches[i] for i in rng.integers(0, len(patches), count)]
    flips = rng.integers(0, 2, (count, 2)).astype(bool)
    halves = []
    for half in (0, 1):
        turns = [(slice(None, None, -1 if y else 1), slice(None, None, -1 if x else 1)) for y, x in flips]
        turned = [pair[half][turn] for pair, turn in zip(chosen, turns, strict=True)]
        halves.append(torch.from_numpy(np.stack(turned)).permute(0, 3, 1, 2).float() / 255)
    return halves[0], halves[1]
