"""The contact sheet of a source: kept and dropped samples, each whole and as a crop at full resolution."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.curate.rules import Drop
from dbgan.sheet import DROPPED, Block, Cell, beside, draw, fit

MAX_KEPT = 24
MAX_DROPPED = 16
COLUMNS = 4
WHOLE = (200, 150)
"""Width and height of the reduced whole picture, px."""
CROP = 150
"""Side of the crop, px. It is never reduced: a reduced picture looks sharp whatever its blur."""
PLACES = 5
"""The crop is the one with most shapes of so many by so many places: a piece of sky shows no blur."""


def choose(keys: Iterable[str], count: int) -> list[str]:
    """At most `count` keys, by the hash of each: a new sample rarely changes the choice. Sorted by key."""
    return sorted(sorted(keys, key=lambda key: hashlib.sha256(key.encode()).digest())[:count])


def choose_dropped(drops: Mapping[str, Drop], count: int) -> dict[str, list[str]]:
    """Rule -> keys to show, `count` in all, shared evenly among the rules, in the rules' order of appearance."""
    by_rule: dict[str, list[str]] = {}
    for key in choose(drops, len(drops)):
        by_rule.setdefault(drops[key].rule, []).append(key)
    left, shown = count, dict[str, list[str]]()
    for index, (rule, keys) in enumerate(sorted(by_rule.items(), key=lambda item: len(item[1]))):
        shown[rule] = choose(keys, left // (len(by_rule) - index))
        left -= len(shown[rule])
    return shown


def sheet(
    name: str,
    keys: Sequence[str],
    drops: Mapping[str, Drop],
    caption: Callable[[str], Sequence[str]],
    picture: Callable[[str], NDArray[np.uint8]],
    notes: Sequence[str] = (),
) -> NDArray[np.uint8]:
    """The sheet as HWC uint8 RGB. Pictures are asked for one by one, at most `MAX_KEPT + MAX_DROPPED` of them.

    Args:
        name: the source.
        keys: all samples.
        drops: why samples are dropped.
        caption: lines below a kept picture (its key first).
        picture: key -> HWC uint8 RGB, full size.
        notes: sentences under the title.
    """
    kept = [key for key in keys if key not in drops]
    shown = choose(kept, MAX_KEPT)
    blocks = [Block(_heading("kept", len(kept), len(shown)), tuple(_cell(picture(k), caption(k)) for k in shown))]
    for rule, dropped in choose_dropped(drops, MAX_DROPPED).items():
        total = sum(drop.rule == rule for drop in drops.values())
        cells = tuple(_cell(picture(k), (k, drops[k].reason), dropped=True) for k in dropped)
        blocks.append(Block(_heading(f"dropped by {rule}", total, len(dropped)), cells))
    explained = "Each sample: the whole picture, and the part of it with most shapes, at full resolution."
    return draw(f"{name}: {len(kept)} of {len(keys)} samples kept", blocks, columns=COLUMNS, notes=(explained, *notes))


def _heading(what: str, total: int, shown: int) -> str:
    return f"{what}: {total}" if shown == total else f"{what}: {total}, of which {shown} are shown"


def _cell(picture: NDArray[np.uint8], captions: Sequence[str], dropped: bool = False) -> Cell:
    whole = np.full((WHOLE[1], WHOLE[0], 3), 255, dtype=np.uint8)
    reduced = fit(picture, *WHOLE)
    top, left = (WHOLE[1] - reduced.shape[0]) // 2, (WHOLE[0] - reduced.shape[1]) // 2
    whole[top : top + reduced.shape[0], left : left + reduced.shape[1]] = reduced
    return Cell(beside([whole, detail(picture, CROP)]), tuple(captions), DROPPED if dropped else None)


def detail(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The crop of at most `side` x `side` px with most shapes, among `PLACES` x `PLACES` spread over HWC uint8 RGB."""
    height, width = picture.shape[:2]
    # A quarter of the size: shapes, not noise, and quick on 12 MP.
    small = fit(picture, max(1, width // 4), max(1, height // 4))[:, :, 1].astype(np.float32)
    shapes = np.minimum(cv2.absdiff(cv2.GaussianBlur(small, (0, 0), 1.5), cv2.GaussianBlur(small, (0, 0), 6)), 20)
    tops, lefts = (np.linspace(0, max(0, length - side), PLACES).round().astype(int) for length in (height, width))
    places = [(int(top), int(left)) for top in tops for left in lefts]

    def shapely(place: tuple[int, int]) -> float:
        top, left = place[0] // 4, place[1] // 4
        return float(shapes[top : top + max(1, side // 4), left : left + max(1, side // 4)].mean())

    top, left = max(places, key=shapely)
    return np.ascontiguousarray(picture[top : top + side, left : left + side])
