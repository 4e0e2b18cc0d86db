"""Training data: crops of the samples of several corpora, each a pure function of (seed, step, index).

The order of samples is a function of (seed, epoch) alone, a crop's place and flips of (seed, step, index in the batch):
nothing depends on what was read before, so a stopped training goes on with exactly the crops it would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dbgan import seeds
from dbgan.corpus import Corpus
from dbgan.errors import CorpusError
from dbgan.image.codec import decode

Picture = NDArray[np.uint8]
Split = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class Window:
    """Where a crop is cut and how it is turned: px from the top left, then the flips."""

    top: int
    left: int
    horizontal: bool
    vertical: bool

    def cut(self, image: Picture, size: int) -> Picture:
        """The `size` x `size` window of an HWC image, flipped."""
        crop = image[self.top : self.top + size, self.left : self.left + size]
        return crop[:: -1 if self.vertical else 1, :: -1 if self.horizontal else 1]


class TrainingSet:
    """Samples of several corpora, of one split, with the same image fields.

    Args:
        corpora: opened corpora, with their selection and split applied.
        fields: image fields to read, such as ("blur", "sharp"); all of a sample's are cut by the same window.
        cache: True keeps every decoded picture in memory as uint8; False decodes a picture whenever a crop needs it.
        long_side: pictures with a longer side are reduced to it (px, area interpolation); 0 leaves them as they are.
    """

    def __init__(self, corpora: Sequence[Corpus], fields: tuple[str, ...], *, cache: bool, long_side: int = 0) -> None:
        self.fields = fields
        self.long_side = long_side
        self._corpora = list(corpora)
        self._members = [(c, key) for c, corpus in enumerate(self._corpora) for key in corpus.keys]
        self._cache: dict[int, tuple[Picture, ...]] | None = {} if cache else None

    def __len__(self) -> int:
        return len(self._members)

    def key(self, index: int) -> str:
        """`CORPUS:SEQUENCE/FRAME` of one sample."""
        corpus, key = self._members[index]
        return f"{self._corpora[corpus].name}:{key}"

    def load(self) -> None:
        """Decode every sample once; does nothing without a cache."""
        if self._cache is not None:
            for index in range(len(self)):
                self.images(index)

    def images(self, index: int) -> tuple[Picture, ...]:
        """The fields of one sample, each HWC uint8 RGB, of equal size."""
        if self._cache is not None and index in self._cache:
            return self._cache[index]
        corpus, key = self._members[index]
        source = self._corpora[corpus]
        encoded = (source.encoded(key, field) for field in self.fields)
        limit = source.header.max_pixels
        images = tuple(_reduced(decode(data, max_pixels=limit), self.long_side) for data in encoded)
        if self._cache is not None:
            self._cache[index] = images
        return images

    def digests(self) -> list[list[str]]:
        """For the recipe: [corpus, key, hex pixel sha256 of each field], sorted; reads tables only."""
        rows: list[list[str]] = []
        columns = [f"{field}_pixels_sha256" for field in self.fields]
        for corpus in self._corpora:
            table = corpus.table(columns=["key", *columns])
            by_key = {row[0]: [bytes(v).hex() for v in row[1:]] for row in table.itertuples(index=False, name=None)}
            rows.extend([corpus.name, key, *by_key[key]] for key in corpus.keys)
        return sorted(rows)

    def require_side(self, crop: int) -> None:
        """Raise `CorpusError` for the first sample that is smaller than a crop. Reads tables only."""
        for corpus in self._corpora:
            table = corpus.table(columns=["key", "width", "height"])
            sizes = {key: (int(w), int(h)) for key, w, h in table.itertuples(index=False, name=None)}
            for key in corpus.keys:
                width, height = reduced_size(*sizes[key], self.long_side)
                if min(width, height) < crop:
                    raise CorpusError(
                        f"{corpus.name}:{key}: {width}x{height} px is smaller than the training crop of {crop} px.\n"
                        f"Next: lower training.crop, or raise curate.min_side of {corpus.name} to {crop}."
                    )


def open_set(
    datasets: Path,
    names: Sequence[str],
    fields: tuple[str, ...],
    split: Split,
    *,
    cache: bool,
    long_side: int = 0,
) -> TrainingSet:
    """The kept samples of `split` of train sources `names`, through their selections.

    Raises:
        CorpusError: a corpus or selection is missing, has no such field, or (split "train") nothing is kept at all.
    """
    corpora: list[Corpus] = []
    for name in names:
        path = datasets / "train" / name
        selection = datasets / "train" / f"{name}.selection.parquet"
        if not selection.is_file():
            raise CorpusError(f"{selection}: no selection.\nNext: dvc repro curate@{name}")
        corpora.append(_with_fields(Corpus.open(path, selection=selection, split=split), fields))
    opened = TrainingSet(corpora, fields, cache=cache, long_side=long_side)
    if split == "train" and len(opened) == 0:
        where = ", ".join(str(datasets / "train" / f"{name}.selection.parquet") for name in names)
        raise CorpusError(
            f"{where}: no kept sample of split 'train'.\n"
            "Next: look at reports/curate/ for why samples were dropped, and widen `curate` of these sources."
        )
    return opened


def open_synthetic(datasets: Path, name: str, fields: tuple[str, ...], *, cache: bool) -> TrainingSet:
    """All pairs of the synthetic corpus `datasets/synthetic/NAME` (it has no selection). Raises `CorpusError`."""
    path = datasets / "synthetic" / name
    opened = TrainingSet([_with_fields(Corpus.open(path), fields)], fields, cache=cache)
    if len(opened) == 0:
        raise CorpusError(f"{path}: the synthetic corpus is empty.\nNext: dvc repro synthesize@{name}")
    return opened


def epoch_order(seed: int, purpose: str, epoch: int, size: int) -> NDArray[np.int64]:
    """The permutation of `size` samples for one epoch: a function of (seed, purpose, epoch)."""
    return seeds.generator(seed, f"order-{purpose}", epoch).permutation(size)


class Batches:
    """Batch `step` of a training set, for any step, in any order.

    Args:
        samples: what is cut.
        seed: of order, crops and flips.
        purpose: keeps apart the draws of several sets in one training, such as "sharp" and "real".
        crop: px.
        batch: crops per batch.
        jpeg: quality at which crops are JPEG-coded (MatchParams.jpeg); 0: not.
    """

    def __init__(self, samples: TrainingSet, *, seed: int, purpose: str, crop: int, batch: int, jpeg: int = 0) -> None:
        self.samples, self.seed, self.purpose = samples, seed, purpose
        self.crop, self.batch, self.jpeg = crop, batch, jpeg
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    def index(self, step: int, i: int) -> int:
        """Which sample is the `i`-th of batch `step`."""
        epoch, offset = divmod(step * self.batch + i, len(self.samples))
        if epoch != self._epoch:
            self._order = epoch_order(self.seed, self.purpose, epoch, len(self.samples))
            self._epoch = epoch
        return int(self._order[offset])

    def window(self, step: int, i: int, height: int, width: int) -> Window:
        """Crop and flips of the `i`-th crop of batch `step`: a function of (seed, step, i) and the picture's size."""
        draw = seeds.generator(self.seed, f"crop-{self.purpose}", step, i).random(4)
        return Window(
            top=int(draw[0] * (height - self.crop + 1)),
            left=int(draw[1] * (width - self.crop + 1)),
            horizontal=bool(draw[2] < 0.5),
            vertical=bool(draw[3] < 0.5),
        )

    def crops(self, step: int, i: int) -> tuple[Picture, ...]:
        """The `i`-th crop of batch `step`, one HWC uint8 picture per field."""
        images = self.samples.images(self.index(step, i))
        window = self.window(step, i, *images[0].shape[:2])
        return tuple(_jpeg_coded(window.cut(image, self.crop), self.jpeg) for image in images)

    def __call__(self, step: int) -> tuple[Tensor, ...]:
        """Batch `step`: one NCHW float32 tensor in [0, 1] per field, channels_last in memory."""
        return stacked([self.crops(step, i) for i in range(self.batch)])


