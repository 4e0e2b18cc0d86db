"""The rules that drop samples, in order: minimum size, bands of measures per device, exact duplicates, bursts.

A rule looks at the manifest rows that the rules before it kept and answers which of them it drops and why. To add a
rule: write the function, add it to `RULES`.
People's decisions come before all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from dbgan.corpus.layout import ALLOWED_NUMBERS
from dbgan.curate.duplicates import bursts, first_of_equal
from dbgan.curate.review import Decision
from dbgan.errors import ParamsError
from dbgan.params import CurateParams, Limits

UNKNOWN_DEVICE = "unknown"
"""How params and summaries call the device of a sample whose camera left no name."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Why a sample is not used: the rule, what it measured, the limit, and the same as a sentence."""

    rule: str
    measure: str
    value: float
    limit: float
    reason: str


@dataclass(frozen=True, slots=True)
class Rows:
    """What rules look at: manifest rows (key, width, height, device, measures, digests) and the judged image field."""

    table: pd.DataFrame
    field: str


Rule = Callable[[Rows, CurateParams], dict[str, Drop]]


def min_side(rows: Rows, params: CurateParams) -> dict[str, Drop]:
    """Drop samples whose shorter side is under `min_side` px."""
    side = rows.table[["width", "height"]].min(axis=1)
    small = side < params.min_side
    return {
        key: Drop(
            "min_side",
            "min_side",
            float(value),
            float(params.min_side),
            f"the shorter side has {int(value)} px, under the limit of {params.min_side} px",
        )
        for key, value in zip(rows.table["key"][small], side[small], strict=True)
    }


def limits(rows: Rows, params: CurateParams) -> dict[str, Drop]:
    """Drop samples outside a measure's band; a device's own band replaces the one for every device.

    A number that the camera did not record (`has_NAME` false) is not judged.
    """
    drops: dict[str, Drop] = {}
    for device, table in rows.table.groupby("device", sort=True):
        own = params.devices.get(device_name(device), {})
        for measure, band in {**params.limits, **own}.items():
            known = table[table[f"has_{measure}"]] if measure in ALLOWED_NUMBERS else table
            whose = f" for device {device_name(device)}" if measure in own else ""
            low, high = (_limit(known[measure], band, side) for side in ("min", "max"))
            for side, beyond, word in ((low, known[measure].lt, "under"), (high, known[measure].gt, "over")):
                if side is None:
                    continue
                limit, told = side
                hit = beyond(limit)
                for key, value in zip(known["key"][hit], known[measure][hit], strict=True):
                    reason = f"{measure} is {value:.4g}, {word} the limit of {limit:.4g}{told or whose}"
                    if told:
                        reason += f" {device_name(device)}"
                    drops.setdefault(str(key), Drop("limits", measure, float(value), limit, reason))
    return drops


def _limit(values: pd.Series[float], band: Limits, side: str) -> tuple[float, str] | None:
    """One side of a band as a number, and how it came about if by a quantile; None: open, or nothing to take it of."""
    absolute, quantile = getattr(band, side), getattr(band, f"{side}_quantile")
    if absolute is not None:
        return float(absolute), ""
    if quantile is None or not values.notna().any():
        return None
    # a value that some sample has, so that every machine finds the same one
    return float(values.quantile(quantile, interpolation="nearest")), f", quantile {quantile:g} of device"


def device_name(device: object) -> str:
    """The manifest's device as params name it."""
    return str(device) or UNKNOWN_DEVICE


def duplicates(rows: Rows, params: CurateParams) -> dict[str, Drop]:
    """Drop samples whose pixels equal those of a sample earlier by key, if `drop_duplicates`."""
    if not params.drop_duplicates:
        return {}
    measure = f"{rows.field}_pixels_sha256"
    return {
        key: Drop("duplicates", measure, 0.0, 0.0, f"the same pixels as {first}, which is kept")
        for key, first in first_of_equal(rows.table, rows.field).items()
    }


def near_duplicates(rows: Rows, params: CurateParams) -> dict[str, Drop]:
    """Drop all but the first `keep_per_burst` of samples that look alike within a sequence, if `near_bits` is set."""
    if params.near_bits is None:
        return {}
    found = bursts(rows.table, rows.field, params.near_bits, params.keep_per_burst)
    kept = "which is kept" if params.keep_per_burst == 1 else f"of whose burst {params.keep_per_burst} are kept"
    return {
        key: Drop(
            "near_duplicates",
            f"{rows.field}_phash",
            float(near.bits),
            float(params.near_bits),
            f"looks like {near.first}, {kept}: {near.bits} of 256 bits differ, at most {params.near_bits} in a burst",
        )
        for key, near in found.items()
    }


RULES: tuple[Rule, ...] = (min_side, limits, duplicates, near_duplicates)


def apply(rows: Rows, params: CurateParams, decisions: Mapping[str, Decision] | None = None) -> dict[str, Drop]:
    """Key -> why it is dropped, by the first rule that drops it. What a rule dropped is not shown to later ones.

    What people decided comes first: what they dropped no rule sees, what they kept no rule drops.
    """
    decided = decisions or {}
    dropped = {
        str(key): Drop("review", "", 0.0, 0.0, f"dropped by hand: {decided[key].note or 'no note'}")
        for key in rows.table["key"]
        if key in decided and not decided[key].keep
    }
    for rule in RULES:
        remaining = rows.table[~rows.table["key"].isin(dropped.keys())]
        if not remaining.empty:
            found = rule(Rows(remaining, rows.field), params)
            dropped |= {key: drop for key, drop in found.items() if key not in decided or not decided[key].keep}
    return dropped


def columns(params: CurateParams, field: str) -> list[str]:
    """The manifest columns that the rules read under these params."""
    named = dict.fromkeys([*params.limits, *(m for bands in params.devices.values() for m in bands)])
    has = [f"has_{name}" for name in named if name in ALLOWED_NUMBERS]
    digests = [f"{field}_pixels_sha256", *([f"{field}_phash"] if params.near_bits is not None else [])]
    return list(dict.fromkeys(["key", "sequence", "width", "height", "device", *digests, *named, *has]))


def check(params: CurateParams, measures: Sequence[str], devices: Sequence[str] | None, where: str) -> None:
    """Raise `ParamsError` for a limit on no measure, on no device of the source, or with min over max.

    Args:
        params: what to check.
        measures: numeric manifest columns that a limit may name.
        devices: the source's devices; None: not known yet, they are not checked.
        where: the params' place, such as `sources.pixel-8.curate`.
    """
    places: list[tuple[str, dict[str, Limits]]] = [(f"{where}.limits", params.limits)]
    places += [(f"{where}.devices.{device}", bands) for device, bands in params.devices.items()]
    for place, bands in places:
        for measure, band in bands.items():
            if measure not in measures:
                raise ParamsError(_unknown(place, measure, "measure of this corpus's manifest", measures))
            if band.min is not None and band.max is not None and band.min > band.max:
                raise ParamsError(
                    f"{place}.{measure}: min {band.min:g} is over max {band.max:g}, which would drop every sample."
                )
    for device in params.devices:
        if devices is not None and device not in devices:
            raise ParamsError(_unknown(f"{where}.devices", device, "device of this source", devices))


def _unknown(place: str, name: str, what: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1) or [k for k in known if name and name in k][:1]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(repr(k) for k in sorted(known)[:24])
    return f"{place} names {name!r}, which is no {what}.{hint}\nExpected one of: {listed or '(none)'}."
