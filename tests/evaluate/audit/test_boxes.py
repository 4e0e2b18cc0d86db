"""Crops are cut where there is something to see, and of like content in every set."""

from __future__ import annotations

import numpy as np

from dbgan.evaluate.audit import boxes
from tests.tiny_corpora import moved, scene


def test_crops_avoid_empty_regions_and_are_as_asked() -> None:
    picture = np.full((200, 400, 3), 128, dtype=np.uint8)
    picture[:, 250:] = scene(5, 200, 150)
    cut = boxes.crop_boxes(boxes.luma(picture), 64, 3, np.random.default_rng(0))
    assert len(cut) == 3
    assert all(left + 64 > 250 for _, left in cut)
    assert boxes.crop_boxes(boxes.luma(picture), 201, 3, np.random.default_rng(0)) == []


def test_matched_crops_have_the_structure_and_brightness_of_their_targets() -> None:
    """Left dark and full of shapes, right light and empty: crops follow what the real ones are like."""
    picture = np.full((200, 400, 3), 220, dtype=np.uint8)
    picture[:, :200] = scene(5, 200, 200) // 2
    y = boxes.luma(picture)
    for box, wanted in (((60, 10), 0), ((60, 300), 1)):
        targets = boxes.content(y, [box], 64)
        cut = boxes.matched_boxes(y, 64, 3, np.random.default_rng(1), targets)
        assert len(set(cut)) == 3
        assert all((left >= 150) == bool(wanted) for _, left in cut)


def test_blur_changes_content_less_than_another_scene_does() -> None:
    at = [(20, 20)]
    sharp = [boxes.content(boxes.luma(scene(seed, 128, 160)), at, 96)[0] for seed in range(8)]
    blurred = [boxes.content(boxes.luma(moved(scene(seed, 128, 160), 9)), at, 96)[0] for seed in range(8)]
    spread = np.std(sharp, axis=0)
    assert (np.abs(np.mean(blurred, axis=0) - np.mean(sharp, axis=0)) < 0.6 * spread).all()
