"""Motion found in pictures whose motion is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dbgan.blur.kernels import disk_kernel, gaussian_kernel
from dbgan.image.codec import decode
from dbgan.image.quality import luma
from dbgan.image.quality.motion import MIN_SCORE, Motion, motion
from tests.draws import RNG
from tests.image.quality.test_sharpness import moved, noisy


def scene(height: int = 360, width: int = 480) -> NDArray[np.uint8]:
    """Rectangles of random grey: sharp edges, a spectrum like a photograph's."""
    y = np.full((height, width), 128, np.uint8)
    for _ in range(300):
        (top, bottom), (left, right) = (np.sort(RNG.integers(0, side, 2)) for side in (height, width))
        y[top : min(bottom, top + 60), left : min(right, left + 60)] = RNG.integers(0, 256)
    return y


def convolved(y: NDArray[np.uint8], kernel: NDArray[np.float64]) -> NDArray[np.uint8]:
    return noisy(np.asarray(cv2.filter2D(y, -1, kernel, borderType=cv2.BORDER_REFLECT)), 1)


@pytest.mark.parametrize(("length", "degrees"), [(9, 0), (12, 90), (15, 30), (24, 120), (40, 165)])
def test_straight_motion_is_found(length: float, degrees: float) -> None:
    found = motion(moved(scene(), length, degrees))
    assert found.length_px == pytest.approx(length, abs=1.5)
    assert found.direction_deg is not None
    assert abs((found.direction_deg - degrees + 90) % 180 - 90) < 5
    assert found.score >= MIN_SCORE


def test_what_has_no_straight_motion_is_not_given_one() -> None:
    defocused = [convolved(scene(), kernel) for kernel in (disk_kernel(5), disk_kernel(9), gaussian_kernel(3))]
    for y in (scene(), *defocused, np.full((300, 300), 7, np.uint8)):
        assert motion(y)[:2] == (None, None)
    assert motion(scene(255, 400)) == Motion(None, None, 0.0)


def test_known_motion_of_real_frames_is_measured(shared_data: Path) -> None:
    turns, errors = [], []
    for frame in sorted(shared_data.glob("gopro/test/*/sharp/*.png")):
        sharp = luma(decode(frame.read_bytes()))
        assert motion(sharp).length_px is None
        for length in (7, 13, 25):
            degrees = float(RNG.uniform(0, 180))
            found = motion(noisy(moved(sharp, length, degrees), 1))
            if found.length_px is not None and found.direction_deg is not None:
                turns.append(abs((found.direction_deg - degrees + 90) % 180 - 90))
                errors.append(abs(found.length_px - length) / length)
    assert len(turns) >= 15
    assert np.median(turns) < 10
    assert np.median(errors) < 0.25


@pytest.mark.parametrize(("name", "length", "degrees"), [("licenseplate", 22, 135), ("text", 31, 86)])
def test_real_motion_blur_of_opencvs_samples_is_what_its_documentation_says(
    shared_data: Path, name: str, length: float, degrees: float
) -> None:
    """samples/python/deconvolution.py of OpenCV names the motion by which these two photos are restored."""
    photo = shared_data / "real-blur" / "opencv-samples" / "images" / f"{name}_motion.jpg"
    found = motion(luma(decode(photo.read_bytes())))
    assert found.length_px == pytest.approx(length, rel=0.05)
    assert found.direction_deg == pytest.approx(degrees, abs=2)
