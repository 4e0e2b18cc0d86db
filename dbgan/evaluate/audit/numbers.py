"""audit.json: all numbers, nested two or three deep so that `dvc metrics show` and the report can list them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from dbgan.evaluate.audit import sets
from dbgan.evaluate.audit.crops import CropSet
from dbgan.evaluate.audit.measured import Measured
from dbgan.evaluate.audit.measures import LEAD, STRENGTH
from dbgan.evaluate.audit.two_sample import Told
from dbgan.evaluate.audit.usefulness import Usefulness


def numbers(measured: Measured) -> dict[str, Any]:
    """Every number, six significant digits. No NaN: what cannot be told is absent."""
    value: dict[str, Any] = {
        "psnr": {name: sets.quantiles(values) for name, values in measured.psnr.items()},
        "strength": {name: _statistics(own) for name, own in measured.sets.items()},
        "straight_motion": {name: _motion(own) for name, own in measured.sets.items()},
        "distance": {name: {m: asdict(i) for m, i in own.items()} for name, own in measured.distances.items()},
        "median_difference": {n: {LEAD: asdict(found)} for n, found in measured.differences.items()},
        "classifier": {name: told for name, own in measured.panel.classifier.items() if (told := _told(own))},
        "kid": {name: asdict(own) for name, own in measured.panel.kid.items()},
        "content_gap": {n: {what: asdict(i) for what, i in own.items()} for n, own in measured.content_gaps.items()},
    }
    value |= {"alignment": alignment(measured.sets), "drift": drift(measured.sets)}
    if measured.diversity is not None:
        found = {key: own for key, own in asdict(measured.diversity).items() if own is not None}
        value["z_sensitivity"] = found.pop("z_sensitivity")
        value["diversity"] = found
    if measured.repeated_z[1]:
        value.setdefault("diversity", {})["repeated_z"] = measured.repeated_z[0]
    if measured.usefulness is not None:
        value["usefulness"] = _usefulness(measured.usefulness)
    rounded: dict[str, Any] = rounding(value)
    return rounded | {"features": measured.panel.features}


def alignment(crops: Mapping[str, CropSet]) -> dict[str, dict[str, float]]:
    """Set of pairs -> median and 90th percentile of the distance by which halves are shifted, and its mean, px."""
    found = {}
    for name, own in crops.items():
        shifts = np.array([shot.shift for shot in own.shots if shot.shift is not None])
        if len(shifts):
            median, p90 = np.quantile(np.hypot(*shifts.T), [0.5, 0.9])
            right, down = shifts.mean(axis=0)
            found[name] = {"p50_px": median, "p90_px": p90, "right_px": right, "down_px": down}
    return {name: {key: float(value) for key, value in own.items()} for name, own in found.items()}


def drift(crops: Mapping[str, CropSet]) -> dict[str, dict[str, float]]:
    """Set of pairs -> mean content drift, and mean of blurry minus sharp per channel, 8-bit levels."""
    found = {}
    for name, own in crops.items():
        pairs = [(shot.drift, shot.colour) for shot in own.shots if shot.drift is not None and shot.colour is not None]
        if pairs:
            colour = np.mean([c for _, c in pairs], axis=0)
            named = dict(zip(("red", "green", "blue"), (float(c) for c in colour), strict=True))
            found[name] = {"levels": float(np.mean([level for level, _ in pairs])), **named}
    return found


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
    for name in STRENGTH:
        statistics = sets.quantiles(own.pooled(name))
        told[name] = {key: statistics[key] for key in ("mean", "p10", "p50", "p90")}
    return told


def _told(own: Told) -> dict[str, Any]:
    return {} if own.auc is None else {"auc": asdict(own.auc), "folds": own.folds, "chance": own.chance}


def _usefulness(found: Usefulness) -> dict[str, Any]:
    told: dict[str, Any] = {"images": found.images, "input_psnr": found.input_psnr}
    for name, own in found.gains.items():
        ends = {"gain_db": float(np.mean(own.gains)), "lowest_db": min(own.gains), "highest_db": max(own.gains)}
        told[name] = ends | {"patches": own.patches, "pictures": own.pictures, "seeds": len(own.gains)}
    return told


def _motion(own: CropSet) -> dict[str, Any]:
    lengths = own.pooled("motion_px")
    told: dict[str, Any] = {"images": own.pictures, "told": len(lengths)}
    return told | ({"median_px": float(np.median(lengths))} if len(lengths) else {})
