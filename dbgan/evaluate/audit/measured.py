"""All that an audit knows before it judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dbgan.corpus import Corpus
from dbgan.evaluate.audit.crops import CropSet
from dbgan.evaluate.audit.distance import Interval
from dbgan.evaluate.audit.diversity import Diversity
from dbgan.evaluate.audit.panel import Panel
from dbgan.evaluate.audit.sets import Source
from dbgan.evaluate.audit.usefulness import Usefulness


@dataclass(frozen=True, slots=True)
class Measured:
    """All that an audit compares.

    Attributes:
        synthetic: the audited corpus.
        captured: sources of real captures.
        blur: name of the synthetic blur in sentences.
        sets: synthetic, sharp, kernel, real and, where asked for, pairs -> their crops.
        distances: set (and `floor`) -> measure -> distance to the real captures.
        differences: set -> median edge extent minus that of the real captures, px.
        psnr: synthetic, kernel and pairs -> PSNR(blurry, sharp) of every pair, dB.
        content_gaps: set (and `floor`) -> structure and brightness -> see `compare.content_gaps`.
        diversity: what z changes; None with one variant per frame.
        repeated_z: pairs whose z another pair has as well, and pairs with a z.
        panel: what networks say.
        usefulness: what a small network learns from it; None where that is off.
        notes: what a reader must know about the sets, in sentences.
    """

    synthetic: Corpus
    captured: tuple[Source, ...]
    blur: str
    sets: Mapping[str, CropSet]
    distances: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[str, Interval]
    psnr: Mapping[str, NDArray[np.float64]]
    content_gaps: Mapping[str, Mapping[str, Interval]]
    diversity: Diversity | None
    repeated_z: tuple[int, int]
    panel: Panel
    usefulness: Usefulness | None
    notes: tuple[str, ...]
