"""Shots of tiny scenes, for tests of what compares sets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dbgan.evaluate.audit.crops import Shot
from tests.tiny_corpora import scene

Picture = NDArray[np.uint8]


def shots(first: int, count: int, blur: Callable[[Picture], Picture], side: int = 64, sequences: int = 4) -> list[Shot]:
    """`count` pictures of scenes number `first` and up, blurred, in `sequences` sequences; one crop each."""
    cut = [blur(scene(first + i, side + 32, side + 32))[16 : 16 + side, 16 : 16 + side] for i in range(count)]
    empty = np.zeros((1, 2))
    return [Shot(f"s{first}-{i % sequences}", {}, empty, (np.ascontiguousarray(c),)) for i, c in enumerate(cut)]
