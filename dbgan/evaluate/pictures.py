"""Which pictures are shown, and how they are cut: the same for every variant, so that they can be put side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dbgan.corpus import Corpus


def choose(table: pd.DataFrame, count: int) -> list[str]:
    """`count` keys spread over blur strength and sequences, in the order of strength; fewer where there are fewer.

    The strengths' quantiles (i + 1/2) / count are aimed at; each takes the nearest sample of the sequences shown least
    so far. Nothing of a restored picture enters, so every variant shows the same.

    Args:
        table: columns key, sequence, strength (any order; NaN counts as the end).
        count: how many.
    """
    ordered = table.sort_values(["strength", "key"], na_position="last").reset_index(drop=True)
    shown: dict[str, int] = {}
    chosen: set[int] = set()
    for index in range(min(count, len(ordered))):
        aim = (index + 0.5) / min(count, len(ordered)) * len(ordered)
        left = [(row, str(sequence)) for row, sequence in enumerate(ordered["sequence"]) if row not in chosen]
        row, sequence = min(left, key=lambda item: (shown.get(item[1], 0), abs(item[0] + 0.5 - aim), item[0]))
        chosen.add(row)
        shown[sequence] = shown.get(sequence, 0) + 1
    return [str(ordered["key"][row]) for row in sorted(chosen)]


def share(count: int, available: Mapping[str, int]) -> dict[str, int]:
    """`count` pictures shared among sources one by one, in the order given, none getting more than it has."""
    shares = dict.fromkeys(available, 0)
    while sum(shares.values()) < count and any(shares[name] < available[name] for name in shares):
        for name in shares:
            if shares[name] < available[name] and sum(shares.values()) < count:
                shares[name] += 1
    return shares


def box(height: int, width: int, most: int) -> tuple[slice, slice]:
    """Rows and columns of what is shown of a picture of `height` x `width` px.

    All of it up to `most` px, else its centre of about so many px, shaped as the whole and at full resolution.
    """
    scale = min(1.0, math.sqrt(most / (height * width)))
    high, wide = max(1, int(height * scale)), max(1, int(width * scale))
    if scale == 1.0:
        high, wide = height, width
    top, left = (height - high) // 2, (width - wide) // 2
    return slice(top, top + high), slice(left, left + wide)


def cut(picture: NDArray[np.uint8], most: int) -> NDArray[np.uint8]:
    """What is shown of an HWC uint8 RGB picture, copied, so that the whole can be freed."""
    rows, columns = box(picture.shape[0], picture.shape[1], most)
    return np.array(picture[rows, columns])


def strengths(corpus: Corpus) -> pd.DataFrame:
    """Columns key, sequence, strength: PSNR(blur, sharp) of pairs, else the sharpness; both fall with blur."""
    measure = "pair_psnr" if corpus.kind == "paired" else "blur_sharpness"
    table = corpus.table(columns=["key", "sequence", measure])
    return table.rename(columns={measure: "strength"}).astype({"strength": "float64"})
