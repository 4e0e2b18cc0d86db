"""Eq. 3: kernels and their application."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import convolve as scipy_convolve

from dbgan.blur import apply_kernel
from dbgan.blur.kernels import convolve, disk_kernel, gaussian_kernel, linear_kernel, path_kernel, shake_path
from dbgan.seeds import generator

KERNELS = {
    "shake": path_kernel(shake_path(generator(1, "test"), 12.0)),
    "linear": linear_kernel(7.5, 0.4),
    "disk": disk_kernel(2.6),
    "gaussian": gaussian_kernel(1.7),
}


def picture(side: int = 40) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (side, side + 5, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", KERNELS)
def test_kernels_sum_to_one_and_are_centred(kind: str) -> None:
    kernel = KERNELS[kind]
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - kernel.shape[0] // 2

    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1.0, abs=1e-12)
    assert [(kernel * x).sum(), (kernel * y).sum()] == pytest.approx([0.0, 0.0], abs=1e-9)


@pytest.mark.parametrize("kind", KERNELS)
def test_application_is_scipys_convolution(kind: str) -> None:
    image, kernel = picture(), KERNELS[kind]
    expected = np.stack(
        [scipy_convolve(image[..., c].astype(np.float64), kernel, mode="mirror") for c in range(3)], axis=2
    )

    difference = np.abs(apply_kernel(image, kernel, response="stored") - np.clip(expected, 0, 255))

    assert difference.max() <= 0.5 + 1e-6  # rounding, nothing else


@pytest.mark.parametrize(
    "kernel", [*KERNELS.values(), path_kernel(shake_path(generator(4, "test"), 40.0)), disk_kernel(9.0)]
)
def test_float32_is_float64_to_two_millionths(kernel: np.ndarray) -> None:
    """By rows and columns, by pieces, whole, and where the kernel is larger than the picture."""
    for height, width in ((100, 70), (9, 130), (1, 1)):
        light = np.random.default_rng(2).random((height, width, 3))
        exact = np.stack([scipy_convolve(light[..., c], kernel, mode="mirror") for c in range(3)], axis=2)

        fast = convolve(light.astype(np.float32), kernel)

        assert fast.dtype == np.float32
        assert np.abs(fast - exact).max() < 2e-6


def test_the_kernel_is_flipped_as_in_a_convolution() -> None:
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 4] = 200
    kernel = np.zeros((3, 3))
    kernel[1, 2] = 1.0  # light goes one pixel to the right

    assert apply_kernel(image, kernel)[4, 5].tolist() == [200, 200, 200]


def test_in_linear_light_a_highlight_stays_brighter_than_among_stored_values() -> None:
    image = np.zeros((15, 15, 3), np.uint8)
    image[:, 7] = 255
    kernel = linear_kernel(4.0, 0.0)

    stored, light = apply_kernel(image, kernel, response="stored"), apply_kernel(image, kernel, response="srgb")

    assert light[7, 7, 0] > stored[7, 7, 0] + 40


def test_a_kernel_larger_than_the_picture_keeps_a_flat_picture_flat() -> None:
    flat = np.full((16, 16, 3), 77, np.uint8)

    assert np.array_equal(apply_kernel(flat, linear_kernel(40.0, 1.0)), flat)


def test_shake_paths_have_the_asked_length_and_are_the_seeds_alone() -> None:
    path = shake_path(generator(5, "path"), 20.0, wander=2.0, impulses=1.0, pace=0.7)

    assert np.hypot(*np.diff(path, axis=0).T).sum() == pytest.approx(20.0)
    assert path.mean(axis=0) == pytest.approx([0.0, 0.0], abs=1e-12)
    assert np.array_equal(path, shake_path(generator(5, "path"), 20.0, wander=2.0, impulses=1.0, pace=0.7))
    assert not np.array_equal(path, shake_path(generator(6, "path"), 20.0, wander=2.0, impulses=1.0, pace=0.7))


def test_a_shake_that_neither_wanders_nor_turns_is_a_straight_line() -> None:
    path = shake_path(generator(2, "path"), 10.0, wander=0.0, impulses=0.0, pull=0.0, pace=0.0)

    assert math.dist(path[0], path[-1]) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("kernel", "variance"),
    [
        (gaussian_kernel(2.0), 2.0**2),
        (disk_kernel(6.0), 6.0**2 / 4),
        (linear_kernel(12.0, 0.0), 12.0**2 / 12),
        (linear_kernel(12.0, math.pi / 3), 12.0**2 / 12 * math.cos(math.pi / 3) ** 2),
    ],
    ids=["gaussian", "disk", "linear", "oblique"],
)
def test_the_variance_along_x_is_that_of_the_continuous_shape(kernel: np.ndarray, variance: float) -> None:
    _, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - kernel.shape[0] // 2

    # Sharing light between pixels adds up to 1/4 px^2.
    assert (kernel * x**2).sum() == pytest.approx(variance, abs=0.26)


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (np.full((2, 2), 0.25), "odd sides"),
        (np.full((3, 3), 1.0), "sum 9"),
        (np.array([[0.0, 2.0, -1.0]]), "minimum -1"),
    ],
)
def test_what_is_no_kernel_is_refused(kernel: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        apply_kernel(picture(), kernel)
