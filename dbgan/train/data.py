"""Training data: the samples of several corpora, decoded when they are needed or kept in memory or on the device."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dbgan.corpus import Corpus
from dbgan.errors import CorpusError
from dbgan.image.codec import decode

Picture = NDArray[np.uint8]
Split = Literal["train", "val", "test"]
Cache = Literal["none", "memory", "device"]

DECODERS = 8
"""Threads that fill a cache at most; decoding gives the same bytes on any number."""

RECENT = 4
"""Decoded samples remembered without a cache: neighbouring crops may be of one picture (`crops_per_image`)."""


class TrainingSet:
    """Samples of several corpora, of one split, with the same image fields.

    Args:
        corpora: opened corpora, with their selection and split applied.
        fields: image fields to read, such as ("blur", "sharp"); all of a sample's are cut by the same window.
        cache: "memory" keeps every decoded picture as uint8, "device" keeps them on `device`, where crops are then cut;
            "none" decodes a picture whenever a crop needs it. It changes no byte of any crop.
        device: torch device of the training.
        long_side: pictures with a longer side are reduced to it (px, area interpolation); 0 leaves them as they are.
    """

    def __init__(
        self,
        corpora: Sequence[Corpus],
        fields: tuple[str, ...],
        *,
        cache: Cache = "memory",
        device: str = "cpu",
        long_side: int = 0,
    ) -> None:
        self.fields, self.cache, self.device, self.long_side = fields, cache, device, long_side
        self.corpora = list(corpora)
        self._members = [(c, key) for c, corpus in enumerate(self.corpora) for key in corpus.keys]
        self._pictures: dict[int, tuple[Picture, ...]] = {}
        self._frames: dict[int, tuple[Tensor, ...]] = {}

    def __len__(self) -> int:
        return len(self._members)

    def key(self, index: int) -> str:
        """`CORPUS:SEQUENCE/FRAME` of one sample."""
        corpus, key = self._members[index]
        return f"{self.corpora[corpus].name}:{key}"

    def load(self) -> None:
        """Decode every sample once; does nothing without a cache."""
        if self.cache == "none":
            return
        with ThreadPoolExecutor(min(DECODERS, os.cpu_count() or 1)) as pool:
            for _ in pool.map(self.frames if self.cache == "device" else self.images, range(len(self))):
                pass  # errors are raised here

    def images(self, index: int) -> tuple[Picture, ...]:
        """The fields of one sample, each HWC uint8 RGB, of equal size."""
        if self.cache == "device":
            return tuple(frame.cpu().numpy() for frame in self.frames(index))
        kept = self._pictures.get(index)
        if kept is None:
            kept = self._decoded(index)
            if self.cache == "none" and len(self._pictures) >= RECENT:
                self._pictures = {}  # replaced, never changed: other threads may be reading it
            self._pictures[index] = kept
        return kept

    def frames(self, index: int) -> tuple[Tensor, ...]:
        """As `images`, as HWC uint8 tensors on `device`, kept there."""
        kept = self._frames.get(index)
        if kept is None:
            kept = tuple(torch.from_numpy(image.copy()).to(self.device) for image in self._decoded(index))
            self._frames[index] = kept
        return kept

    def _decoded(self, index: int) -> tuple[Picture, ...]:
        corpus, key = self._members[index]
        source = self.corpora[corpus]
        encoded = (source.encoded(key, field) for field in self.fields)
        return tuple(reduced(decode(data, max_pixels=source.header.max_pixels), self.long_side) for data in encoded)

    def digests(self) -> list[list[str]]:
        """For the recipe: [corpus, key, hex pixel sha256 of each field], sorted; reads tables only."""
        rows: list[list[str]] = []
        columns = [f"{field}_pixels_sha256" for field in self.fields]
        for corpus in self.corpora:
            table = corpus.table(columns=["key", *columns])
            by_key = {row[0]: [bytes(v).hex() for v in row[1:]] for row in table.itertuples(index=False, name=None)}
            rows.extend([corpus.name, key, *by_key[key]] for key in corpus.keys)
        return sorted(rows)

    def require_side(self, crop: int) -> None:
        """Raise `CorpusError` for the first sample that is smaller than a crop. Reads tables only."""
        for corpus in self.corpora:
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
    cache: Cache = "memory",
    device: str = "cpu",
    long_side: int = 0,
    made_by: type[TrainingSet] | None = None,
) -> TrainingSet:
    """The kept samples of `split` of train sources `names`, through their selections, as `made_by` holds them.

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
    opened = (made_by or TrainingSet)(corpora, fields, cache=cache, device=device, long_side=long_side)
    if split == "train" and len(opened) == 0:
        where = ", ".join(str(datasets / "train" / f"{name}.selection.parquet") for name in names)
        raise CorpusError(
            f"{where}: no kept sample of split 'train'.\n"
            "Next: look at reports/curate/ for why samples were dropped, and widen `curate` of these sources."
        )
    return opened


def open_synthetic(
    datasets: Path, name: str, fields: tuple[str, ...], *, cache: Cache = "memory", device: str = "cpu"
) -> TrainingSet:
    """All pairs of the synthetic corpus `datasets/synthetic/NAME` (it has no selection). Raises `CorpusError`."""
    path = datasets / "synthetic" / name
    opened = TrainingSet([_with_fields(Corpus.open(path), fields)], fields, cache=cache, device=device)
    if len(opened) == 0:
        raise CorpusError(f"{path}: the synthetic corpus is empty.\nNext: dvc repro synthesize@{name}")
    return opened


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


def reduced(image: Picture, long_side: int) -> Picture:
    """HWC uint8 with the longer side at most `long_side` px, by area interpolation; 0 reduces nothing."""
    height, width = image.shape[:2]
    size = reduced_size(width, height, long_side)
    if size == (width, height):
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
