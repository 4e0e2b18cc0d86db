"""What the noise z changes: spread over the variants of one frame, against the spread over frames."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dbgan import seeds
from dbgan.corpus import Corpus
from dbgan.evaluate.audit import boxes, features
from dbgan.evaluate.audit.sets import by_hash, variants_of
from dbgan.evaluate.audit.strength import edge_extent
from dbgan.networks.features import PerceptualFeatures
from dbgan.params import AuditParams

FRAMES = 24
"""Sharp frames on which the effect of z is measured."""
VARIANTS = 4
"""Of each, at most."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """What z changes.

    Attributes:
        frames: sharp frames with two variants or more that were looked at.
        z_sensitivity: mean |variant_i - variant_j| in [0, 1] over pixels, neighbouring variants of one frame: mean
            |G(x, z1) - G(x, z2)| as a pair on disk shows it.
        feature_distance: between neighbouring variants, see `features.distance`.
        to_sharp: the same between variants and their sharp frame.
        extent_spread_px: standard deviation of the edge extent over the variants of a frame, root mean square, px.
        z_share: share of z in the variance of the edge extent; None where it cannot be told.
    """

    frames: int
    z_sensitivity: float
    feature_distance: float
    to_sharp: float
    extent_spread_px: float | None
    z_share: float | None


def diversity(corpus: Corpus, net: PerceptualFeatures, params: AuditParams) -> Diversity | None:
    """Compare the variants of up to `FRAMES` frames on one crop each; None where no frame has two variants."""
    groups = {frame: keys for frame, keys in variants_of(corpus).items() if len(keys) > 1}
    changes: list[float] = []
    between: list[float] = []
    to_sharp: list[float] = []
    extents: list[list[float]] = []
    for frame in by_hash(list(groups), FRAMES):
        samples = [corpus[key].images for key in groups[frame][:VARIANTS]]
        blurred, sharp = [images["blur"] for images in samples], samples[0]["sharp"]
        changes += [_change(a, b) for a, b in itertools.pairwise(blurred)]
        rng = seeds.generator(params.seed, "audit", frame)
        where = boxes.crop_boxes(boxes.luma(sharp), min(params.crop, *sharp.shape[:2]), params.crops_per_image, rng)
        side = min(params.crop, *sharp.shape[:2])
        cut = [[picture[t : t + side, x : x + side] for t, x in where] for picture in (sharp, *blurred)]
        first = [crops[0] for crops in cut]
        between += features.distance(net, first[1:-1], first[2:])
        to_sharp += features.distance(net, [first[0]] * len(blurred), first[1:])
        told = [_extent(crops) for crops in cut[1:]]
        extents += [[extent for extent in told if extent is not None]]
    if not changes:
        return None
    spread, share = components([own for own in extents if len(own) > 1])
    return Diversity(
        len(extents), float(np.mean(changes)), float(np.mean(between)), float(np.mean(to_sharp)), spread, share
    )


def components(groups: Sequence[Sequence[float]]) -> tuple[float | None, float | None]:
    """Spread within groups, and its share of all variance: random effects, one way (Searle et al. 1992, section 3.6).

    The variance within is MSW, that between max(0, (MSB - MSW) / n0), n0 = (N - sum n_i^2 / N) / (groups - 1).

    Args:
        groups: values of each group, two or more.

    Returns:
        sqrt(MSW) and MSW / (MSW + between); None and None without groups, no share with one group or no variance.
    """
    if not groups:
        return None, None
    counts = np.array([len(own) for own in groups])
    means = np.array([np.mean(own) for own in groups])
    total = int(counts.sum())
    within = float(sum(np.sum((np.asarray(own) - np.mean(own)) ** 2) for own in groups)) / (total - len(groups))
    if len(groups) < 2:
        return float(np.sqrt(within)), None
    grand = float(counts @ means) / total
    across = float(counts @ (means - grand) ** 2) / (len(groups) - 1)
    each = (total - float(counts @ counts) / total) / (len(groups) - 1)
    between = max(0.0, (across - within) / each)
    everything = within + between
    return float(np.sqrt(within)), within / everything if everything > 0 else None


def repeated_z(corpus: Corpus) -> tuple[int, int]:
    """Pairs made with a z that another pair has as well, and pairs with a z at all (from the manifest)."""
    noises = [tuple(np.asarray(noise).tolist()) for noise in corpus.table(columns=["noise"])["noise"]]
    told = [noise for noise in noises if noise]
    seen: dict[tuple[float, ...], int] = {}
    for noise in told:
        seen[noise] = seen.get(noise, 0) + 1
    return sum(count for count in seen.values() if count > 1), len(told)


def _change(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean()) / 255


def _extent(crops: Sequence[NDArray[np.uint8]]) -> float | None:
    measured = [extent for crop in crops if (extent := edge_extent(boxes.luma(crop))) is not None]
    return float(np.mean(measured)) if measured else None
