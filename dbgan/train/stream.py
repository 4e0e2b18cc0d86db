"""Batches from a stream of shards, for corpora larger than the disk or too slow to read at random.

Shards are read from front to end and shuffled in a buffer (webdataset). What comes next depends on what was read
before, so a stopped training does not go on with the crops it would have seen: it starts another pass over the shards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dbgan import seeds
from dbgan.train.batches import Batches
from dbgan.train.data import Picture, TrainingSet, reduced

NOTE = (
    "loader: stream: samples come from a shuffle buffer, so a training that was stopped and resumed does not see the "
    "same order as an undisturbed one; exact resume is promised with loader: random only"
)


class StreamedBatches(Batches):
    """Batches whose pictures come from `Corpus.stream`; windows and flips stay functions of (seed, step, index).

    Args:
        buffer: samples in the shuffle buffer.
        Others as in `Batches`.
    """

    def __init__(self, samples: TrainingSet, *, buffer: int, **arguments: Any) -> None:
        super().__init__(samples, **arguments)
        self._buffer = buffer
        self._position, self._left = -1, 0
        self._stream: Iterator[tuple[Picture, ...]] = iter(())
        self._current: tuple[Picture, ...] = ()

    def images(self, step: int, i: int) -> tuple[Picture, ...]:
        """The next pictures of the stream; asked for an earlier step than before, or first, it begins anew there."""
        position = step * self.batch + i
        if self._position < 0 or position <= self._position:
            self._stream, self._left = self._endless(position), 0
        self._position = position
        if self._left == 0:
            self._current, self._left = next(self._stream), self.per_image
        self._left -= 1
        return self._current

    def _endless(self, begun: int) -> Iterator[tuple[Picture, ...]]:
        epoch = 0
        while True:
            yield from self._pass(begun, epoch)
            epoch += 1

    def _pass(self, begun: int, epoch: int) -> Iterator[tuple[Picture, ...]]:
        """Every sample once: corpora take turns by chance, in proportion to what is left of each."""
        left = np.array([len(corpus) for corpus in self.samples.corpora])
        streams = [
            iter(corpus.stream(shuffle=self._buffer, seed=self._seed(begun, epoch, corpus.name)))
            for corpus in self.samples.corpora
        ]
        draw = seeds.generator(self.seed, f"stream-{self.purpose}", begun, epoch)
        while left.any():
            chosen = int(draw.choice(len(left), p=left / left.sum()))
            left[chosen] -= 1
            item, ext = next(streams[chosen]), self.samples.corpora[chosen].header.ext
            yield tuple(reduced(item[f"{field}.{ext}"], self.samples.long_side) for field in self.samples.fields)

    def _seed(self, begun: int, epoch: int, name: str) -> int:
        return seeds.digest_seed(self.seed, f"stream-{self.purpose}", begun, epoch, name) % 2**31
