"""The sets of crops that an audit compares: synthetic blur, its sharp frames, real captures, the pairs' own blur."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dbgan import seeds
from dbgan.blur.kernel_blur import KernelBlur
from dbgan.corpus import Corpus
from dbgan.errors import CorpusError
from dbgan.evaluate.audit import boxes
from dbgan.evaluate.audit.crops import CropSet
from dbgan.evaluate.pictures import strengths
from dbgan.image.quality import pair_psnr
from dbgan.params import AuditParams
from dbgan.sheet import fit

Content = NDArray[np.float64]
"""(crops, 2), see `boxes.content`."""


@dataclass(frozen=True, slots=True)
class Source:
    """A corpus that an audit looks at; `table` has key, sequence, strength (which falls with blur)."""

    corpus: Corpus
    table: pd.DataFrame


def by_hash(keys: list[str], count: int) -> list[str]:
    """`count` keys by the hash of each, sorted by key: spread over sequences, stable when samples are added."""
    return sorted(sorted(keys, key=lambda key: hashlib.sha256(key.encode()).digest())[:count])


def measure_real(sources: list[Source], params: AuditParams) -> CropSet:
    """Real captures, reduced to `long_side` where that is set, on the crops of most structure."""
    real = CropSet("real")
    for source in sources:
        for key in by_hash(list(source.table["key"]), max(1, params.images // len(sources))):
            picture = reduced(source.corpus[key].images["blur"], params.long_side)
            rng = seeds.generator(params.seed, "audit", key)
            where = boxes.crop_boxes(boxes.luma(picture), params.crop, params.crops_per_image, rng)
            real.add(picture, where, params.crop, group_of(source.corpus.name, key))
    return real


def measure_synthetic(corpus: Corpus, params: AuditParams, targets: Content) -> dict[str, CropSet]:
    """synthetic: one variant of each chosen sharp frame; sharp: the frame itself; kernel: the default kernel blur of
    it. All three on the same crops, where the content of the synthetic blur is nearest to `targets`, that of the real
    crops. Not that of the sharp frame: blur lowers structure a little, and the real crops were chosen behind theirs.
    """
    found = {name: CropSet(name) for name in ("synthetic", "sharp", "kernel")}
    kernel = KernelBlur()
    groups = variants_of(corpus)
    for frame in by_hash(list(groups), params.images):
        keys = groups[frame]
        rng = seeds.generator(params.seed, "audit", frame)
        images = corpus[keys[int(rng.integers(len(keys)))]].images
        sharp = images["sharp"]
        y = boxes.luma(images["blur"])
        where = boxes.matched_boxes(y, params.crop, params.crops_per_image, rng, targets)
        blurred, _ = kernel(sharp, seed=params.seed, key=frame, variant=0)
        group = group_of(*frame.split(":", 1))
        for name, picture in (("synthetic", images["blur"]), ("sharp", sharp), ("kernel", blurred)):
            paired = None if name == "sharp" else sharp
            found[name].add(picture, where, params.crop, group, paired)
            if paired is not None:
                found[name].psnr.append(pair_psnr(picture, paired))
    return found


def measure_pairs(sources: list[Source], params: AuditParams, targets: Content) -> CropSet:
    """The paired sources' own blur, on crops chosen as those of synthetic pairs are: by the blurry half."""
    pairs = CropSet("pairs")
    for source in sources:
        for key in by_hash(list(source.table["key"]), max(1, params.images // len(sources))):
            images = source.corpus[key].images
            rng = seeds.generator(params.seed, "audit", key)
            y = boxes.luma(images["blur"])
            where = boxes.matched_boxes(y, params.crop, params.crops_per_image, rng, targets)
            group = group_of(source.corpus.name, key)
            pairs.add(images["blur"], where, params.crop, group, images["sharp"])
            pairs.psnr.append(pair_psnr(images["blur"], images["sharp"]))
    return pairs


def group_of(corpus: str, key: str) -> str:
    """The sequence of a sample, with its corpus: pictures of one group show one scene."""
    return f"{corpus}:{key.split('/')[0]}"


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


def open_synthetic(datasets: Path, name: str) -> Corpus:
    """The synthetic corpus; raises `CorpusError` where it is absent, empty or no synthesized pairs."""
    path = datasets / "synthetic" / name
    corpus = Corpus.open(path)
    if corpus.kind != "paired" or not corpus.header.synthesized or len(corpus) == 0:
        what = f"{corpus.kind}, {'synthesized' if corpus.header.synthesized else 'ingested'}, {len(corpus)} samples"
        raise CorpusError(f"{path}: expected synthesized pairs, found: {what}.\nNext: dvc repro synthesize@{name}")
    return corpus


def open_captures(datasets: Path, names: list[str]) -> tuple[list[Source], list[str]]:
    """The val split of train sources of captures, and a sentence for each that has none.

    Of such a source the train split is compared. Never its test split: limits depend on what is measured here.

    Raises:
        CorpusError: a source is absent, not curated, of another kind, or keeps nothing outside its test split.
    """
    opened, notes = [], []
    for name in names:
        source = _open(datasets, name, "val")
        if len(source) == 0:
            source = _open(datasets, name, "train")
            notes.append(
                f"{name} has no val split: all {len(source)} captures of its train split are compared, and BGAN has "
                f"seen them in training. Pin a sequence with sources.{name}.curate.pinned, or raise val_fraction."
            )
        opened.append(_checked(source, "blurry", name))
    return opened, notes


def open_pairs(datasets: Path, names: list[str]) -> list[Source]:
    """The train split of paired train sources: what DBGAN learns from, and what `usefulness` may learn from.

    Raises:
        CorpusError: a source is absent, not curated, of another kind, or has no train split.
    """
    return [_checked(_open(datasets, name, "train"), "paired", name) for name in names]


def _open(datasets: Path, name: str, split: str) -> Corpus:
    selection = datasets / "train" / f"{name}.selection.parquet"
    return Corpus.open(datasets / "train" / name, selection=selection, split=split)


def _checked(corpus: Corpus, kind: str, name: str) -> Source:
    if corpus.kind != kind:
        raise CorpusError(
            f"{corpus.path}: expected a {kind} corpus, found a {corpus.kind} one.\n"
            "Next: `real` of the audit's params names sources of captures, `pairs` paired ones."
        )
    if len(corpus) == 0:
        raise CorpusError(
            f"{corpus.path}: expected kept samples outside the test split, found none. An audit's limits decide what "
            "is published: what tests are made of must not decide there.\n"
            f"Next: look at reports/curate/{name}/contact.png, and at sources.{name}.curate: pinned, test_fraction."
        )
    return Source(corpus, strengths(corpus))


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
