"""The sets of crops that an audit compares: synthetic blur, its sharp frames, real captures, the pairs' own blur."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dbgan import seeds
from dbgan.corpus import Corpus
from dbgan.errors import CorpusError
from dbgan.evaluate import strength
from dbgan.evaluate.pictures import strengths
from dbgan.image.quality import pair_psnr
from dbgan.params import AuditParams
from dbgan.sheet import fit

Z_FRAMES = 24
"""Sharp frames on which the effect of z is measured."""


@dataclass
class CropSet:
    """Strength measures of one set.

    Attributes:
        name: synthetic, sharp, real or pairs.
        values: measure -> one array per picture, over its crops.
        psnr: PSNR(blurry, sharp) of the measured pictures, dB; empty where there is no sharp one.
        sides: long side of each picture, px, as it was measured.
        small: pictures left out because they are smaller than a crop.
        blank: crops left out because they hold too few edges.
    """

    name: str
    values: dict[str, list[NDArray[np.float64]]] = field(
        default_factory=lambda: {name: [] for name in strength.MEASURES}
    )
    psnr: list[float] = field(default_factory=list)
    sides: list[int] = field(default_factory=list)
    small: int = 0
    blank: int = 0

    @property
    def pictures(self) -> int:
        """Pictures with at least one measured crop."""
        return len(self.values[strength.MEASURES[0]])

    @property
    def crops(self) -> int:
        """Measured crops."""
        return sum(len(v) for v in self.values[strength.MEASURES[0]])

    def pooled(self, measure: str) -> NDArray[np.float64]:
        """The measure over all crops."""
        arrays = self.values[measure]
        return np.concatenate(arrays) if arrays else np.zeros(0)

    def add(self, picture: NDArray[np.uint8], boxes: list[tuple[int, int]], side: int) -> None:
        """Measure the crops of `side` px of one HWC uint8 RGB picture at `boxes` (top, left)."""
        if not boxes:
            self.small += 1
            return
        self.sides.append(max(picture.shape[:2]))
        measured = [strength.measure(picture[top : top + side, left : left + side]) for top, left in boxes]
        told = [m for m in measured if m is not None]
        self.blank += len(measured) - len(told)
        if told:
            for name in strength.MEASURES:
                self.values[name].append(np.array([m[name] for m in told], dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus that an audit looks at; `table` has key, sequence, strength (which falls with blur)."""

    corpus: Corpus
    table: pd.DataFrame


def by_hash(keys: list[str], count: int) -> list[str]:
    """`count` keys by the hash of each, sorted by key: spread over sequences, stable when samples are added."""
    return sorted(sorted(keys, key=lambda key: hashlib.sha256(key.encode()).digest())[:count])


def measure_synthetic(corpus: Corpus, params: AuditParams) -> tuple[CropSet, CropSet]:
    """(synthetic, sharp): one variant of each chosen sharp frame, and the frame itself, on the same crops."""
    synthetic, sharp = CropSet("synthetic"), CropSet("sharp")
    groups = variants_of(corpus)
    for frame in by_hash(list(groups), params.images):
        keys = groups[frame]
        rng = seeds.generator(params.seed, "audit", frame)
        images = corpus[keys[int(rng.integers(len(keys)))]].images
        boxes = strength.crop_boxes(strength.luma(images["sharp"]), params.crop, params.crops_per_image, rng)
        synthetic.add(images["blur"], boxes, params.crop)
        sharp.add(images["sharp"], boxes, params.crop)
        synthetic.psnr.append(pair_psnr(images["blur"], images["sharp"]))
    return synthetic, sharp


