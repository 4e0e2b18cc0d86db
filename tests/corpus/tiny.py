"""Tiny real corpora for tests: 8x8 pictures, a builder over them, and plans whose recipes name their values."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dbgan import recipe
from dbgan.corpus.header import Header
from dbgan.corpus.layout import (
    FIELDS,
    EncodedSample,
    Kind,
    Plan,
    Reject,
    empty_meta,
    meta_for,
    origin_digest,
    pixel_digest,
    shard_name,
)

HEADER = Header("paired", "png", "tiny", {"layout": "paired"}, {"opencv": "5"}, None)


def picture(value: int, side: int = 8) -> np.ndarray:
    """HWC uint8 RGB, different for every value and channel."""
    return np.random.default_rng(value).integers(0, 256, (side, side, 3), dtype=np.uint8)


def png(image: np.ndarray) -> bytes:
    """The picture as PNG."""
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def sample(key: str, value: int, kind: Kind = "paired", **lineage: object) -> EncodedSample:
    """A sample whose pictures are `picture(value)`, `picture(value + 1)`."""
    images = {field: picture(value + i) for i, field in enumerate(FIELDS[kind])}
    allowed = {**empty_meta(), "make": "ACME", "device": "ACME One", "iso": 100, "has_iso": True}
    meta = meta_for(key, 8, 8, allowed, origin_digest(key), dict(lineage) or None)
    columns = {f"{field}_pixels_sha256": pixel_digest(image) for field, image in images.items()}
    return EncodedSample(key, {field: png(image) for field, image in images.items()}, meta, columns)


def plan(sequence: str, values: dict[str, int], index: int = 0) -> Plan:
    """A plan of one shard: frame -> value. A negative value is an input that is refused."""
    made = recipe.recipe("tiny", 1, values, {}, {})
    return Plan(shard_name(sequence, index), sequence, made, tuple(sorted(values.items())))


@dataclass(frozen=True)
class TinyBuilder:
    """Builds `plan`s. The options make it misbehave.

    Attributes:
        poison: a shard that always raises.
        killer: a shard whose building kills its own process, until the file `marker` exists.
        always: the killer kills every time.
        victim: the process that is killed instead of the builder's own.
        tint: added to every value: a change of code that changes bytes.
    """

    poison: str = ""
    killer: str = ""
    marker: Path | None = None
    always: bool = False
    victim: int = 0
    tint: int = 0
    revision: int = 1
    name: str = "tiny"
    modules: tuple[str, ...] = ("dbgan.corpus.layout",)

    def open(self) -> Callable[[Plan], Iterator[EncodedSample | Reject]]:
        """Nothing to load."""
        return self._build

    def _build(self, plan: Plan) -> Iterator[EncodedSample | Reject]:
        for i, (frame, value) in enumerate(plan.items):
            if plan.shard == self.poison:
                raise ValueError(f"frame {frame} is poisoned")
            if plan.shard == self.killer and i == 1:
                self._kill()
            key = f"{plan.sequence}/{frame}"
            if value < 0:
                yield Reject(origin_digest(key), "truncated", f"ends {-value} bytes early", plan.sequence)
            else:
                yield sample(key, value + self.tint)

    def _kill(self) -> None:
        assert self.marker is not None
        if self.always or not self.marker.exists():
            self.marker.touch()
            os.kill(self.victim or os.getpid(), signal.SIGKILL)


def plans() -> list[Plan]:
    """Three sequences in four shards; one input is refused, and one shard has no samples at all."""
    return [
        plan("a", {"001": 10, "002": 20, "003": -7}),
        plan("a", {"004": 40}, 1),
        plan("b", {"001": 50, "002": 60}),
        plan("c", {"001": -3}),
    ]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, hidden ones too, with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
