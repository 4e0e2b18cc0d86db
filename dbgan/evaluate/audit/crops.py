"""The crops of one set, measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbgan.evaluate.audit import agreement, boxes, measures
from dbgan.evaluate.audit.boxes import Box

KEPT_CROPS = 2
"""Crops of each picture whose pixels are kept, for the classifier and the feature network."""


@dataclass(frozen=True, slots=True)
class Shot:
    """What is known of one picture.

    Attributes:
        group: the sequence that it comes from, with its corpus: pictures of one group show one scene.
        values: measure -> array of its crops, (n,) or (n, bands); of one value for a whole picture's measures, absent
            where it has none.
        content: (n, 2), see `boxes.content`.
        pixels: the first crops themselves, HWC uint8 RGB.
        shift: (2,) px right and down by which it lies off its sharp picture, median of the crops; None without one.
        drift: content drift against the sharp picture, 8-bit levels; None without one.
        colour: (3,) mean of blurry minus sharp, RGB, 8-bit levels; None without one.
    """

    group: str
    values: dict[str, NDArray[np.float64]]
    content: NDArray[np.float64]
    pixels: tuple[NDArray[np.uint8], ...]
    shift: NDArray[np.float64] | None = None
    drift: float | None = None
    colour: NDArray[np.float64] | None = None


@dataclass
class CropSet:
    """The measured pictures of one set.

    Attributes:
        name: synthetic, sharp, real, pairs or kernel.
        shots: pictures with at least one measured crop.
        psnr: PSNR(blurry, sharp) of the pictures, dB; empty where there is no sharp one.
        sides: long side of each picture, px, as it was measured.
        small: pictures left out because they are smaller than a crop.
        blank: crops left out because they hold too few edges.
    """

    name: str
    shots: list[Shot] = field(default_factory=list)
    psnr: list[float] = field(default_factory=list)
    sides: list[int] = field(default_factory=list)
    small: int = 0
    blank: int = 0

    @property
    def pictures(self) -> int:
        """Pictures with at least one measured crop."""
        return len(self.shots)

    @property
    def crops(self) -> int:
        """Measured crops."""
        return sum(len(shot.content) for shot in self.shots)

    @property
    def content(self) -> NDArray[np.float64]:
        """(crops, 2): structure and brightness of every crop."""
        return np.concatenate([shot.content for shot in self.shots]) if self.shots else np.zeros((0, 2))

    def values(self, measure: str) -> list[NDArray[np.float64]]:
        """One array per picture that has the measure."""
        return [shot.values[measure] for shot in self.shots if measure in shot.values]

    def groups(self, measure: str) -> list[str]:
        """The sequence of each entry of `values`."""
        return [shot.group for shot in self.shots if measure in shot.values]

    def pooled(self, measure: str) -> NDArray[np.float64]:
        """The measure over all crops, or over all pictures that have it."""
        arrays = self.values(measure)
        return np.concatenate(arrays) if arrays else np.zeros(0)

    def add(
        self,
        picture: NDArray[np.uint8],
        where: list[Box],
        side: int,
        group: str,
        sharp: NDArray[np.uint8] | None = None,
    ) -> None:
        """Measure the crops of `side` px of one HWC uint8 RGB picture at `where`, and against its sharp picture.

        See `Shot` for `group`.
        """
        if not where:
            self.small += 1
            return
        self.sides.append(max(picture.shape[:2]))
        cut = [picture[top : top + side, left : left + side] for top, left in where]
        measured = [measures.of_crop(crop) for crop in cut]
        told = [i for i, found in enumerate(measured) if found is not None]
        self.blank += len(measured) - len(told)
        if not told:
            return
        found = [m for m in measured if m is not None]
        values = {name: np.array([m[name] for m in found], dtype=np.float64) for name in found[0]}
        values |= {name: np.array([value]) for name, value in measures.of_picture(picture).items()}
        content = boxes.content(boxes.luma(picture), [where[i] for i in told], side)
        pixels = tuple(np.ascontiguousarray(cut[i]) for i in told[:KEPT_CROPS])
        pair = {} if sharp is None else _against(picture, sharp, [where[i] for i in told], side)
        self.shots.append(Shot(group, values, content, pixels, **pair))


def _against(picture: NDArray[np.uint8], sharp: NDArray[np.uint8], where: list[Box], side: int) -> dict[str, Any]:
    blurry, still = boxes.luma(picture), boxes.luma(sharp)
    shifts = [agreement.shift(blurry, still, box, side) for box in where]
    cut = [(slice(top, top + side), slice(left, left + side)) for top, left in where]
    drifts, colours = zip(*(agreement.drift(picture[box], sharp[box]) for box in cut), strict=True)
    return {
        "shift": np.median(shifts, axis=0),
        "drift": float(np.mean(drifts)),
        "colour": np.mean(colours, axis=0),
    }
