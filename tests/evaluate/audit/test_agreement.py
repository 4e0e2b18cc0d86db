"""Planted shifts are found to a fraction of a pixel behind blur, planted tints to a fraction of a level."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dbgan.evaluate.audit import agreement, boxes
from dbgan.image.codec import decode
from tests.tiny_corpora import moved, scene


def shifted(picture: NDArray[np.uint8], x: float, y: float) -> NDArray[np.uint8]:
    """The picture moved by (x, y) px, by cubic interpolation."""
    matrix = np.array([[1, 0, x], [0, 1, y]], dtype=np.float64)
    size = (picture.shape[1], picture.shape[0])
    return np.asarray(cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101))


@pytest.mark.parametrize("planted", [(0.0, 0.0), (0.5, 0.0), (-0.3, 1.4), (3.0, -2.25), (-9.0, 6.5)])
@pytest.mark.parametrize("blur", [1, 9])
def test_a_planted_shift_is_found_within_0_15_px(planted: tuple[float, float], blur: int) -> None:
    for seed in range(3):
        sharp = scene(seed, 176, 176)
        blurry = shifted(moved(sharp, blur), *planted)
        found = agreement.shift(boxes.luma(blurry), boxes.luma(sharp), (24, 24), 128)
        assert found == pytest.approx(planted, abs=0.15)


def test_behind_an_asymmetric_blur_it_is_the_centroid_of_the_kernel() -> None:
    sharp = scene(4, 176, 176)
    weights = {0: 0.6, 1: 0.2, 4: 0.2}
    blurry = sum(w * np.roll(sharp, x, axis=1).astype(float) for x, w in weights.items())
    found = agreement.shift(boxes.luma(np.asarray(blurry).round().astype(np.uint8)), boxes.luma(sharp), (24, 24), 128)
    assert found == pytest.approx((0.2 + 0.8, 0.0), abs=0.1)


def test_a_tint_is_drift_and_blur_is_hardly_any() -> None:
    sharp = scene(5, 128, 128)
    tinted = np.clip(sharp.astype(int) + np.array([0, 0, 8]), 0, 255).astype(np.uint8)
    level, colour = agreement.drift(tinted, sharp)
    assert level == pytest.approx(8 / 3, abs=0.3)
    assert colour == pytest.approx([0, 0, 8], abs=0.6)
    blurred, mean = agreement.drift(moved(sharp, 9), sharp)
    assert blurred < 1.0
    assert np.abs(mean).max() < 0.5
    assert agreement.drift(sharp, sharp)[0] == 0.0


def test_real_frames_shifted_by_known_amounts(shared_data: Path) -> None:
    names = sorted((shared_data / "gopro" / "test").glob("*/sharp/*.png"))[:3]
    for name in names:
        sharp = decode(name.read_bytes())
        blurry = shifted(decode((name.parent.parent / "blur" / name.name).read_bytes()), 2.5, -1.0)
        plain = decode((name.parent.parent / "blur" / name.name).read_bytes())
        y = boxes.luma(sharp)
        where = boxes.crop_boxes(y, 128, 4, np.random.default_rng(0))
        moved_by, own = (
            np.median([agreement.shift(boxes.luma(p), y, box, 128) for box in where], axis=0) for p in (blurry, plain)
        )
        assert moved_by - own == pytest.approx((2.5, -1.0), abs=0.25)
