"""What is measured of every crop, and how two sets of it are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dbgan.evaluate.audit import distance, strength, texture
from dbgan.evaluate.audit.boxes import luma
from dbgan.image.quality import luma as grey
from dbgan.image.quality.motion import motion

Statistic = Callable[[distance.Values, distance.Values], float]


@dataclass(frozen=True, slots=True)
class Measure:
    """One way in which two sets can differ.

    Attributes:
        words: its name in a sentence.
        unit: of its distance.
        axis: label of a plot.
        statistic: distance between two sets.
        of_crops: whether it is taken of crops, and must be known of each; otherwise of whole pictures, where it can
            be told.
    """

    words: str
    unit: str
    axis: str
    statistic: Statistic = distance.wasserstein
    of_crops: bool = True


LEAD = "edge_extent_px"
"""Leads every verdict: it has a unit that people know."""

MEASURES: dict[str, Measure] = {
    LEAD: Measure("edge extent", "px", "edge extent, px (higher: more blur)"),
    "log_sharpness": Measure("sharpness", "decades", "log sharpness (lower: more blur)"),
    "log_kurtosis": Measure("gradient kurtosis", "decades", "log kurtosis of gradients (lower: more blur)"),
    "smear_deg": Measure("direction of smear", "degrees", "direction of smear, degrees", distance.circular),
    "spectrum_db": Measure("power spectrum", "dB", "power against the lowest band, dB", distance.banded),
    "motion_px": Measure("length of straight motion", "px", "straight motion, px", of_crops=False),
    "motion_deg": Measure(
        "direction of straight motion", "degrees", "direction of motion, degrees", distance.circular, of_crops=False
    ),
}

STRENGTH: tuple[str, ...] = (LEAD, "log_sharpness")
"""Measures of how strong blur is; they are shown as distributions."""

STRONGER_IS: dict[str, int] = {LEAD: 1, "log_sharpness": -1, "log_kurtosis": -1}
"""Sign of a measure's change when blur grows."""


def of_crop(crop: NDArray[np.uint8]) -> dict[str, float | NDArray[np.float64]] | None:
    """The crop measures of an HWC uint8 RGB crop, or None where it holds too few edges to tell."""
    y = luma(crop)
    found: dict[str, float | NDArray[np.float64] | None] = {
        LEAD: strength.edge_extent(y),
        "log_sharpness": strength.log_sharpness(y),
        "log_kurtosis": texture.log_kurtosis(y),
        "smear_deg": texture.smear_deg(y),
        "spectrum_db": texture.spectrum_db(y),
    }
    told = {name: value for name, value in found.items() if value is not None}
    return told if len(told) == len(found) else None


def of_picture(picture: NDArray[np.uint8]) -> dict[str, float]:
    """Length and direction of straight motion in HWC uint8 RGB; empty where there is none (see docs/measures.md)."""
    length, direction, _ = motion(grey(picture))
    return {} if length is None or direction is None else {"motion_px": length, "motion_deg": direction}
