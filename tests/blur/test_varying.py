"""Spatially varying blur: a grid of kernels, interpolated."""

from __future__ import annotations

import numpy as np
import pytest

from dbgan.blur.kernels import convolve, disk_kernel, gaussian_kernel, linear_kernel, path_kernel, shake_path
from dbgan.blur.varying import convolve_varying, node_positions
from dbgan.seeds import generator


def light(height: int = 37, width: int = 50) -> np.ndarray:
    return np.random.default_rng(5).random((height, width, 3))


@pytest.mark.parametrize("kernel", [disk_kernel(2.3), gaussian_kernel(1.4), linear_kernel(9.0, 0.3)])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 2), (3, 5), (1, 4)])
def test_a_grid_of_equal_kernels_is_the_uniform_blur(kernel: np.ndarray, rows: int, columns: int) -> None:
    varying = convolve_varying(light(), [[kernel] * columns] * rows)

    assert np.abs(varying - convolve(light(), kernel)).max() < 1e-12


def test_every_pixel_has_the_bilinear_mean_of_its_nodes_kernels() -> None:
    height, width = 13, 17
    kernels = [[gaussian_kernel(1.0), linear_kernel(5.0, 0.2)], [disk_kernel(1.5), path_kernel(_shake())]]
    image = light(height, width)

    varying = convolve_varying(image, kernels)

    for y, x in [(0, 0), (12, 16), (0, 16), (6, 8), (3, 11), (9, 1)]:
        down, along = y / (height - 1), x / (width - 1)
        expected = (
            (1 - down) * ((1 - along) * _at(image, kernels[0][0], y, x) + along * _at(image, kernels[0][1], y, x))
            + down * ((1 - along) * _at(image, kernels[1][0], y, x) + along * _at(image, kernels[1][1], y, x))
        )  # fmt: skip
        assert varying[y, x] == pytest.approx(expected, abs=1e-12)


def _shake() -> np.ndarray:
    return shake_path(generator(1, "test"), 6.0)


def _at(image: np.ndarray, kernel: np.ndarray, y: int, x: int) -> np.ndarray:
    """Eq. 3 at one pixel by its definition, borders mirrored by numpy."""
    half = kernel.shape[0] // 2
    padded = np.pad(image, ((half, half), (half, half), (0, 0)), mode="reflect")
    window = padded[y : y + 2 * half + 1, x : x + 2 * half + 1]
    return np.asarray((window * kernel[::-1, ::-1, None]).sum(axis=(0, 1)))


def test_no_part_of_the_picture_is_shifted() -> None:
    """The light of a dot keeps its centroid, wherever the dot is between kernels that differ."""
    kernels = [[path_kernel(shake_path(generator(4 * r + c, "test"), 9.0)) for c in range(2)] for r in range(2)]
    y, x = np.mgrid[:128, :128]
    for row, column in [(30, 30), (30, 90), (64, 64), (100, 40)]:
        dot = np.zeros((128, 128, 3))
        dot[row, column] = 1.0

        blurry = convolve_varying(dot, kernels)[..., 0]

        assert [(blurry * y).sum(), (blurry * x).sum()] / blurry.sum() == pytest.approx([row, column], abs=0.1)


def test_nodes_lie_from_corner_to_corner_in_half_diagonals() -> None:
    nodes = node_positions(3, 31, 41)

    assert nodes[0, 0].tolist() == pytest.approx([-0.8, -0.6])
    assert nodes[1, 1].tolist() == [0.0, 0.0]
    assert np.hypot(*nodes[2, 0]) == pytest.approx(1.0)
    assert node_positions(1, 31, 41).tolist() == [[[0.0, 0.0]]]


@pytest.mark.parametrize("kernels", [[], [[]], [[gaussian_kernel(1.0)], []], [[np.full((3, 3), 1.0)]]])
def test_what_is_no_grid_of_kernels_is_refused(kernels: list[list[np.ndarray]]) -> None:
    with pytest.raises(ValueError, match=r"equal rows|sum 9"):
        convolve_varying(light(), kernels)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2), (3, 33), (33, 1)])
def test_a_picture_with_fewer_pixels_than_nodes_is_blurred(size: tuple[int, int]) -> None:
    flat = np.full((*size, 3), 0.5)

    assert np.abs(convolve_varying(flat, [[gaussian_kernel(1.0)] * 9] * 9) - 0.5).max() < 1e-12
