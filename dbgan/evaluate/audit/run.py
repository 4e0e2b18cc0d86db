"""Is the synthetic blur like the real? Measure, judge in words, draw, and write it all down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dbgan.errors import DbganError
from dbgan.evaluate.audit import (
    compare,
    diversity,
    draw,
    features,
    gates,
    numbers,
    page,
    panel,
    sets,
    usefulness,
    verdict,
)
from dbgan.evaluate.audit.crops import CropSet
from dbgan.evaluate.audit.distance import Interval
from dbgan.evaluate.audit.measured import Measured
from dbgan.evaluate.audit.measures import LEAD
from dbgan.files import write_json
from dbgan.params import AuditParams

BLUR_NAMES = {"bgan": "BGAN", "average": "averaged", "kernel": "kernel"}
"""Manifest `method` -> the blur's name in sentences."""


def audit(name: str, params: AuditParams, datasets: Path, out: Path) -> dict[str, Any]:
    """Compare the synthetic corpus NAME with real captures; write numbers, verdict and figures into `out`.

    Args:
        name: the synthetic corpus, below `datasets/synthetic`.
        params: sources of real captures and of pairs, crops, seed.
        datasets: the project's datasets folder. Of datasets/test only `usefulness` reads, and no limit depends on it.
        out: folder for audit.json, index.html and the files of `draw.write`. All of it is written before a limit of
            `params.gates` fails the stage: DVC then neither caches the folder nor runs what is below, and leaves it to
            be read.

    Returns:
        What audit.json holds.

    Raises:
        CorpusError: a corpus is absent, empty or of another kind.
        DbganError: a set has no crop that can be measured.
        AuditGateError: the corpus does not keep a limit.
    """
    measured = measure(name, params, datasets)
    value = as_json(measured)
    failed = gates.failures(value, params.gates)
    write_json(out / "audit.json", value)
    draw.write(measured, params, out)
    page.write(name, value, failed, draw.labels(measured), out)
    for sentence in value["verdict"] + value["warnings"]:
        print(f"audit {name}: {sentence}", flush=True)
    # last, so that whoever is told that a corpus is bad finds the whole report beside the message
    gates.check(name, failed, out)
    return value


def measure(name: str, params: AuditParams, datasets: Path) -> Measured:
    """Measure the crops of every set and their distances to the real captures. Writes nothing; errors as `audit`."""
    synthetic = sets.open_synthetic(datasets, name)
    captured, notes = sets.open_captures(datasets, list(params.real))
    paired = sets.open_pairs(datasets, list(params.pairs))
    real = sets.measure_real(captured, params)
    _check(name, real, params)
    crops = {"real": real} | sets.measure_synthetic(synthetic, params, real.content)
    psnr = {"synthetic": sets.psnr_values([synthetic], crops["synthetic"].psnr)}
    if paired:
        crops["pairs"] = sets.measure_pairs(paired, params, real.content)
        psnr["pairs"] = sets.psnr_values([source.corpus for source in paired], crops["pairs"].psnr)
    psnr["kernel"] = np.array(crops["kernel"].psnr)
    for own in crops.values():
        _check(name, own, params)
    net, note = features.network(params.features)
    found = panel.panel(crops, net, params)
    with panel.threads(params.threads):
        changed = diversity.diversity(synthetic, net, params)
    asked = params.usefulness
    useful = usefulness.usefulness(synthetic, paired, params, asked, datasets) if asked is not None else None
    gaps = compare.content_gaps(crops, params.seed)
    methods = sorted(set(synthetic.table(columns=["method"])["method"]))
    return Measured(
        synthetic=synthetic,
        captured=tuple(captured),
        blur=BLUR_NAMES.get(methods[0], methods[0]) if len(methods) == 1 else "synthetic",
        sets=crops,
        distances=compare.distances(crops, params.seed),
        differences=compare.differences(crops, params.seed),
        psnr=psnr,
        content_gaps=gaps,
        diversity=changed,
        repeated_z=diversity.repeated_z(synthetic),
        panel=found,
        usefulness=useful,
        notes=(*notes, *_notes(crops, gaps, params), *([note] if note else []), *found.notes),
    )


def as_json(measured: Measured) -> dict[str, Any]:
    """audit.json: the numbers, sentences last."""
    facts = verdict.Facts(
        blur=measured.blur,
        medians={name: float(np.median(own.pooled(LEAD))) for name, own in measured.sets.items()},
        differences=measured.differences,
        distances=measured.distances,
        psnr={name: float(values.mean()) for name, values in measured.psnr.items()},
        classifier={name: own.auc for name, own in measured.panel.classifier.items() if own.auc is not None},
        chance=measured.panel.classifier["synthetic"].chance,
        kid=measured.panel.kid,
        diversity=measured.diversity,
        repeated_z=measured.repeated_z,
        usefulness=measured.usefulness,
        alignment=numbers.alignment(measured.sets),
        drift=numbers.drift(measured.sets),
        pictures={name: own.pictures for name, own in measured.sets.items()},
    )
    sentences = {"verdict": verdict.sentences(facts), "warnings": [*measured.notes, *verdict.warnings(facts)]}
    return numbers.numbers(measured) | sentences


def _check(name: str, own: CropSet, params: AuditParams) -> None:
    if own.crops == 0:
        raise DbganError(
            f"audit.{name}: no crop of {params.crop} px of the set '{own.name}' can be measured: {own.small} pictures "
            f"are smaller, {own.blank} crops hold too few edges.\n"
            f"Next: lower audit.{name}.crop, raise crops_per_image, or look at the source's contact sheet."
        )


def _notes(crops: Mapping[str, CropSet], gaps: Mapping[str, Mapping[str, Interval]], params: AuditParams) -> list[str]:
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
            f"pixels of blur in the larger picture. {_sizes_advice(real, ours)}"
        )
    for what, gap in compare.content_apart(gaps, "synthetic").items():
        notes.append(
            f"Synthetic crops differ from the real ones in {what} by {gap:.1f} standard deviations, more than real "
            "captures differ from each other, although they were chosen to be alike: a part of every difference may be "
            "content."
        )
    return notes


def _sizes_advice(real: float, ours: float) -> str:
    if real > ours:
        return f"Set long_side of the audit to {ours:.0f} to compare them at one size."
    return "Captures are reduced, never enlarged: blur frames of their size, or choose captures of the frames' size."
