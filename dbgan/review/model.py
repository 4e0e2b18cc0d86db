"""What the page shows and changes, without the page: measures, order, filters, limits, decisions and undo."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dbgan.review.decisions import Decision, read_decisions, write_decisions

STEPS = 200
"""Positions of a slider between the lowest and the highest value of its measure."""
BINS = 50
"""Bars of a histogram; each spans `STEPS / BINS` positions."""
ALL = ""
"""The filter that lets everything through."""
FIRST = ("edge_extent_px", "sharpness", "tenengrad", "motion_px", "noise_sigma")
"""Measures of a picture whose limits are looked at most, best first."""
BY_HAND_KEPT, BY_HAND_DROPPED, UNDECIDED, KEPT, BEYOND = (
    "kept by hand",
    "dropped by hand",
    "not looked at",
    "kept by the rules",
    "beyond the limits shown",
)


@dataclass(frozen=True, slots=True)
class Table:
    """The samples of a corpus, sorted by key, as columns of one length.

    Attributes:
        keys, sequences, devices: texts; an unknown device is "unknown".
        measures: name -> float64, NaN where a sample has no value.
        rules: which rule of the last curation drops the sample; empty where it is kept or was not curated.
        reasons: the same as a sentence.
        curated: whether there was a curation to read.
    """

    keys: NDArray[np.str_]
    sequences: NDArray[np.str_]
    devices: NDArray[np.str_]
    measures: Mapping[str, NDArray[np.float64]]
    rules: NDArray[np.str_]
    reasons: NDArray[np.str_]
    curated: bool = False

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True, slots=True)
class Band:
    """A closed band of values; None leaves that side open."""

    low: float | None = None
    high: float | None = None

    @property
    def open(self) -> bool:
        """Whether it drops nothing."""
        return self.low is None and self.high is None


@dataclass(frozen=True, slots=True)
class View:
    """What is shown: filters (`ALL`: everything), order, place. `cursor` is a place in the shown order."""

    device: str = ALL
    sequence: str = ALL
    reason: str = ALL
    sort: str = "key"
    descending: bool = False
    cursor: int = 0


@dataclass(frozen=True, slots=True)
class Axis:
    """Slider positions 0 to `STEPS` over a measure's values: evenly spaced, or evenly in the logarithm.

    A measure such as the clipped share spans decades, and on an even axis all pictures would be in one bar.
    """

    low: float
    high: float
    logarithmic: bool

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Axis:
        """The axis from the lowest to the highest of finite `values`; logarithmic where the highest is 20 medians.

        A logarithmic axis begins at the lowest value over zero, at most six decades below the highest: zeros, such as
        the sharpness of a plane, are in its first bar.
        """
        known = values[np.isfinite(values)]
        if known.size == 0:
            return cls(0.0, 1.0, False)
        low, high = float(known.min()), float(known.max())
        if low == high:
            return cls(low, low + max(1e-9, abs(low) * 1e-3), False)
        if low < 0 or high <= 20 * float(np.median(known)):
            return cls(low, high, False)
        start = max(float(known[known > 0].min()), 1e-6 * high)
        return cls(start, high, True) if start < high else cls(low, high, False)

    def value(self, step: int) -> float:
        """The value at a position, to 4 significant digits, so that what people read is what is compared."""
        share = step / STEPS
        if self.logarithmic:
            exact = self.low * (self.high / self.low) ** share
        else:
            exact = self.low + (self.high - self.low) * share
        return float(f"{exact:.4g}")

    def positions(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values in units of positions, not rounded."""
        if self.logarithmic:
            share = np.log(np.maximum(values, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = (values - self.low) / (self.high - self.low)
        return np.asarray(share * STEPS)

    def step(self, value: float) -> int:
        """The nearest position of a value."""
        return int(np.clip(np.rint(self.positions(np.array([value]))[0]), 0, STEPS))

    def band(self, low: int, high: int) -> Band:
        """The band between two positions; a slider at its end leaves that side open."""
        return Band(self.value(low) if low > 0 else None, self.value(high) if high < STEPS else None)

    def counts(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """How many values are in each of `BINS` bars."""
        known = self.positions(values[np.isfinite(values)])
        return np.bincount(np.clip(known * BINS / STEPS, 0, BINS - 1).astype(np.int64), minlength=BINS)


def beyond(values: NDArray[np.float64], band: Band) -> NDArray[np.bool_]:
    """Which values a band drops. A missing value (NaN) is not judged, as in curate."""
    out = np.zeros(len(values), dtype=bool)
    if band.low is not None:
        out |= values < band.low
    if band.high is not None:
        out |= values > band.high
    return out


@dataclass
class Review:
    """The state of one review: a table, the decisions on disk, the limits tried, the view, and what can be undone.

    The file is the truth: every change reads it again, changes only its own keys and writes it, so that two reviews or
    a `git pull` beside this one lose nothing.

    Attributes:
        limits: device (`ALL`: every device) -> measure -> band. A device's own band replaces the one for all.
        decided: key -> the decision in the file.
        pending: key -> a note on a sample that nobody decided on yet; the next decision takes it along.
    """

    table: Table
    path: Path
    limits: dict[str, dict[str, Band]] = field(default_factory=dict)
    view: View = field(default_factory=View)
    decided: dict[str, Decision] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    _undo: list[dict[str, Decision | None]] = field(default_factory=list, repr=False)
    _saved: dict[str, dict[str, Band]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.decided = read_decisions(self.path)
        self.limits_are_saved()

    # Decisions

    def decide(self, keys: Iterable[str], decision: str, note: str = "") -> None:
        """Keep or drop samples; one call is one step of undo. The note of an earlier decision stays if none is given.

        Raises:
            DbganError: the file was damaged meanwhile, or cannot be written.
        """
        on_disk = read_decisions(self.path)
        before = {key: on_disk.get(key) for key in keys}
        after = {
            key: Decision(decision, note or self.pending.get(key) or (old.note if old else ""))
            for key, old in before.items()
        }
        self._store(on_disk, after)
        for key in after:
            self.pending.pop(key, None)
        self._undo.append(before)

    def note(self, key: str, text: str) -> None:
        """Write the note of a decided sample, one step of undo; of any other it waits for the decision.

        Raises:
            DbganError: as `decide`.
        """
        on_disk, text = read_decisions(self.path), text.strip()
        old = on_disk.get(key)
        if old is None:
            self.pending[key] = text
        elif old.note != text:
            self._store(on_disk, {key: Decision(old.decision, text)})
            self._undo.append({key: old})

    def note_of(self, key: str) -> str:
        """The note of a sample, written or waiting."""
        decision = self.decided.get(key)
        return decision.note if decision else self.pending.get(key, "")

    def undo(self) -> list[str]:
        """Take the last step back. Returns the keys it was about; empty where nothing is left to undo."""
        if not self._undo:
            return []
        before = self._undo[-1]
        self._store(read_decisions(self.path), before)
        self._undo.pop()
        return list(before)

    def _store(self, on_disk: dict[str, Decision], change: Mapping[str, Decision | None]) -> None:
        merged = {k: d for k, d in {**on_disk, **change}.items() if d is not None}
        write_decisions(self.path, merged)
        self.decided = merged

    # Limits

    def band(self, measure: str, device: str) -> Band:
        """The band of a measure for a device: its own, else the one for every device."""
        own = self.limits.get(device, {})
        return own.get(measure, self.limits.get(ALL, {}).get(measure, Band()))

    def set_band(self, measure: str, band: Band) -> None:
        """Try another band for the device that is shown (all are shown: for every device without its own)."""
        self.limits.setdefault(self.view.device, {})[measure] = band

    def moved_limits(self) -> dict[str, dict[str, Band]]:
        """The bands that differ from those the review began with or saved last, by device and measure."""
        moved: dict[str, dict[str, Band]] = {}
        for device, bands in self.limits.items():
            # A device's first own band says something even where it is open: it lifts the limit that all others have.
            unset = Band() if device == ALL else None
            saved = self._saved.get(device, {})
            if changed := {m: band for m, band in bands.items() if saved.get(m, unset) != band}:
                moved[device] = changed
        return moved

    def worth_a_limit(self) -> list[str]:
        """Measures that differ between samples, or that have a limit; those that tell blur first (docs/measures.md)."""
        limited = {measure for bands in self.limits.values() for measure in bands}
        names = [
            name
            for name, values in self.table.measures.items()
            if name in limited or np.unique(values[np.isfinite(values)]).size > 1
        ]
        ranks = {name: rank for rank, name in enumerate(FIRST)}
        return sorted(names, key=lambda name: ranks.get(name.partition("_")[2], len(ranks)))

    def limits_are_saved(self) -> None:
        """The bands of now are those of params.yaml."""
        self._saved = {device: dict(bands) for device, bands in self.limits.items()}

    def dropped_by(self, measure: str) -> NDArray[np.bool_]:
        """Which samples the limits on one measure drop, each by its device's band."""
        values, out = self.table.measures[measure], np.zeros(len(self.table), dtype=bool)
        for device in np.unique(self.table.devices):
            own = self.table.devices == device
            out[own] = beyond(values[own], self.band(measure, str(device)))
        return out

    def dropped_by_limits(self) -> NDArray[np.bool_]:
        """Which samples any limit drops."""
        measures = {m for bands in self.limits.values() for m in bands if m in self.table.measures}
        dropped = [self.dropped_by(measure) for measure in sorted(measures)]
        return np.logical_or.reduce(dropped) if dropped else np.zeros(len(self.table), dtype=bool)

    # View

    def look(self, **changes: str | bool) -> None:
        """Change the view and go to its start."""
        self.view = replace(self.view, cursor=0, **changes)  # type: ignore[arg-type]

    def move(self, cursor: int, shown: int) -> None:
        """Put the cursor on a place of the `shown` samples; beyond the ends it stays at the end."""
        self.view = replace(self.view, cursor=max(0, min(cursor, shown - 1)))

    def in_scope(self) -> NDArray[np.bool_]:
        """Samples of the device and sequence looked at: those that histograms are about."""
        scope = np.ones(len(self.table), dtype=bool)
        if self.view.device:
            scope &= self.table.devices == self.view.device
        if self.view.sequence:
            scope &= self.table.sequences == self.view.sequence
        return scope

    def by_hand(self) -> NDArray[np.str_]:
        """For every sample `keep`, `drop` or an empty text."""
        return np.array([d.decision if (d := self.decided.get(key)) else "" for key in self.table.keys.tolist()])

    def shown(self) -> NDArray[np.int64]:
        """Rows of the table in the order of the view. Samples without a value come last, equal ones by key."""
        rows = np.flatnonzero(self.in_scope() & self._of_reason(self.view.reason))
        if self.view.sort == "key":
            return rows[::-1] if self.view.descending else rows
        values = self.table.measures[self.view.sort][rows]
        order = np.argsort(-values if self.view.descending else values, kind="stable")  # NaN sorts last both ways
        return np.asarray(rows[order], dtype=np.int64)

    def _of_reason(self, reason: str) -> NDArray[np.bool_]:
        if reason == ALL:
            return np.ones(len(self.table), dtype=bool)
        if reason == BEYOND:
            return self.dropped_by_limits()
        hand = self.by_hand()
        by_hand = {BY_HAND_KEPT: hand == "keep", BY_HAND_DROPPED: hand == "drop", UNDECIDED: hand == ""}
        if reason in by_hand:
            return np.asarray(by_hand[reason], dtype=bool)
        return np.asarray(self.table.rules == ("" if reason == KEPT else reason), dtype=bool)

    def reasons(self) -> dict[str, int]:
        """What can be filtered by, and how many samples of the device and sequence looked at it lets through."""
        names = [UNDECIDED, BY_HAND_DROPPED, BY_HAND_KEPT, BEYOND]
        if self.table.curated:
            names += [KEPT, *sorted({rule for rule in self.table.rules.tolist() if rule})]
        scope = self.in_scope()
        return {name: int((scope & self._of_reason(name)).sum()) for name in names}

    def counts(self) -> Counter[str]:
        """How many samples of this corpus were kept and dropped by hand, and how many nobody decided on (empty)."""
        return Counter(self.by_hand().tolist())