class MixedBatches:
    """Batches of `real` in which each sample is replaced by a synthetic pair with probability `mix` (stage 2, "+").

    Which ones is a function of (seed, step, index), so `control` (mix 0) sees the same real crops elsewhere.
    """

    def __init__(self, real: Batches, synthetic: Batches, mix: float) -> None:
        self.real, self.synthetic, self.mix = real, synthetic, mix

    def is_synthetic(self, step: int, i: int) -> bool:
        """Whether the `i`-th sample of batch `step` is a synthetic pair."""
        return bool(seeds.generator(self.real.seed, "mix", step, i).random() < self.mix)

    def __call__(self, step: int) -> tuple[Tensor, ...]:
        """Batch `step`, as `Batches`."""
        sources = [self.synthetic if self.is_synthetic(step, i) else self.real for i in range(self.real.batch)]
        return stacked([source.crops(step, i) for i, source in enumerate(sources)])


def centre_crops(samples: TrainingSet, crop: int, count: int) -> tuple[Tensor, ...]:
    """Fixed centre crops of at most `count` samples, spread evenly over the set: one NCHW tensor per field.

    The crop shrinks to the smallest picture's shorter side, so that any set can be looked at.
    """
    chosen = np.unique(np.linspace(0, len(samples) - 1, min(count, len(samples))).round().astype(int))
    pictures = [samples.images(int(index)) for index in chosen]
    side = min(crop, *(min(p[0].shape[:2]) for p in pictures))
    return stacked([tuple(_centre(image, side) for image in images) for images in pictures])


