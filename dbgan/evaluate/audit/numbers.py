"""audit.json: all numbers, nested two or three deep so that `dvc metrics show` and the report can list them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dbgan.evaluate.audit import compare, sets
from dbgan.evaluate.audit.crops import CropSet
from dbgan.evaluate.audit.measured import Measured
from dbgan.evaluate.audit.measures import LEAD, STRENGTH


def numbers(measured: Measured) -> dict[str, Any]:
    """Every number, six significant digits. No NaN: what cannot be told is absent."""
    value: dict[str, Any] = {
        "psnr": {name: sets.quantiles(values) for name, values in measured.psnr.items()},
        "strength": {name: _statistics(own) for name, own in measured.sets.items()},
        "straight_motion": {name: _motion(own) for name, own in measured.sets.items()},
        "distance": {name: {m: asdict(i) for m, i in own.items()} for name, own in measured.distances.items()},
        "median_difference": {n: {LEAD: asdict(found)} for n, found in measured.differences.items()},
        "content_gap": compare.content_gaps(measured.sets),
    }
    if measured.z_sensitivity is not None:
        value["z_sensitivity"] = measured.z_sensitivity
    rounded: dict[str, Any] = rounding(value)
    return rounded


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


def _motion(own: CropSet) -> dict[str, Any]:
    lengths = own.pooled("motion_px")
    told: dict[str, Any] = {"images": own.pictures, "told": len(lengths)}
    return told | ({"median_px": float(sorted(lengths)[len(lengths) // 2])} if len(lengths) else {})
