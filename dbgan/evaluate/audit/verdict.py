"""What an audit's numbers mean, in words. Pure functions over its numbers; the edge extent leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dbgan.evaluate.audit.compare import CEILING, FLOOR, Distances, told_apart
from dbgan.evaluate.audit.distance import Interval
from dbgan.evaluate.audit.measures import LEAD, MEASURES
from dbgan.image.quality import IDENTITY_DB

FEW_PICTURES = 30
"""Below this many real captures the intervals say more than the numbers."""

INVISIBLE = 0.5 / 255
"""A mean change under half an 8-bit level cannot be seen."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Numbers of one audit.

    Attributes:
        blur: name of the synthetic blur in sentences.
        medians: set -> median edge extent, px.
        differences: set -> median minus that of the real captures, px.
        distances: set (and `floor`) -> measure -> distance to the real captures.
        psnr: synthetic and pairs -> mean PSNR(blurry, sharp), dB.
        z_sensitivity: mean change in [0, 1] under another z; None with one variant per frame.
        real_pictures: real captures that were measured.
    """

    blur: str
    medians: Mapping[str, float]
    differences: Mapping[str, Interval]
    distances: Distances
    psnr: Mapping[str, float]
    z_sensitivity: float | None
    real_pictures: int


def sentences(facts: Facts) -> list[str]:
    """The verdict, the most important sentence first."""
    said = [_strength(facts), *_way(facts), _distance(facts), *_measures(facts)]
    if "pairs" in facts.medians:
        said.append(_pairs(facts))
    said.append(_psnr(facts))
    if facts.z_sensitivity is not None:
        levels = 255 * facts.z_sensitivity
        said.append(f"Another z for the same frame changes a pixel by {levels:.2g} of 255 levels on average.")
    return said


def _strength(facts: Facts) -> str:
    found, medians = facts.differences["synthetic"], facts.medians
    word = "weaker than" if found.high < 0 else "stronger than" if found.low > 0 else "not told apart in strength from"
    return (
        f"{capital(facts.blur)} blur is {word} that of the real captures: median edge extent "
        f"{medians['synthetic']:.2f} px against {medians['real']:.2f} px "
        f"(95 % interval of the difference {found.low:+.2f} to {found.high:+.2f} px)."
    )


def _way(facts: Facts) -> list[str]:
    """How much of the way from sharp to real the blur covers, where real captures are clearly blurrier than sharp."""
    medians = facts.medians
    if facts.differences["sharp"].high >= 0:
        return []
    share = 100 * (medians["synthetic"] - medians["sharp"]) / (medians["real"] - medians["sharp"])
    return [
        f"It covers {share:.0f} % of the way from the sharp frames ({medians['sharp']:.2f} px) to the real captures."
    ]


def _distance(facts: Facts) -> str:
    synthetic, sharp = facts.distances["synthetic"][LEAD], facts.distances[CEILING][LEAD]
    floor = facts.distances.get(FLOOR, {}).get(LEAD)
    lowest = f"two halves of the real captures are {floor.value:.2f} px apart, and " if floor else ""
    return (
        f"Over the whole distribution it is {synthetic.value:.2f} px from the real captures (Wasserstein distance, "
        f"95 % interval {synthetic.low:.2f} to {synthetic.high:.2f}); {lowest}the sharp frames are "
        f"{sharp.value:.2f} px from them."
    )


def _measures(facts: Facts) -> list[str]:
    """By which measures it differs more than real captures differ from other real captures."""
    lowest = facts.distances.get(FLOOR, {})
    if not lowest:
        return []
    apart = told_apart(facts.distances, "synthetic")
    compared = [m for m in facts.distances["synthetic"] if m in lowest]
    if not apart:
        return [
            f"By none of {len(compared)} measures is it further from the real captures than these are from each other."
        ]
    named = [
        f"{MEASURES[m].words} ({facts.distances['synthetic'][m].value:.2g} {MEASURES[m].unit} against "
        f"{lowest[m].value:.2g})"
        for m in apart
    ]
    return [
        f"It is further from the real captures than these are from each other by {len(apart)} of {len(compared)} "
        f"measures: {', '.join(named)}."
    ]


def _pairs(facts: Facts) -> str:
    synthetic, pairs = facts.distances["synthetic"][LEAD], facts.distances["pairs"][LEAD]
    overlap = synthetic.low <= pairs.high and pairs.low <= synthetic.high
    word = "closer to" if pairs.value < synthetic.value else "farther from"
    median = facts.medians["pairs"]
    said = f"The paired sources' own blur (median {median:.2f} px) is {word} the real captures: {pairs.value:.2f} px"
    return said + (" (a difference within the uncertainty)." if overlap else ".")


def _psnr(facts: Facts) -> str:
    said = f"Blurry against sharp, {facts.blur} pairs have a mean PSNR of {facts.psnr['synthetic']:.1f} dB"
    return said + (f", the paired sources {facts.psnr['pairs']:.1f} dB." if "pairs" in facts.psnr else ".")


def warnings(facts: Facts) -> list[str]:
    """What must not be overlooked."""
    found = []
    if facts.psnr["synthetic"] > IDENTITY_DB:
        found.append(
            f"Identity alarm: {facts.blur} pictures are {facts.psnr['synthetic']:.1f} dB from their sharp input, over "
            f"{IDENTITY_DB:.0f} dB: this is hardly a blur (averaged GOPRO pairs have 24 to 25 dB)."
        )
    if facts.differences["sharp"].high >= 0:
        found.append(
            "The real captures are not clearly blurrier than the sharp frames by the edge extent, so the strength of "
            "the blur cannot be judged against them. Look at real.png: are they blurred, and of a comparable size?"
        )
    if facts.z_sensitivity is not None and facts.z_sensitivity < INVISIBLE:
        found.append("The noise z has no visible effect: every variant of a frame is the same picture.")
    if facts.real_pictures < FEW_PICTURES:
        found.append(
            f"Only {facts.real_pictures} real captures were compared: the intervals are wide, and another few "
            "photographs may change the verdict."
        )
    return found


def capital(text: str) -> str:
    """`text` with a capital first letter, the rest left as it is."""
    return text[:1].upper() + text[1:]