def stacked(crops: Sequence[tuple[Picture, ...]]) -> tuple[Tensor, ...]:
    """N tuples of HWC uint8 crops -> one NCHW float32 tensor in [0, 1] per field.

    HWC crops stacked are NHWC in memory, which is torch's channels_last: no copy is needed to get there.
    """
    fields = range(len(crops[0]))
    return tuple(
        torch.from_numpy(np.stack([crop[f] for crop in crops])).permute(0, 3, 1, 2).float().div_(255.0) for f in fields
    )


def _with_fields(corpus: Corpus, fields: tuple[str, ...]) -> Corpus:
    missing = [field for field in fields if field not in corpus.fields]
    if missing:
        raise CorpusError(
            f"{corpus.path}: a {corpus.kind} corpus with fields {', '.join(corpus.fields)}; "
            f"training needs {', '.join(missing)} as well.\nNext: name another source in params.yaml."
        )
    return corpus


def reduced_size(width: int, height: int, long_side: int) -> tuple[int, int]:
    """(width, height) after the longer side was reduced to `long_side` px; 0 reduces nothing."""
    longest = max(height, width)
    if not long_side or longest <= long_side:
        return width, height
    return max(1, round(width * long_side / longest)), max(1, round(height * long_side / longest))


def _reduced(image: Picture, long_side: int) -> Picture:
    height, width = image.shape[:2]
    size = reduced_size(width, height, long_side)
    if size == (width, height):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _centre(image: Picture, side: int) -> Picture:
    height, width = image.shape[:2]
    top, left = (height - side) // 2, (width - side) // 2
    return image[top : top + side, left : left + side]


def _jpeg_coded(crop: Picture, quality: int) -> Picture:
    if not quality:
        return crop
    coded = cv2.imencode(".jpg", np.ascontiguousarray(crop[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cast(Picture, cv2.imdecode(coded, cv2.IMREAD_COLOR))
    return decoded[..., ::-1]
