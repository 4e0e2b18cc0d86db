"""RealBlur's protocol: planted gains and homographies are found, scores equal the script's, failures are told."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dbgan.evaluate.alignment import Aligned, align, masked_psnr, masked_ssim
from dbgan.image.codec import decode
from tests.tiny_corpora import scene

Picture = NDArray[np.uint8]
PLANTED = np.array([[1.002, 0.003, 2.3], [-0.002, 0.998, -1.7], [2e-6, -1e-6, 1.0]])
"""Reference position -> position in the moved picture."""


def planted(picture: Picture, gain: float, homography: NDArray[np.float64] = PLANTED) -> tuple[Picture, Picture]:
    """(moved and dimmed, reference), 12 px of border cut off both."""
    height, width = picture.shape[:2]
    moved = cv2.warpPerspective(picture, homography, (width, height), flags=cv2.INTER_CUBIC)
    dimmed = np.clip(np.round(moved * gain), 0, 255).astype(np.uint8)
    return dimmed[12:-12, 12:-12].copy(), picture[12:-12, 12:-12].copy()


def corners(homography: NDArray[np.floating], height: int, width: int) -> NDArray[np.float64]:
    points = np.array([[[0, 0]], [[width, 0]], [[0, height]], [[width, height]]], dtype=np.float64)
    return cv2.perspectiveTransform(points, homography.astype(np.float64))[:, 0]


def published_scores(found: Aligned) -> tuple[float, float]:
    """The script's two formulas, on scikit-image's full map: masked by HWC floats, summed per channel."""
    mask = np.repeat(found.mask[..., None], 3, axis=2).astype(np.float32)
    error = np.sum((found.reference - found.restored) ** 2, dtype=np.float64) / np.sum(mask)
    _, full = structural_similarity(
        found.reference,
        found.restored,
        channel_axis=-1,
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )
    inner, cut = (full * mask)[5:-5, 5:-5], mask[5:-5, 5:-5]
    return 10 * math.log10(1 / error), float(np.mean(inner.sum(axis=(0, 1)) / cut.sum(axis=(0, 1))))


def check_planted(picture: Picture) -> None:
    restored, reference = planted(picture, 0.8)
    found = align(restored, reference)
    assert found.converged
    height, width = reference.shape[:2]
    # both pictures lost their border: positions of the planted homography move with it
    shift = np.array([[1, 0, -12], [0, 1, -12], [0, 0, 1.0]])
    expected = corners(shift @ PLANTED @ np.linalg.inv(shift), height, width)
    assert np.abs(corners(found.homography, height, width) - expected).max() < 0.3
    assert found.gain == pytest.approx(1.25, rel=0.05)
    assert 0.9 < found.mask.mean() < 1.0
    psnr, ssim = published_scores(found)
    assert masked_psnr(found) == pytest.approx(psnr, abs=1e-4)
    assert masked_ssim(found) == pytest.approx(ssim, abs=1e-4)
    assert masked_psnr(found) > peak_signal_noise_ratio(reference, restored) + 8


def test_a_planted_gain_and_homography_are_found() -> None:
    picture = cv2.GaussianBlur(scene(3, 150, 200), (0, 0), 1.0)
    check_planted(np.asarray(picture, dtype=np.uint8))


def test_a_planted_gain_and_homography_are_found_in_a_real_frame(shared_data: Path) -> None:
    path = sorted((shared_data / "gopro" / "test").glob("*/sharp/*.png"))[0]
    check_planted(decode(path.read_bytes())[200:400, 300:560])


def test_a_picture_that_needs_nothing_keeps_its_scores() -> None:
    picture = np.asarray(cv2.GaussianBlur(scene(5, 80, 90), (0, 0), 1.0), dtype=np.uint8)
    found = align(picture, picture)
    assert found.converged
    assert found.gain == pytest.approx(1.0)
    assert np.abs(found.homography - np.eye(3)).max() < 1e-4
    assert masked_psnr(found) > 60


def test_only_with_clip_after_warp_values_end_at_one() -> None:
    restored = np.asarray(cv2.GaussianBlur(scene(3, 90, 110), (0, 0), 1.0), dtype=np.uint8) // 2
    reference = restored + restored // 2
    restored[20:40, 30:60] = 250
    plain, clipped = (align(restored, reference, clip_after_warp=clip) for clip in (False, True))
    assert plain.restored.max() > 1.0
    assert np.array_equal(clipped.restored, np.clip(plain.restored, 0, 1))


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
FLAT = np.full((64, 64, 3), 90, dtype=np.uint8)


def gain_alone(restored: Picture, reference: Picture) -> None:
    """It is told that alignment failed, and the scores are those of the gain by least squares."""
    found = align(restored, reference)
    assert not found.converged
    assert found.mask.all()
    assert np.array_equal(found.homography, np.eye(3))
    x, z = reference / 255, restored / 255
    gain = (x * z).sum() / (z * z).sum() if z.any() else 1.0
    assert found.gain == pytest.approx(gain, rel=1e-5)
    assert masked_psnr(found) == pytest.approx(-10 * math.log10(((gain * z - x) ** 2).mean()), abs=1e-4)


@pytest.mark.parametrize("restored", [FLAT, np.zeros_like(NOISE)], ids=["flat", "black"])
def test_pictures_on_which_ecc_gives_up_are_told(restored: Picture) -> None:
    gain_alone(restored, NOISE)


def test_a_warp_that_leaves_little_of_the_picture_is_no_alignment(monkeypatch: pytest.MonkeyPatch) -> None:
    away = np.array([[1, 0, 40], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    monkeypatch.setattr(cv2, "findTransformECC", lambda *_: (0.9, away))
    gain_alone(NOISE[::-1].copy(), NOISE)
    broken = np.full((3, 3), np.nan, dtype=np.float32)
    monkeypatch.setattr(cv2, "findTransformECC", lambda *_: (0.9, broken))
    gain_alone(NOISE[::-1].copy(), NOISE)


def test_edge_cases_have_values() -> None:
    same = align(FLAT, FLAT)
    assert masked_psnr(same) == math.inf
    assert masked_ssim(same) == pytest.approx(1.0)
    tiny = align(NOISE[:8, :8], NOISE[:8, :8])
    assert math.isnan(masked_ssim(tiny))
    nothing = Aligned(*(np.zeros((12, 12, 3), np.float32),) * 2, np.zeros((12, 12), bool), 1.0, np.eye(3), False)
    assert math.isnan(masked_psnr(nothing))
    assert math.isnan(masked_ssim(nothing))


def test_pictures_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"of one shape, found \(64, 64, 3\) and \(8, 8, 3\)"):
        align(NOISE, NOISE[:8, :8])
