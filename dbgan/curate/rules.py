"""The rules that drop samples, in order: minimum size, bands of measures per device, exact duplicates.

A rule looks at the manifest rows that the rules before it kept and answers which of them it drops and why. To add a
rule: write the function, add it to `RULES`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from dbgan.corpus.layout import ALLOWED_NUMBERS
from dbgan.curate.duplicates import first_of_equal
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
            for limit, beyond, word in (
                (band.min, known[measure].lt, "under"),
                (band.max, known[measure].gt, "over"),
            ):
                if limit is None:
                    continue
                hit = beyond(limit)
                for key, value in zip(known["key"][hit], known[measure][hit], strict=True):
                    reason = f"{measure} is {value:.4g}, {word} the limit of {limit:.4g}{whose}"
                    drops.setdefault(str(key), Drop("limits", measure, float(value), float(limit), reason))
    return drops


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


RULES: tuple[Rule, ...] = (min_side, limits, duplicates)


def apply(rows: Rows, params: CurateParams) -> dict[str, Drop]:
    """Key -> why it is dropped, by the first rule that drops it. What a rule dropped is not shown to later ones."""
    dropped: dict[str, Drop] = {}
    for rule in RULES:
        remaining = rows.table[~rows.table["key"].isin(dropped.keys())]
        if not remaining.empty:
            dropped |= rule(Rows(remaining, rows.field), params)
    return dropped


def columns(params: CurateParams, field: str) -> list[str]:
    """The manifest columns that the rules read under these params."""
    named = dict.fromkeys([*params.limits, *(m for bands in params.devices.values() for m in bands)])
    has = [f"has_{name}" for name in named if name in ALLOWED_NUMBERS]
    return list(dict.fromkeys(["key", "sequence", "width", "height", "device", f"{field}_pixels_sha256", *named, *has]))


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
