"""The rules that drop samples, in order: minimum size, bands of measures per device, exact duplicates, bursts.

A rule looks at the manifest rows that the rules before it kept and answers which of them it drops and why. To add a
rule: write the function, add it to `RULES`.
People's decisions come before all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dbgan.corpus.layout import ALLOWED_NUMBERS
from dbgan.curate.duplicates import bursts, first_of_equal
from dbgan.curate.review import Decision
from dbgan.errors import ParamsError
from dbgan.params import CurateParams, Limits

UNKNOWN_DEVICE = "unknown"
"""How params and summaries call the device of a sample whose camera left no name."""
FEW_SAMPLES = 20
"""Below so many samples of a device a quantile is told to say little."""


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
    """What rules look at: manifest rows (key, width, height, device, measures, digests).

    Attributes:
        table: the rows that earlier rules kept.
        field: the judged image field.
        all: the rows of the whole source, of which quantiles are taken, so that a decision by hand or a change of one
            rule moves no limit of another; None: `table` is all.
    """

    table: pd.DataFrame
    field: str
    all: pd.DataFrame | None = None


Rule = Callable[[Rows, CurateParams], dict[str, Drop]]


def min_side(rows: Rows, params: CurateParams) -> dict[str, Drop]:
    """Drop samples whose shorter side is under `min_side` px, of the source or of their device."""
    drops: dict[str, Drop] = {}
    for device, table in rows.table.groupby("device", sort=True):
        limit, whose = _setting(params, device, "min_side")
        side = table[["width", "height"]].min(axis=1)
        for key, value in zip(table["key"][side < limit], side[side < limit], strict=True):
            reason = f"the shorter side has {int(value)} px, under the limit of {limit} px{whose}"
            drops[str(key)] = Drop("min_side", "min_side", float(value), float(limit), reason)
    return drops


def limits(rows: Rows, params: CurateParams) -> dict[str, Drop]:
    """Drop samples outside a measure's band; a device's own band replaces the one for every device.

    A number that the camera did not record (`has_NAME` false), and a measure that the picture lacks, is not judged.
    """
    drops: dict[str, Drop] = {}
    every = rows.table if rows.all is None else rows.all
    for device, table in rows.table.groupby("device", sort=True):
        own = params.devices.get(device_name(device), {})
        for measure, band in {**params.limits, **own}.items():
            known = _known(table, measure)
            whose = f" for device {device_name(device)}" if measure in own else ""
            values = _known(every[every["device"] == device], measure)[measure]
            low, high = (_limit(values, band, side) for side in ("min", "max"))
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


def _known(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The rows that have the measure."""
    return table[table[f"has_{measure}"]] if measure in ALLOWED_NUMBERS else table[table[measure].notna()]


def _setting(params: CurateParams, device: object, name: str) -> tuple[Any, str]:
    """A rule's setting for a device, and how a reason names it where it is the device's own."""
    own = getattr(params.device_rules.get(device_name(device)), name, None)
    return (getattr(params, name), "") if own is None else (own, f" for device {device_name(device)}")


def _limit(values: pd.Series[float], band: Limits, side: str) -> tuple[float, str] | None:
    """One side of a band as a number, and how it came about if by a quantile; None: open, or nothing to take it of."""
    absolute, quantile = getattr(band, side), getattr(band, f"{side}_quantile")
    if absolute is not None:
        return float(absolute), ""
    if quantile is None or values.empty:
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
    """Drop all but the first `keep_per_burst` of a device's samples that look alike within a sequence.

    Without `near_bits` it is off.
    """
    drops: dict[str, Drop] = {}
    for device, table in rows.table.groupby("device", sort=True):
        (near_bits, whose), (keep, _) = (_setting(params, device, name) for name in ("near_bits", "keep_per_burst"))
        if near_bits is None:
            continue
        kept = "which is kept" if keep == 1 else f"of whose burst {keep} are kept"
        for key, near in bursts(table, rows.field, near_bits, keep).items():
            reason = f"looks like {near.first}, {kept}: {near.bits} of 256 bits differ, at most {near_bits} in a burst"
            measure = f"{rows.field}_phash"
            drops[key] = Drop("near_duplicates", measure, float(near.bits), float(near_bits), reason + whose)
    return drops


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
            found = rule(Rows(remaining, rows.field, rows.table), params)
            dropped |= {key: drop for key, drop in found.items() if key not in decided or not decided[key].keep}
    return dropped


def notes(rows: Rows, params: CurateParams) -> list[str]:
    """Limits that say less than they seem to: quantiles of few samples, and measures that no sample of a device has."""
    said = []
    for device, table in rows.table.groupby("device", sort=True):
        for measure, band in {**params.limits, **params.devices.get(device_name(device), {})}.items():
            count, by_quantile = len(_known(table, measure)), (band.min_quantile, band.max_quantile) != (None, None)
            if count == 0 and band != Limits():
                said.append(f"No sample of device {device_name(device)} has {measure}: its limit judges none of them.")
            elif by_quantile and count < FEW_SAMPLES:
                some = "1 sample" if count == 1 else f"{count} samples"
                said.append(f"{measure}: device {device_name(device)} has {some}; a quantile of so few says little.")
    return said


def columns(params: CurateParams, field: str) -> list[str]:
    """The manifest columns that the rules read under these params."""
    named = dict.fromkeys([*params.limits, *(m for bands in params.devices.values() for m in bands)])
    has = [f"has_{name}" for name in named if name in ALLOWED_NUMBERS]
    near = [params.near_bits, *(own.near_bits for own in params.device_rules.values())]
    digests = [f"{field}_pixels_sha256", *([f"{field}_phash"] if any(n is not None for n in near) else [])]
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
    for device, where_named in {
        **dict.fromkeys(params.device_rules, "device_rules"),
        **dict.fromkeys(params.devices, "devices"),
    }.items():
        if devices is not None and device not in devices:
            raise ParamsError(_unknown(f"{where}.{where_named}", device, "device of this source", devices))


def _unknown(place: str, name: str, what: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1) or [k for k in known if name and name in k][:1]
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(repr(k) for k in sorted(known)[:24])
    return f"{place} names {name!r}, which is no {what}.{hint}\nExpected one of: {listed or '(none)'}."
