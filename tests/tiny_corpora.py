"""Corpora of a few tiny pictures, written by the real shard writer, for tests of what reads corpora."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.corpus import Corpus
from dbgan.corpus.header import Header
from dbgan.corpus.layout import EncodedSample, Kind, Plan, empty_meta, origin_digest, pixel_digest
from dbgan.corpus.tables import finish
from dbgan.corpus.write import write_shard
from dbgan.image import quality
from dbgan.image.codec import encode


@dataclass(frozen=True)
class Tiny:
    """One sample to write: its key, images by field, device, and, for synthesized pairs, its lineage."""

    key: str
    images: dict[str, NDArray[np.uint8]]
    device: str = ""
    lineage: dict[str, Any] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)


def lineage(source: str, key: str, variant: int, noise: Iterable[float] = (0.0,) * 4) -> dict[str, Any]:
    """Lineage of a pair that a BGAN would have made."""
    made = {"source_corpus": source, "source_key": key, "variant": variant, "noise": list(noise)}
    return made | {"method": "bgan", "parameters": "{}", "generator": "00" * 32}


def write(path: Path, kind: Kind, samples: Iterable[Tiny], *, measured: bool = True) -> Corpus:
    """A finished corpus in folder `path`, one shard per sequence."""
    samples = sorted(samples, key=lambda sample: sample.key)
    made = bool(samples and samples[0].lineage)
    header = Header(kind, "png", path.name, {}, {}, synthesized=made, quality=measured)
    receipts = [
        write_shard(path, Plan(f"{sequence}-000", sequence, "r", ()), kind, "png", [_encoded(s, measured) for s in own])
        for sequence, own in itertools.groupby(samples, key=lambda sample: sample.key.split("/")[0])
    ]
    finish(path, header, receipts)
    return Corpus.open(path)


def _encoded(sample: Tiny, measured: bool) -> EncodedSample:
    sequence, frame = sample.key.split("/")
    height, width = next(iter(sample.images.values())).shape[:2]
    meta = empty_meta() | {"key": sample.key, "sequence": sequence, "frame": frame, "width": width, "height": height}
    meta |= {"device": sample.device, "origin": origin_digest(sample.key)} | sample.meta | sample.lineage
    columns: dict[str, Any] = {f"{f}_pixels_sha256": pixel_digest(p) for f, p in sample.images.items()}
    if measured:
        for name, picture in sample.images.items():
            columns |= quality.columns(name, picture)
        if len(sample.images) == 2:
            columns["pair_psnr"] = quality.pair_psnr(sample.images["blur"], sample.images["sharp"])
    return EncodedSample(sample.key, {f: encode(p, "png") for f, p in sample.images.items()}, meta, columns)


def scene(seed: int, height: int = 96, width: int = 128) -> NDArray[np.uint8]:
    """A sharp HWC uint8 RGB picture of overlapping rectangles and discs: edges of every direction and contrast."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), rng.integers(60, 190, 3), dtype=np.uint8)
    for _ in range(max(30, height * width // 300)):
        x, y, size = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(6, 24))
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        if rng.random() < 0.5:
            cv2.circle(picture, (x, y), size // 2, colour, -1, cv2.LINE_AA)
        else:
            box = cv2.boxPoints(((x, y), (size, 0.6 * size), float(rng.uniform(0, 180)))).astype(np.int32)
            cv2.fillConvexPoly(picture, box, colour, cv2.LINE_AA)
    return picture


def moved(picture: NDArray[np.uint8], length: int, horizontal: bool = True) -> NDArray[np.uint8]:
    """The mean of `length` copies shifted by one px each: linear motion blur, written independently of dbgan.blur."""
    axis = 1 if horizontal else 0
    total = sum(
        np.roll(picture, shift, axis).astype(np.float64) for shift in range(-(length // 2), length - length // 2)
    )
    return np.round(np.asarray(total) / length).astype(np.uint8)
