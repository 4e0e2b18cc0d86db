"""What an audit's numbers mean, in words. Pure functions over its numbers; the edge extent leads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dbgan.evaluate.audit.compare import CEILING, FLOOR, Distances, told_apart
from dbgan.evaluate.audit.distance import Interval
from dbgan.evaluate.audit.diversity import Diversity
from dbgan.evaluate.audit.measures import LEAD, MEASURES
from dbgan.evaluate.audit.usefulness import Usefulness
from dbgan.image.quality import IDENTITY_DB

FEW_PICTURES = 30
"""Below this many pictures of a set the intervals say more than the numbers, and a network learns them by heart."""

SURELY_TOLD = 0.9
"""AUC from which on a classifier tells nearly every picture."""

BESIDE = {
    "floor": "real captures from others",
    "pairs": "the paired sources' own blur",
    "kernel": "random kernels",
    "sharp": "sharp frames",
}
"""What a number is put beside, in the order in which it is said."""

SHIFTED_PX = 1.0
"""Half of GOPRO's and REDS' pairs lie closer together than this."""

DRIFTED_LEVELS = 6.0
"""Averaging light moves stored values by 2 to 3 levels where highlights spread."""

LITTLE_SHARE = 0.02
"""Share of z in the variance under which variants of a frame are much alike."""

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
        classifier: set (and `floor`) -> area under the ROC curve of a classifier that tells it from real captures.
        chance: the AUC up to which equal sets come by chance, with so many pictures.
        kid: set (and `floor`) -> kernel distance of features to the real captures.
        diversity: what z changes; None with one variant per frame.
        repeated_z: pairs whose z another pair has as well, and pairs with a z.
        usefulness: what a small network learns from it; None where that is off.
        alignment, drift: set of pairs -> see `numbers.alignment` and `numbers.drift`.
        pictures: set -> pictures that were measured.
    """

    blur: str
    medians: Mapping[str, float]
    differences: Mapping[str, Interval]
    distances: Distances
    psnr: Mapping[str, float]
    classifier: Mapping[str, Interval]
    chance: float
    kid: Mapping[str, Interval]
    diversity: Diversity | None
    repeated_z: tuple[int, int]
    usefulness: Usefulness | None
    alignment: Mapping[str, Mapping[str, float]]
    drift: Mapping[str, Mapping[str, float]]
    pictures: Mapping[str, int]


def sentences(facts: Facts) -> list[str]:
    """The verdict, the most important sentence first."""
    said = [*_strength(facts), *_usefulness(facts), *_way(facts), _distance(facts)]
    said += [*_measures(facts), *_classifier(facts), *_kid(facts)]
    if "pairs" in facts.medians:
        said.append(_pairs(facts))
    said.append(_psnr(facts))
    said += [*_diversity(facts), *_agreement(facts)]
    return said


def _strength(facts: Facts) -> list[str]:
    """The headline, and how sure it is."""
    found, medians = facts.differences["synthetic"], facts.medians
    word = "weaker than" if found.high < 0 else "stronger than" if found.low > 0 else "not told apart in strength from"
    return [
        f"{capital(facts.blur)} blur is {word} that of the real captures: median edge extent "
        f"{medians['synthetic']:.2f} px against {medians['real']:.2f} px.",
        f"The medians differ by {found.value:+.2f} px (95 % interval {found.low:+.2f} to {found.high:+.2f} px).",
    ]


def _usefulness(facts: Facts) -> list[str]:
    found = facts.usefulness
    if found is None:
        return []
    own = {
        name: f"{sum(gain.gains) / len(gain.gains):+.2f} dB ({gain.pictures} pictures)"
        for name, gain in found.gains.items()
    }
    ends = found.gains["synthetic"].gains
    beside = [f"{own[name]} from {BESIDE[name]}" for name in ("pairs", "kernel") if name in own]
    return [
        f"A small network that learned from it changes {found.images} real test pairs by {own['synthetic']} against "
        f"their blurry input (seeds {min(ends):+.2f} to {max(ends):+.2f}); with the same budget by "
        f"{' and '.join(beside)}."
    ]


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
            f"No distance ({len(compared)} measures) lies surely above what separates real captures from other real "
            "captures."
        ]
    named = [
        f"{MEASURES[m].words} ({facts.distances['synthetic'][m].value:.2g} {MEASURES[m].unit} against "
        f"{lowest[m].value:.2g})"
        for m in apart
    ]
    return [
        f"It differs from real captures more than these do from other real captures by {len(apart)} of "
        f"{len(compared)} measures: {', '.join(named)}."
    ]


