"""Batches from a stream of shards, for corpora larger than the disk or too slow to read at random.

Shards are read from front to end and shuffled in a buffer (webdataset). What comes next depends on where reading began,
so a stopped training does not go on with the crops it would have seen: it starts another pass over the shards.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from dbgan import seeds
from dbgan.corpus import Corpus
from dbgan.image.codec import decode
from dbgan.train.batches import Batches
from dbgan.train.data import Picture, TrainingSet, reduced

NOTE = (
    "loader: stream: samples come from a shuffle buffer, so a training that was stopped and resumed does not see the "
    "same order as an undisturbed one; exact resume is promised with loader: random only"
)

Encoded = tuple[bytes, ...]
"""One sample's fields, as its shard holds them."""


class StreamedBatches(Batches):
    """Batches whose pictures come from `Corpus.stream`; windows and flips stay functions of (seed, step, index).

    The stream goes by the place in the batch, asked for or not: what is asked for alone is decoded. So several workers,
    each with its own rows, walk one order together, and stage 2 has the same real pictures with a mix and without.

    Args:
        buffer: samples in the shuffle buffer.
        Others as in `Batches`.
    """

    def __init__(self, samples: TrainingSet, *, buffer: int, **arguments: Any) -> None:
        super().__init__(samples, **arguments)
        self._buffer = buffer
        self._step, self._begun, self._number = -1, 0, -1
        self._stream: Iterator[tuple[Corpus, Encoded]] = iter(())
        self._current: tuple[Picture, ...] = ()

    def begin(self, step: int) -> None:
        """As `Batches.begin`. The first step heard of begins the stream, and so does an earlier one than before."""
        if not 0 <= self._step <= step:
            self._begun, self._number = step * self.batch, -1
            self._stream = self._endless(self._begun)
        self._step = step

    def images(self, step: int, i: int) -> tuple[Picture, ...]:
        """The pictures of a crop's place in the stream. Within a step, places are asked for in order."""
        self.begin(step)
        number = (step * self.batch + i - self._begun) // self.per_image
        if number > self._number:
            corpus, encoded = next(itertools.islice(self._stream, number - self._number - 1, None))
            pictures = (decode(data, max_pixels=corpus.header.max_pixels) for data in encoded)
            self._current = tuple(reduced(picture, self.samples.long_side) for picture in pictures)
            self._number = number
        return self._current

    def _endless(self, begun: int) -> Iterator[tuple[Corpus, Encoded]]:
        for epoch in itertools.count():
            yield from self._pass(begun, epoch)

    def _pass(self, begun: int, epoch: int) -> Iterator[tuple[Corpus, Encoded]]:
        """Every sample once: corpora take turns by chance, in proportion to what is left of each."""
        left = np.array([len(corpus) for corpus in self.samples.corpora])
        how: dict[str, Any] = {"shuffle": self._buffer, "decode": False, "split": False}  # every worker walks all of it
        streams = [
            iter(corpus.stream(seed=self._seed(begun, epoch, corpus.name), **how)) for corpus in self.samples.corpora
        ]
        draw = seeds.generator(self.seed, f"stream-{self.purpose}", begun, epoch)
        while left.any():
            chosen = int(draw.choice(len(left), p=left / left.sum()))
            left[chosen] -= 1
            corpus = self.samples.corpora[chosen]
            item, ext = next(streams[chosen]), corpus.header.ext
            yield corpus, tuple(item[f"{field}.{ext}"] for field in self.samples.fields)

    def _seed(self, begun: int, epoch: int, name: str) -> int:
        return seeds.digest_seed(self.seed, f"stream-{self.purpose}", begun, epoch, name) % 2**31
