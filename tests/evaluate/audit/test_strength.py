"""Measures of blur strength grade known blur, whatever the content, contrast and noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from dbgan.evaluate.audit import boxes, measures, strength
from dbgan.image.codec import decode
from tests.tiny_corpora import moved, scene

LENGTHS = (1, 3, 5, 8, 12, 17)


def step_edge(length: int) -> NDArray[np.float32]:
    """A vertical edge in every fourth of the width, averaged over `length` px of horizontal motion."""
    row = np.repeat([0.2, 0.8, 0.2, 0.8], 40)
    row = np.convolve(np.pad(row, 40, mode="edge"), np.ones(length) / length, mode="same")[40:-40]
    return np.tile(row, (160, 1)).astype(np.float32)


@pytest.mark.parametrize("length", [7, 11, 15, 21])
def test_an_ideal_edge_moved_over_n_px_has_an_extent_of_n_px(length: int) -> None:
    extent = strength.edge_extent(step_edge(length))
    assert extent is not None
    assert abs(extent - length) < 0.05 * length


def test_the_extent_behind_a_gaussian_is_sqrt_two_pi_sigma() -> None:
    blurred = cv2.GaussianBlur(step_edge(1), (0, 0), 3.0)
    extent = strength.edge_extent(np.asarray(blurred, dtype=np.float32), smooth=0.3)
    assert extent is not None
    assert abs(extent - np.sqrt(2 * np.pi) * 3.0) < 0.3


@pytest.mark.parametrize("measure", measures.STRENGTH)
def test_both_measures_follow_the_length_of_motion_within_a_scene(measure: str) -> None:
    for seed in range(4):
        picture = scene(seed, 160, 160)
        values = [measures.of_crop(moved(picture, length)) for length in LENGTHS]
        told = [value[measure] * measures.STRONGER_IS[measure] for value in values if value is not None]
        assert len(told) == len(LENGTHS)
        assert spearmanr(LENGTHS, told).statistic > 0.95


def test_halved_contrast_leaves_both_measures_almost_unchanged() -> None:
    picture = moved(scene(3, 160, 160), 7)
    faint = np.round(picture * 0.5 + 60).astype(np.uint8)
    first, second = measures.of_crop(picture), measures.of_crop(faint)
    assert first is not None
    assert second is not None
    assert abs(first["edge_extent_px"] - second["edge_extent_px"]) < 0.1 * first["edge_extent_px"]
    assert abs(first["log_sharpness"] - second["log_sharpness"]) < 0.03


def test_a_flat_crop_says_nothing() -> None:
    assert measures.of_crop(np.full((64, 64, 3), 90, dtype=np.uint8)) is None


def test_real_sharp_frames_are_told_from_their_real_blur(shared_data: Path) -> None:
    folder = shared_data / "gopro" / "test"
    names = [p.relative_to(folder) for p in sorted(folder.glob("*/sharp/*.png"))]
    told = {"blur": [], "sharp": []}
    for name in names:
        blurry = folder / name.parent.parent / "blur" / name.name
        pictures = {"blur": decode(blurry.read_bytes()), "sharp": decode((folder / name).read_bytes())}
        y = boxes.luma(pictures["sharp"])
        for top, left in boxes.crop_boxes(y, 128, 4, np.random.default_rng(0)):
            for kind, picture in pictures.items():
                measured = measures.of_crop(picture[top : top + 128, left : left + 128])
                assert measured is not None
                told[kind].append(measured["edge_extent_px"])
    larger = np.array(told["blur"])[:, None] > np.array(told["sharp"])[None]
    assert larger.mean() > 0.9  # the area under the ROC curve
