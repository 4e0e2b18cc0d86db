"""What networks say: a classifier and feature distances, of every set against the real captures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from dbgan.evaluate.audit import features, kid
from dbgan.evaluate.audit.compare import FLOOR
from dbgan.evaluate.audit.crops import CropSet, Shot
from dbgan.evaluate.audit.distance import MIN_PICTURES, Interval
from dbgan.evaluate.audit.neutral import neutral
from dbgan.evaluate.audit.two_sample import Told, fold_of, two_sample
from dbgan.networks.features import PerceptualFeatures
from dbgan.params import AuditParams


@dataclass(frozen=True, slots=True)
class Panel:
    """What networks say of each set against the real captures.

    Attributes:
        classifier: set (and `floor`) -> area under the ROC curve.
        kid: set (and `floor`) -> kernel distance of features.
        features: which feature network, in words.
        notes: what a reader must know, in sentences.
    """

    classifier: Mapping[str, Told]
    kid: Mapping[str, Interval]
    features: str
    notes: tuple[str, ...]


def panel(crops: Mapping[str, CropSet], net: PerceptualFeatures, params: AuditParams) -> Panel:
    """Train the classifiers and compare the features of all sets with `real`; the same numbers on any run."""
    with threads(params.threads):
        classifier = {name: _told(own.shots, crops["real"].shots, params, name) for name, own in _others(crops)}
        halves = _halves(crops["real"].shots)
        if halves is not None:
            classifier[FLOOR] = _told(*halves, params, FLOOR)
        kids = _kids(crops, net, params)
    notes = []
    if classifier["synthetic"].why:
        notes.append(f"No classifier was trained to tell synthetic from real: {classifier['synthetic'].why}.")
    elif halves is None:
        notes.append(
            "The classifier has no floor: telling real captures from other real captures takes four sequences of them."
        )
    if not kids:
        notes.append(f"KID was not computed: it takes {MIN_PICTURES} pictures of each set.")
    return Panel(classifier, kids, net.description, tuple(notes))


def _others(crops: Mapping[str, CropSet]) -> list[tuple[str, CropSet]]:
    return [(name, own) for name, own in crops.items() if name != "real"]


def _told(first: list[Shot], second: list[Shot], params: AuditParams, purpose: str) -> Told:
    how = params.classifier
    return two_sample(
        first, second, steps=how.steps, folds=how.folds, noise=params.noise, seed=params.seed, purpose=purpose
    )


def _halves(real: list[Shot]) -> tuple[list[Shot], list[Shot]] | None:
    """Real captures in two halves of whole sequences, at least two in each; None with fewer than four sequences."""
    groups = [shot.group for shot in real]
    if len(set(groups)) < MIN_PICTURES:
        return None
    half = fold_of(groups, 2)
    first, second = ([shot for shot, own in zip(real, half, strict=True) if own == i] for i in (0, 1))
    return (first, second) if min(len({s.group for s in part}) for part in (first, second)) > 1 else None


def _kids(crops: Mapping[str, CropSet], net: PerceptualFeatures, params: AuditParams) -> dict[str, Interval]:
    """In units of the real crops' standard deviations: else the channels of most contrast decide, which are content."""
    if min(own.pictures for own in crops.values()) < MIN_PICTURES:
        return {}
    known = {}
    for name, own in crops.items():
        cut, owners = neutral(own.shots, params.noise, params.seed, f"features {name}")
        known[name] = (features.vectors(net, cut), owners)
    real, real_of = known["real"]
    middle, spread = real.mean(axis=0), np.maximum(real.std(axis=0), 1e-6)
    known = {name: ((x - middle) / spread, owners) for name, (x, owners) in known.items()}
    real = known["real"][0]
    found = {name: kid.kid(x, real, x_of, real_of) for name, (x, x_of) in known.items() if name != "real"}
    lowest = kid.floor(real, real_of, [shot.group for shot in crops["real"].shots], params.seed)
    return found | ({FLOOR: lowest} if lowest is not None else {})


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """torch's threads for a while: sums are split by them."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