def _classifier(facts: Facts) -> list[str]:
    found = facts.classifier.get("synthetic")
    if found is None:
        return []
    said = (
        "tells them from real captures no better than chance"
        if found.low <= 0.5 or found.value <= facts.chance
        else "tells some of them from real captures"
        if found.value < SURELY_TOLD
        else "tells nearly all of them from real captures"
    )
    beside = [
        f"{words} {own.value:.2f}" + (f" ({own.low:.2f} to {own.high:.2f})" if name == FLOOR else "")
        for name, words in BESIDE.items()
        if (own := facts.classifier.get(name))
    ]
    return [
        f"A small classifier that saw other sequences {said}: AUC {found.value:.2f} ({found.low:.2f} to "
        f"{found.high:.2f}), where 0.5 is perfect; {', '.join(beside)}. With so many pictures an AUC up to "
        f"{facts.chance:.2f} may be chance: smaller differences it cannot see."
    ]


def _kid(facts: Facts) -> list[str]:
    found = facts.kid.get("synthetic")
    if found is None:
        return []
    beside = [f"{words} {facts.kid[n].value:.2g}" for n, words in BESIDE.items() if n in facts.kid]
    return [f"By features (KID) they are {found.value:.2g} from real captures ({', '.join(beside)})."]


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


def _diversity(facts: Facts) -> list[str]:
    found = facts.diversity
    if found is None:
        return []
    said = f"Another z for the same frame changes a pixel by {255 * found.z_sensitivity:.2g} of 255 levels on average"
    if found.extent_spread_px is not None:
        said += f" and the edge extent by {found.extent_spread_px:.2g} px (standard deviation)"
    if found.z_share is not None:
        said += f": {100 * found.z_share:.0f} % of the variance of the edge extent is z's, the rest is the frame's"
    return [said + "."]


def _agreement(facts: Facts) -> list[str]:
    if "synthetic" not in facts.alignment:
        return []
    shift, drift = facts.alignment["synthetic"]["p50_px"], facts.drift["synthetic"]["levels"]
    said = f"Blurry and sharp halves are {shift:.2f} px and {drift:.1f} of 255 levels of low-pass content apart"
    if "pairs" in facts.alignment:
        said += f" (the paired sources {facts.alignment['pairs']['p50_px']:.2f} px, "
        said += f"{facts.drift['pairs']['levels']:.1f} levels)"
    return [said + "."]


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
    found += _z_warnings(facts)
    shift, drift = (of.get("synthetic", {}) for of in (facts.alignment, facts.drift))
    if shift.get("p50_px", 0.0) > SHIFTED_PX:
        found.append(
            f"Half of the pairs are shifted by more than {shift['p50_px']:.2f} px (on average "
            f"{shift['right_px']:+.2f} px right, {shift['down_px']:+.2f} px down): they teach a network ghosts."
        )
    if drift.get("levels", 0.0) > DRIFTED_LEVELS:
        channels = ", ".join(f"{name} {drift[name]:+.1f}" for name in ("red", "green", "blue"))
        found.append(
            f"Blurry halves differ from sharp ones by {drift['levels']:.1f} of 255 levels where blur changes little "
            f"({channels} on average): this is another picture, and not only a blurred one."
        )
    return found + _few(facts)


def _few(facts: Facts) -> list[str]:
    """Sets of so few pictures that their numbers are those of a few scenes."""
    real, pairs = (facts.pictures.get(name, FEW_PICTURES) for name in ("real", "pairs"))
    found = []
    if real < FEW_PICTURES:
        found.append(
            f"Only {real} real captures were compared: the intervals are wide, and another few photographs may change "
            "the verdict."
        )
    if pairs < FEW_PICTURES:
        found.append(
            f"Only {pairs} pictures of the paired sources were compared: their distances are those of a few scenes, "
            "and say little of their kind of blur."
        )
    learned = facts.usefulness.gains if facts.usefulness is not None else {}
    words = {"synthetic": f"sharp frames under {facts.blur} blur", "pairs": "of the paired sources"}
    few = [
        f"{learned[name].pictures} {of}"
        for name, of in words.items()
        if name in learned and learned[name].pictures < FEW_PICTURES
    ]
    if few:
        found.append(
            f"Usefulness: a small network learned from few pictures ({', '.join(few)}). It may know them by heart, and "
            "gain less than the same blur would give on more scenes."
        )
    return found


def _z_warnings(facts: Facts) -> list[str]:
    found = []
    repeated, told = facts.repeated_z
    if repeated:
        found.append(
            f"{repeated} of {told} pairs were made with a z that another pair has as well: draw z anew for each."
        )
    if facts.diversity is not None and facts.diversity.z_sensitivity < INVISIBLE:
        found.append("The noise z has no visible effect: every variant of a frame is the same picture.")
    elif facts.diversity is not None and facts.diversity.z_share is not None and facts.diversity.z_share < LITTLE_SHARE:
        found.append(
            f"z hardly decides how strong the blur is: {100 * facts.diversity.z_share:.1f} % of the variance of the "
            "edge extent. The frame decides, and variants of it repeat each other."
        )
    return found


def capital(text: str) -> str:
    """`text` with a capital first letter, the rest left as it is."""
    return text[:1].upper() + text[1:]
