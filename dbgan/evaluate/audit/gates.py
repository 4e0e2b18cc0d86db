"""Limits that a corpus must keep: past one of them the stage fails, after everything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbgan.errors import DbganError
from dbgan.evaluate.audit.measures import LEAD
from dbgan.params import GateParams


class AuditGateError(DbganError):
    """A corpus is past a limit of `audit.NAME.gates`."""


@dataclass(frozen=True, slots=True)
class Gate:
    """Where a limit's number is in audit.json, and what it is called."""

    words: str
    path: tuple[str, ...]
    unit: str = ""


GATES: dict[str, Gate] = {
    "max_distance_px": Gate(
        "distance of the edge extent to the real captures", ("distance", "synthetic", LEAD, "value"), " px"
    ),
    "max_auc": Gate(
        "AUC of the classifier that tells it from real captures", ("classifier", "synthetic", "auc", "value")
    ),
    "max_kid": Gate("KID to the real captures", ("kid", "synthetic", "value")),
    "max_psnr": Gate("mean PSNR of blurry against sharp (identity)", ("psnr", "synthetic", "mean"), " dB"),
    "max_shift_px": Gate("median shift between blurry and sharp", ("alignment", "synthetic", "p50_px"), " px"),
    "max_drift_levels": Gate("content drift between blurry and sharp", ("drift", "synthetic", "levels"), " levels"),
    "min_z_share": Gate("share of z in the variance of the edge extent", ("diversity", "z_share")),
    "min_psnr": Gate("mean PSNR of blurry against sharp (ruin)", ("psnr", "synthetic", "mean"), " dB"),
}
"""Field of `GateParams` -> what it limits."""


def failures(value: Mapping[str, Any], gates: GateParams) -> list[str]:
    """A sentence for each limit that audit.json's numbers do not keep, or that has no number to be judged by."""
    found = []
    for name, gate in GATES.items():
        limit = getattr(gates, name)
        if limit is None:
            continue
        number = _at(value, gate.path)
        if number is None:
            found.append(f"{gate.words}: {name} is {limit:g}{gate.unit}, but the number could not be told.")
        elif number > limit if name.startswith("max_") else number < limit:
            past = "over" if name.startswith("max_") else "under"
            found.append(f"{gate.words}: {number:.4g}{gate.unit}, {past} {name} {limit:g}{gate.unit}.")
    return found


def check(name: str, failed: list[str], out: Path) -> None:
    """Raise `AuditGateError` with all that failed; nothing where nothing did."""
    if failed:
        listed = "\n".join(f"  {sentence}" for sentence in failed)
        raise AuditGateError(
            f"datasets/synthetic/{name}: this corpus does not keep {len(failed)} of the limits in audit.{name}.gates:\n"
            f"{listed}\n"
            f"Its audit is written: look at {out}/index.html.\n"
            f"Next: improve the blur (synthesize.{name}, its generator), or change the limit if it asks for too much. "
            "DVC keeps this stage unfinished, and what is below it, until then."
        )


def _at(value: Mapping[str, Any], path: tuple[str, ...]) -> float | None:
    here: Any = value
    for part in path:
        here = here.get(part) if isinstance(here, Mapping) else None
    return float(here) if isinstance(here, int | float) else None
