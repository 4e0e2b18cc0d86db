"""Where crops are cut: where there is something to see, and of like content in every set that is compared.

Two sets may differ because of what they show and not of how it is blurred. Crops are therefore told apart by two
statistics that blur hardly changes, structure and brightness, and those of every other set are chosen to be spread as
those of the real captures are.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

STRUCTURE_CAP = 0.08
"""Coarse contrast, of [0, 1], above which a pixel counts no more towards a crop's structure."""

CANDIDATES = 4
"""Boxes drawn for each that is chosen by its structure."""

MATCHED_CANDIDATES = 16
"""Boxes drawn for each that is chosen to be like a real one: the few places of a picture that resemble the best quarter
of another's are seldom among four. With four, equal sets were 1.3 standard deviations apart in structure, with sixteen
0.5, with 32 no less."""

Box = tuple[int, int]
"""Top and left of a crop, px."""

CONTENT: tuple[str, ...] = ("structure", "brightness")
"""Columns of a content array."""


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """BT.601 luma in [0, 1] of an HWC uint8 RGB picture, as HW float32."""
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, dtype=np.float32) / np.float32(255)


def crop_boxes(y: NDArray[np.float32], side: int, count: int, rng: np.random.Generator) -> list[Box]:
    """`count` crops of `side` px, those of most structure among four times as many.

    Sky and walls say nothing about blur. A picture smaller than `side` gives no crop.
    """
    boxes, contents = _candidates(y, side, CANDIDATES * count, rng)
    structure = dict(zip(boxes, contents[:, 0].tolist(), strict=True))
    return sorted(boxes, key=lambda box: (-structure[box], box))[:count]


def matched_boxes(
    y: NDArray[np.float32], side: int, count: int, rng: np.random.Generator, targets: NDArray[np.float64]
) -> list[Box]:
    """`count` crops of `side` px whose content is nearest to as many drawn from `targets`.

    Args:
        y: HW float32 luma in [0, 1] of the picture; of a pair, of its blurry half, as the targets are of blurry crops.
        side: px.
        count: how many; fewer where the picture has room for fewer.
        rng: draws the candidates, `MATCHED_CANDIDATES` for each crop, and the targets.
        targets: (N, 2) content of the crops that are to be matched, see `content`. Distances are taken in units of
            their standard deviations.
    """
    boxes, contents = _candidates(y, side, MATCHED_CANDIDATES * count, rng)
    scale = np.maximum(targets.std(axis=0), 1e-3)
    free = list(range(len(boxes)))
    chosen = []
    for target in targets[rng.integers(0, len(targets), size=min(count, len(boxes)))]:
        far = (((contents[free] - target) / scale) ** 2).sum(axis=1)
        chosen.append(boxes[free.pop(int(np.argmin(far)))])
    return chosen


def content(y: NDArray[np.float32], boxes: list[Box], side: int) -> NDArray[np.float64]:
    """(boxes, 2): structure and mean luma of each crop, both of [0, 1].

    Structure is the mean absolute difference of two wide Gaussians (sigma `side`/24 and `side`/6), capped so that one
    strong outline does not outweigh many shapes. It is coarse enough that blur hardly changes it: a choice by it
    favours neither sharp nor blurry pictures.
    """
    band = cv2.absdiff(cv2.GaussianBlur(y, (0, 0), side / 24), cv2.GaussianBlur(y, (0, 0), side / 6))
    maps = (np.minimum(band, STRUCTURE_CAP), y)
    cut = [[float(m[t : t + side, x : x + side].mean(dtype=np.float64)) for m in maps] for t, x in boxes]
    return np.array(cut, dtype=np.float64).reshape(-1, len(CONTENT))


def _candidates(
    y: NDArray[np.float32], side: int, count: int, rng: np.random.Generator
) -> tuple[list[Box], NDArray[np.float64]]:
    height, width = y.shape
    if min(height, width) < side:
        return [], np.zeros((0, len(CONTENT)))
    tops = rng.integers(0, height - side + 1, size=count)
    lefts = rng.integers(0, width - side + 1, size=count)
    boxes = list(dict.fromkeys(zip(tops.tolist(), lefts.tolist(), strict=True)))
    return boxes, content(y, boxes, side)