def measure_pairs(sources: list[Source], params: AuditParams) -> CropSet:
    """The paired sources' own blur, on crops chosen as those of synthetic pairs are: by the sharp frame."""
    pairs = CropSet("pairs")
    for source in sources:
        for key in by_hash(list(source.table["key"]), max(1, params.images // len(sources))):
            images = source.corpus[key].images
            rng = seeds.generator(params.seed, "audit", key)
            boxes = strength.crop_boxes(strength.luma(images["sharp"]), params.crop, params.crops_per_image, rng)
            pairs.add(images["blur"], boxes, params.crop)
            pairs.psnr.append(pair_psnr(images["blur"], images["sharp"]))
    return pairs


def measure_real(sources: list[Source], params: AuditParams) -> CropSet:
    """Real captures, reduced to `long_side` where that is set."""
    real = CropSet("real")
    for source in sources:
        for key in by_hash(list(source.table["key"]), max(1, params.images // len(sources))):
            picture = reduced(source.corpus[key].images["blur"], params.long_side)
            rng = seeds.generator(params.seed, "audit", key)
            boxes = strength.crop_boxes(strength.luma(picture), params.crop, params.crops_per_image, rng)
            real.add(picture, boxes, params.crop)
    return real


def reduced(picture: NDArray[np.uint8], long_side: int) -> NDArray[np.uint8]:
    """HWC uint8 RGB reduced to a long side of `long_side` px; unchanged for 0 or where it is smaller."""
    return fit(picture, long_side, long_side) if long_side else picture


def variants_of(corpus: Corpus) -> dict[str, list[str]]:
    """Sharp frame (`source_corpus:source_key`) -> keys of its synthetic pairs, by variant."""
    table = corpus.table(columns=["key", "source_corpus", "source_key", "variant"]).sort_values(["variant", "key"])
    groups: dict[str, list[str]] = {}
    for key, source, frame in zip(table["key"], table["source_corpus"], table["source_key"], strict=True):
        groups.setdefault(f"{source}:{frame}", []).append(key)
    return groups


def z_sensitivity(corpus: Corpus) -> float | None:
    """Mean |variant_i - variant_j| in [0, 1] over pixels, over neighbouring variants of one sharp frame.

    This is mean |G(x, z1) - G(x, z2)| as a pair on disk shows it. None where no frame has two variants.
    """
    groups = {frame: keys for frame, keys in variants_of(corpus).items() if len(keys) > 1}
    differences = []
    for frame in by_hash(list(groups), Z_FRAMES):
        pictures = [corpus[key].images["blur"].astype(np.int16) for key in groups[frame][:3]]
        differences += [float(np.abs(a - b).mean()) / 255 for a, b in itertools.pairwise(pictures)]
    return float(np.mean(differences)) if differences else None


def open_synthetic(datasets: Path, name: str) -> Corpus:
    """The synthetic corpus; raises `CorpusError` where it is absent, empty or no synthesized pairs."""
    path = datasets / "synthetic" / name
    corpus = Corpus.open(path)
    if corpus.kind != "paired" or not corpus.header.synthesized or len(corpus) == 0:
        what = f"{corpus.kind}, {'synthesized' if corpus.header.synthesized else 'ingested'}, {len(corpus)} samples"
        raise CorpusError(f"{path}: expected synthesized pairs, found: {what}.\nNext: dvc repro synthesize@{name}")
    return corpus


def open_sources(datasets: Path, names: list[str], kind: str, split: str | None) -> tuple[list[Source], list[str]]:
    """Train sources through their selections, and a sentence for each that has no samples in `split`.

    Such a source is then read whole (all that curation kept).

    Raises:
        CorpusError: a source is absent, not curated, of another kind, or nothing of it is kept.
    """
    opened, notes = [], []
    for name in names:
        path = datasets / "train" / name
        selection = datasets / "train" / f"{name}.selection.parquet"
        corpus = Corpus.open(path, selection=selection, split=split)
        if split is not None and len(corpus) == 0:
            corpus = Corpus.open(path, selection=selection)
            notes.append(
                f"{name} has no {split} split: all {len(corpus)} captures that curation kept are compared, "
                "and BGAN has seen some of them in training."
            )
        if corpus.kind != kind or len(corpus) == 0:
            raise CorpusError(
                f"{path}: expected a {kind} corpus with kept samples, found a {corpus.kind} one with {len(corpus)}.\n"
                f"Next: look at reports/curate/{name}/contact.png and the source's curate params."
            )
        opened.append(Source(corpus, strengths(corpus)))
    return opened, notes


def psnr_values(corpora: list[Corpus], measured: list[float]) -> NDArray[np.float64]:
    """PSNR(blurry, sharp) of every pair, dB, from the manifests; `measured` where they hold none (quality off)."""
    columns = [corpus.table(columns=["pair_psnr"])["pair_psnr"].to_numpy(dtype=np.float64) for corpus in corpora]
    values = np.concatenate(columns) if columns else np.zeros(0)
    values = values[np.isfinite(values)]
    return values if len(values) else np.array(measured, dtype=np.float64)


def quantiles(values: NDArray[np.float64]) -> dict[str, Any]:
    """images, mean, p10, p50, p90; empty for no values."""
    if not len(values):
        return {}
    p10, p50, p90 = np.quantile(values, [0.1, 0.5, 0.9])
    return {
        "images": len(values),
        "mean": float(values.mean()),
        "p10": float(p10),
        "p50": float(p50),
        "p90": float(p90),
    }
