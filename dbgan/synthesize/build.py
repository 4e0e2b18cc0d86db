"""Makes the pairs of one shard: decode the sharp frame, blur it, encode that, copy the sharp bytes, note lineage."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.model import Blur, Record
from dbgan.corpus import Corpus
from dbgan.corpus.columns import allowed_columns
from dbgan.corpus.layout import EncodedSample, Plan, Reject, Sample, pixel_digest
from dbgan.errors import DbganError
from dbgan.image.codec import decode, encode
from dbgan.image.quality import measure, pair_psnr
from dbgan.recipe import canonical
from dbgan.synthesize.plan import BUILDER, Item

REVISION = 2
"""Raised by hand when the bytes of a shard change for the same recipe."""


@dataclass(frozen=True, slots=True)
class PairBuilder:
    """The engine's builder of synthetic pairs. Picklable; corpora and weights are opened by each worker.

    Attributes:
        corpora: source name -> folder of its corpus.
        blur: what blurs.
        seed: of everything random.
        ext: file type of the new corpus.
        generator: hex sha256 of the blur's weights, empty if it has none.
    """

    corpora: Mapping[str, Path]
    blur: Blur
    seed: int
    ext: str
    generator: str = ""

    name: ClassVar[str] = BUILDER
    revision: ClassVar[int] = REVISION
    modules: ClassVar[tuple[str, ...]] = (
        "dbgan.synthesize",
        "dbgan.blur",
        "dbgan.image",
        "dbgan.networks",
        "dbgan.restore",
        "dbgan.corpus.write",
        "dbgan.corpus.layout",
        "dbgan.corpus.columns",
        "dbgan.seeds",
    )

    def open(self) -> Callable[[Plan], Iterator[EncodedSample | Reject]]:
        """Open the sources; the weights are loaded with the first picture."""
        opened = {name: Corpus.open(path) for name, path in self.corpora.items()}

        def build(plan: Plan) -> Iterator[EncodedSample | Reject]:
            return (self.pair(opened[item.source], item) for item in plan.items)

        return build

    def pair(self, corpus: Corpus, item: Item) -> EncodedSample:
        """One pair, ready to be written."""
        sample = sharp_sample(corpus, item.source_key)
        sharp = sample.images["sharp"]
        blurry, record = self.blur(sharp, seed=self.seed, key=item.source_key, variant=item.variant)
        if blurry.shape != sharp.shape or blurry.dtype != np.uint8:
            raise DbganError(
                f"blur {self.blur.name!r} of {item.source_key}: expected {sharp.shape} uint8, "
                f"found {blurry.shape} {blurry.dtype}."
            )
        copied = corpus.header.ext == self.ext
        fields = {
            "blur": encode(blurry, self.ext),
            "sharp": corpus.encoded(item.source_key, "sharp") if copied else encode(sharp, self.ext),
        }
        # What a reader will see: a JPEG's pixels are not those that went into the encoder.
        seen = {
            "blur": blurry if self.ext == "png" else decode(fields["blur"]),
            "sharp": sharp if copied or self.ext == "png" else decode(fields["sharp"]),
        }
        meta = self._meta(item, sample, record)
        kept = frozenset({"sharp"} if copied and sample.meta["sharp_kept"] else ())
        return EncodedSample(item.key, fields, meta, columns(seen), kept)

    def _meta(self, item: Item, sample: Sample, record: Record) -> dict[str, Any]:
        sequence, _, frame = item.key.partition("/")
        height, width = sample.images["sharp"].shape[:2]
        told = {name: sample.meta[name] for name in (*allowed_columns(), "origin")}
        return {
            "key": item.key,
            "sequence": sequence,
            "frame": frame,
            "width": width,
            "height": height,
            **told,
            "source_corpus": item.source,
            "source_key": item.source_key,
            "variant": item.variant,
            "noise": [float(value) for value in record.noise],
            "method": record.method,
            "parameters": canonical(record.parameters).decode(),
            "generator": self.generator,
        }


def sharp_sample(corpus: Corpus, key: str) -> Sample:
    """A sample with its sharp image only: the blurry one of a paired source is not decoded."""
    limit = corpus.header.max_pixels
    return Sample(
        key, {"sharp": decode(corpus.encoded(key, "sharp"), max_pixels=limit)}, json.loads(corpus.encoded(key, "json"))
    )


def columns(images: Mapping[str, NDArray[np.uint8]]) -> dict[str, Any]:
    """Manifest columns of a pair: pixel digests, quality measures of both pictures, and their PSNR."""
    found: dict[str, Any] = {"pair_psnr": pair_psnr(images["blur"], images["sharp"])}
    for field, pixels in images.items():
        found[f"{field}_pixels_sha256"] = pixel_digest(pixels)
        found |= {f"{field}_{name}": value for name, value in measure(pixels).items()}
    return found
