"""Distances of every set to the real captures, between a floor and a ceiling."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dbgan.evaluate.audit import distance
from dbgan.evaluate.audit.boxes import CONTENT
from dbgan.evaluate.audit.crops import CropSet
from dbgan.evaluate.audit.distance import Interval
from dbgan.evaluate.audit.measures import LEAD, MEASURES

FLOOR = "floor"
CEILING = "sharp"
"""The set without any blur: what is as far away as this has learned nothing of blur."""

MIN_TOLD = 8
"""Pictures of a set in which straight motion must have been told, or its length and direction are not compared."""

WIDE_GAP = 0.5
"""Content further apart than this, in standard deviations of the real crops', is a difference."""

Distances = Mapping[str, Mapping[str, Interval]]
"""Set (and `floor`) -> measure -> distance to the real captures."""


def distances(crops: Mapping[str, CropSet], seed: int) -> dict[str, dict[str, Interval]]:
    """Distances of all sets to `real`; `floor`: real captures against other real captures, where there are four."""
    result: dict[str, dict[str, Interval]] = {}
    for measure, how in MEASURES.items():
        real = crops["real"].values(measure)
        if not how.of_crops and len(real) < MIN_TOLD:
            continue
        for name, own in crops.items():
            values = own.values(measure)
            if name != "real" and (how.of_crops or len(values) >= MIN_TOLD):
                found = distance.distance_interval(values, real, seed, f"{name} {measure}", how.statistic)
                result.setdefault(name, {})[measure] = found
        lowest = distance.floor(real, seed, how.statistic, crops["real"].groups(measure))
        if lowest is not None:
            result.setdefault(FLOOR, {})[measure] = lowest
    return result


def differences(crops: Mapping[str, CropSet], seed: int) -> dict[str, Interval]:
    """Set -> median edge extent minus that of the real captures, px."""
    real = crops["real"].values(LEAD)
    return {
        name: distance.interval(distance.median_difference, own.values(LEAD), real, seed, f"median {name}")
        for name, own in crops.items()
        if name != "real"
    }


def content_gaps(crops: Mapping[str, CropSet], seed: int) -> dict[str, dict[str, Interval]]:
    """Set (and `floor`) -> structure and brightness -> distance to the real crops', in standard deviations of theirs.

    What is left of a difference in content after crops were chosen to be alike. The floor is that of real captures
    against other real captures, whose scenes differ as well.
    """
    real = crops["real"]
    scale = np.maximum(real.content.std(axis=0), 1e-3)
    found: dict[str, dict[str, Interval]] = {}
    for column, what in enumerate(CONTENT):
        values = {name: [shot.content[:, column] / scale[column] for shot in own.shots] for name, own in crops.items()}
        for name, own in values.items():
            if name != "real":
                gap = distance.distance_interval(own, values["real"], seed, f"content {name} {what}")
                found.setdefault(name, {})[what] = gap
        groups = [shot.group for shot in real.shots]
        lowest = distance.floor(values["real"], seed, groups=groups)
        if lowest is not None:
            found.setdefault(FLOOR, {})[what] = lowest
    return found


def content_apart(gaps: Mapping[str, Mapping[str, Interval]], name: str) -> dict[str, float]:
    """By what a set's content surely differs from that of the real captures, and how far.

    More than `WIDE_GAP`, and by more than real captures differ from other real captures.
    """
    lowest = gaps.get(FLOOR, {})
    return {
        what: own.value
        for what, own in gaps[name].items()
        if own.value > WIDE_GAP and own.low > (lowest[what].high if what in lowest else 0.0)
    }


def told_apart(found: Distances, name: str) -> list[str]:
    """Measures by which a set differs from the real captures more than other real captures do.

    Its interval lies above the floor's. Without a floor (too few captures) nothing is told apart.
    """
    lowest = found.get(FLOOR, {})
    return [m for m, own in found.get(name, {}).items() if m in lowest and own.low > lowest[m].high]


def relative(found: Distances) -> dict[str, dict[str, Interval]]:
    """Distances as shares of the ceiling's: 0 is the same as the real captures, 1 as far away as sharp frames.

    A measure by which sharp frames are no further from the real captures than other real captures are says nothing
    about blur, and is left out.
    """
    ceiling, lowest = found[CEILING], found.get(FLOOR, {})
    useful = [m for m, own in ceiling.items() if own.value > max(1e-9, lowest[m].value if m in lowest else 0.0)]
    return {
        name: {
            m: Interval(*(end / ceiling[m].value for end in (own[m].value, own[m].low, own[m].high)))
            for m in useful
            if m in own
        }
        for name, own in found.items()
        if name != CEILING
    }
