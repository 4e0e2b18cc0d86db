"""Is the synthetic blur like the real? Its strength against that of real captures, with a floor and a ceiling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbgan.corpus import Corpus
from dbgan.errors import DbganError
from dbgan.evaluate import distance, examples, figures, sets, strength, verdict
from dbgan.evaluate.distance import Interval
from dbgan.evaluate.sets import CropSet, Source
from dbgan.files import write_bytes, write_json
from dbgan.image.codec import encode
from dbgan.image.quality import IDENTITY_DB
from dbgan.params import AuditParams

BLUR_NAMES = {"bgan": "BGAN", "average": "averaged", "kernel": "kernel"}
"""Manifest `method` -> the blur's name in sentences."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All that an audit compares.

    Attributes:
        synthetic: the audited corpus.
        captured: sources of real captures.
        blur: name of the synthetic blur in sentences.
        sets: synthetic, sharp, real and, where asked for, pairs -> their crops.
        distances: set (and `floor`) -> measure -> Wasserstein distance to the real captures.
        differences: set -> median edge extent minus that of the real captures, px.
        psnr: synthetic and pairs -> PSNR(blurry, sharp) of every pair, dB.
        z_sensitivity: mean change under another z, in [0, 1]; None with one variant per frame.
        notes: what a reader must know about the sets, in sentences.
    """

    synthetic: Corpus
    captured: tuple[Source, ...]
    blur: str
    sets: Mapping[str, CropSet]
    distances: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[str, Interval]
    psnr: Mapping[str, NDArray[np.float64]]
    z_sensitivity: float | None
    notes: tuple[str, ...]


def audit(name: str, params: AuditParams, datasets: Path, out: Path) -> dict[str, Any]:
    """Compare the synthetic corpus NAME with real captures; write numbers, verdict and figures into `out`.

    Args:
        name: the synthetic corpus, below `datasets/synthetic`.
        params: sources of real captures and of pairs, crops, seed.
        datasets: the project's datasets folder. datasets/test is never read.
        out: folder for audit.json, strength.csv, strength.png, psnr.png, variants.png and real.png.

    Returns:
        What audit.json holds.

    Raises:
        CorpusError: a corpus is absent, empty or of another kind.
        DbganError: a set has no crop that can be measured.
    """
    measured = measure(name, params, datasets)
    value = as_json(measured)
    write_json(out / "audit.json", value)
    write_figures(measured, params, out)
    for sentence in value["verdict"] + value["warnings"]:
        print(f"audit {name}: {sentence}", flush=True)
    return value


def measure(name: str, params: AuditParams, datasets: Path) -> Measured:
    """Measure the crops of every set and their distances to the real captures. Writes nothing; errors as `audit`."""
    synthetic = sets.open_synthetic(datasets, name)
    captured, notes = sets.open_sources(datasets, list(params.real), "blurry", "val")
    paired, _ = sets.open_sources(datasets, list(params.pairs), "paired", None)
    blurred, sharp = sets.measure_synthetic(synthetic, params)
    crops = {"synthetic": blurred, "real": sets.measure_real(captured, params), "sharp": sharp}
    psnr = {"synthetic": sets.psnr_values([synthetic], blurred.psnr)}
    if paired:
        crops["pairs"] = sets.measure_pairs(paired, params)
        psnr["pairs"] = sets.psnr_values([source.corpus for source in paired], crops["pairs"].psnr)
    for own in crops.values():
        _check(name, own, params)
    methods = sorted(set(synthetic.table(columns=["method"])["method"]))
    return Measured(
        synthetic=synthetic,
        captured=tuple(captured),
        blur=BLUR_NAMES.get(methods[0], methods[0]) if len(methods) == 1 else "synthetic",
        sets=crops,
        distances=distances(crops, params.seed),
        differences=differences(crops, params.seed),
        psnr=psnr,
        z_sensitivity=sets.z_sensitivity(synthetic),
        notes=(*notes, *_notes(crops, params)),
    )


def distances(crops: Mapping[str, CropSet], seed: int) -> dict[str, dict[str, Interval]]:
    """Set -> measure -> Wasserstein distance to the real captures; `floor`: real captures against each other."""
    result: dict[str, dict[str, Interval]] = {}
    for measure_name in strength.MEASURES:
        real = crops["real"].values[measure_name]
        for name, own in crops.items():
            if name != "real":
                values = own.values[measure_name]
                found = distance.distance_interval(values, real, seed, f"{name} {measure_name}")
                result.setdefault(name, {})[measure_name] = found
        lowest = distance.floor(real, seed)
        if lowest is not None:
            result.setdefault("floor", {})[measure_name] = lowest
    return result


def differences(crops: Mapping[str, CropSet], seed: int) -> dict[str, Interval]:
    """Set -> median edge extent minus that of the real captures, px."""
    real = crops["real"].values[strength.MEASURES[0]]
    return {
        name: distance.interval(
            distance.median_difference, own.values[strength.MEASURES[0]], real, seed, f"median {name}"
        )
        for name, own in crops.items()
        if name != "real"
    }


def as_json(measured: Measured) -> dict[str, Any]:
    """audit.json: numbers of six significant digits, sentences last. No NaN: what cannot be told is absent."""
    lead = strength.MEASURES[0]
    value: dict[str, Any] = {
        "psnr": {name: sets.quantiles(values) for name, values in measured.psnr.items()},
        "strength": {name: _statistics(own) for name, own in measured.sets.items()},
        "distance": {name: {m: asdict(i) for m, i in own.items()} for name, own in measured.distances.items()},
        "median_difference": {n: {lead: asdict(found)} for n, found in measured.differences.items()},
    }
    if measured.z_sensitivity is not None:
        value["z_sensitivity"] = measured.z_sensitivity
    facts = verdict.Facts(
        blur=measured.blur,
        medians={name: float(np.median(own.pooled(lead))) for name, own in measured.sets.items()},
        differences=measured.differences,
        distances={name: own[lead] for name, own in measured.distances.items()},
        psnr={name: float(values.mean()) for name, values in measured.psnr.items()},
        z_sensitivity=measured.z_sensitivity,
        real_pictures=measured.sets["real"].pictures,
    )
    rounded: dict[str, Any] = rounding(value)
    return rounded | {"verdict": verdict.sentences(facts), "warnings": [*measured.notes, *verdict.warnings(facts)]}


def rounding(value: Any, digits: int = 6) -> Any:
    """Floats rounded to `digits` significant digits through dicts; raises `ValueError` for NaN and infinity."""
    if isinstance(value, Mapping):
        return {key: rounding(entry, digits) for key, entry in value.items()}
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"audit: {value} is no number that JSON can hold")
        return float(f"{value:.{digits}g}")
    return value


def _statistics(own: CropSet) -> dict[str, Any]:
    told: dict[str, Any] = {"images": own.pictures, "crops": own.crops}
    for name in strength.MEASURES:
        statistics = sets.quantiles(own.pooled(name))
        told[name] = {key: statistics[key] for key in ("mean", "p10", "p50", "p90")}
    return told


def _check(name: str, own: CropSet, params: AuditParams) -> None:
    if own.crops == 0:
        raise DbganError(
            f"audit.{name}: no crop of {params.crop} px of the set '{own.name}' can be measured: {own.small} pictures "
            f"are smaller, {own.blank} crops hold too few edges.\n"
            f"Next: lower audit.{name}.crop, raise crops_per_image, or look at the source's contact sheet."
        )


def _notes(crops: Mapping[str, CropSet], params: AuditParams) -> list[str]:
    """What a reader must know about the sets."""
    notes = [
        f"{own.small} pictures of the set '{own.name}' are smaller than a crop of {params.crop} px and were left out."
        for own in crops.values()
        if own.small
    ]
    real, ours = (float(np.median(crops[name].sides)) for name in ("real", "synthetic"))
    if max(real, ours) > 1.5 * min(real, ours):
        notes.append(
            f"Real captures have a long side of {real:.0f} px, synthetic ones {ours:.0f} px: the same shake gives more "
            "pixels of blur in the larger picture. Set audit's long_side to compare them at one size."
        )
    return notes


def write_figures(measured: Measured, params: AuditParams, out: Path) -> None:
    """strength.png and .csv, psnr.png, variants.png, real.png."""
    labels = {
        "real": "real captures",
        "synthetic": f"{measured.blur} blur",
        "pairs": "paired sources' own blur",
        "sharp": "sharp frames",
    }
    order = [name for name in labels if name in measured.sets]
    panels = {strength.UNITS[m]: {n: measured.sets[n].pooled(m) for n in order} for m in strength.MEASURES}
    lead = {name: measured.sets[name].pooled(strength.MEASURES[0]) for name in order}
    title = f"Blur strength on crops of {params.crop} px; dots: medians"
    write_bytes(out / "strength.png", figures.distributions(title, panels, labels))
    write_bytes(out / "strength.csv", figures.quantile_table(lead).encode())
    title = "How far blurry pictures are from their sharp ones"
    write_bytes(out / "psnr.png", figures.psnr(title, measured.psnr, labels, IDENTITY_DB))
    variants = examples.variants(measured.synthetic, params, measured.blur)
    write_bytes(out / "variants.png", encode(variants, "png"))
    real = examples.real(measured.synthetic, measured.captured, params, measured.blur)
    write_bytes(out / "real.png", encode(real, "png"))
