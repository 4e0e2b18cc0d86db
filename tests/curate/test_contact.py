"""Contact sheets show a bounded, stable choice of kept and dropped samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dbgan.curate import contact
from dbgan.curate.rules import Drop
from dbgan.sheet import DROPPED
from tests.tiny_corpora import scene

KEYS = [f"s/{i:03d}" for i in range(200)]
DROPS = {key: Drop("limits", "blur_sharpness", 0.02, 0.01, "too sharp") for key in KEYS[:60]}
DROPS |= {KEYS[60]: Drop("min_side", "min_side", 64.0, 128.0, "too small")}


def caption(key: str) -> list[str]:
    return [key]


def test_a_sheet_asks_for_a_bounded_number_of_pictures() -> None:
    asked: list[str] = []

    def picture(key: str) -> NDArray[np.uint8]:
        asked.append(key)
        return scene(1, 40, 60)

    contact.sheet("x", KEYS, DROPS, caption, picture)
    assert len(asked) == contact.MAX_KEPT + contact.MAX_DROPPED
    assert KEYS[60] in asked  # a rule that dropped one sample is shown beside one that dropped sixty


def test_the_choice_of_pictures_hardly_changes_when_samples_are_added() -> None:
    before, after = contact.choose(KEYS[:150], 20), contact.choose([*KEYS[:150], "t/001"], 20)
    assert len(set(before) - set(after)) <= 1
    assert contact.choose(reversed(KEYS), 20) == contact.choose(KEYS, 20)


def test_dropped_samples_are_outlined_and_kept_ones_are_not() -> None:
    def outlined(drops: dict[str, Drop]) -> bool:
        drawn = contact.sheet("x", ["s/000"], drops, caption, lambda key: scene(1, 40, 60))
        return bool((drawn == np.array(DROPPED)).all(axis=2).sum() > 500)

    assert outlined({"s/000": DROPS["s/000"]})
    assert not outlined({})


def test_equal_input_gives_equal_pixels_and_an_empty_source_gives_a_sheet() -> None:
    sheets = [contact.sheet("x", KEYS[:9], {}, caption, lambda key: scene(1, 40, 60)) for _ in range(2)]
    assert np.array_equal(sheets[0], sheets[1])
    assert contact.sheet("x", [], {}, caption, lambda key: scene(1)).ndim == 3
