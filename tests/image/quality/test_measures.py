"""Measures against plain numpy and scipy written from their definitions."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from skimage.metrics import peak_signal_noise_ratio

from dbgan.image.quality import MEASURES, UNKNOWABLE, columns, measure, pair_psnr
from tests.draws import RNG


def grey(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(values[..., None], 3, axis=2)


def test_measures_follow_their_definitions() -> None:
    luma = RNG.integers(0, 256, (37, 53)).astype(np.uint8)
    unit = luma / 255.0
    sobel = [ndimage.sobel(unit, axis, mode="mirror") for axis in (0, 1)]
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    response = np.abs(ndimage.convolve(unit, mask))[1:-1, 1:-1]
    expected = {
        "tenengrad": (sobel[0] ** 2 + sobel[1] ** 2).mean(),
        "noise_sigma": np.sqrt(np.pi / 2) * response.mean() / 6,
        "brightness": unit.mean(),
        "contrast": unit.std(),
        "clipped_low": (luma <= 2).mean(),
        "clipped_high": (luma >= 253).mean(),
    }
    found = measure(grey(luma))
    assert tuple(found) == MEASURES
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)
    assert all(type(value) is float for name, value in found.items() if name not in UNKNOWABLE)


def test_noise_sigma_finds_the_noise_of_a_flat_picture() -> None:
    noisy = np.clip(128 + RNG.normal(0, 5, (200, 200)), 0, 255).round().astype(np.uint8)
    assert measure(grey(noisy))["noise_sigma"] * 255 == pytest.approx(5, rel=0.05)


def test_blurring_lowers_sharpness() -> None:
    sharp = grey(RNG.integers(0, 256, (64, 64)).astype(np.uint8))
    blurred = cv2.GaussianBlur(sharp, (0, 0), 2)
    for name in ("sharpness", "tenengrad", "noise_sigma", "contrast"):
        assert measure(blurred)[name] < measure(sharp)[name]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 3)])
def test_tiny_pictures_have_measures(shape: tuple[int, int]) -> None:
    found = measure(grey(np.full(shape, 255, np.uint8)))
    assert found["brightness"] == 1.0
    assert found["noise_sigma"] == found["contrast"] == found["sharpness"] == 0.0
    assert [found[name] for name in UNKNOWABLE] == [None] * len(UNKNOWABLE)
    assert found["blocking"] == 1.0


def test_the_manifests_columns_are_the_measures_and_a_hash_of_32_bytes() -> None:
    found = columns("blur", grey(RNG.integers(0, 256, (64, 64)).astype(np.uint8)))
    assert list(found) == [*(f"blur_{name}" for name in MEASURES), "blur_phash"]
    assert len(found["blur_phash"]) == 32


def test_pair_psnr_is_skimages_and_capped() -> None:
    sharp = RNG.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    blur = np.clip(sharp.astype(int) + RNG.integers(-9, 10, sharp.shape), 0, 255).astype(np.uint8)
    assert pair_psnr(blur, sharp) == pytest.approx(peak_signal_noise_ratio(sharp, blur), rel=1e-12)
    assert pair_psnr(sharp, sharp) == 100.0
    with pytest.raises(ValueError, match="sizes differ"):
        pair_psnr(sharp, sharp[1:])


def test_real_pairs_have_the_known_strength(shared_data: Path) -> None:
    folder = shared_data / "gopro" / "test" / "GOPR0384_11_00"
    sharp, blur = (cv2.imread(str(folder / side / "000001.png"))[..., ::-1] for side in ("sharp", "blur"))
    assert measure(sharp)["tenengrad"] > 2 * measure(blur)["tenengrad"]
    assert measure(sharp)["sharpness"] > 1.5 * measure(blur)["sharpness"]
    assert 18 < pair_psnr(blur, sharp) < 30
