"""Sharpness against definitions written out in scipy, and against known blur of real frames."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.stats import spearmanr

from dbgan.blur.kernels import linear_kernel
from dbgan.image.codec import decode
from dbgan.image.quality import luma
from dbgan.image.quality.noise import noise_floor, response
from dbgan.image.quality.sharpness import edge_extent, sharpness, smoothed
from tests.draws import RNG


def moved(picture: NDArray[np.uint8], length: float, degrees: float) -> NDArray[np.uint8]:
    if length == 0:
        return picture
    kernel = np.asarray(linear_kernel(length, math.radians(degrees)))
    return np.asarray(cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REFLECT), dtype=np.uint8)


def noisy(picture: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    return np.clip(picture + RNG.normal(0, sigma, picture.shape), 0, 255).round().astype(np.uint8)


def sharpness_of(y: NDArray[np.uint8]) -> float:
    return sharpness(y, noise_floor(response(y)))


def test_sharpness_follows_its_definition() -> None:
    y = noisy(np.kron(RNG.integers(40, 200, (9, 12)), np.ones((9, 9))).astype(np.uint8), 2)
    binomial = np.array([1, 8, 28, 56, 70, 56, 28, 8, 1]) / 256
    smooth = ndimage.correlate1d(
        ndimage.correlate1d(y.astype(float), binomial, 0, mode="mirror"), binomial, 1, mode="mirror"
    )
    difference = np.array([-0.5, 0, 0.5])
    maps = [ndimage.laplace(smooth), *(ndimage.correlate1d(smooth, difference, axis) for axis in (0, 1))]
    kernel = np.pad(np.outer(binomial, binomial), 3)
    kernels = [ndimage.laplace(kernel), *(ndimage.correlate1d(kernel, difference, axis) for axis in (0, 1))]
    noise = noise_floor(response(y)) ** 2
    found = []
    for top in range(1, y.shape[0] - 16, 16):
        for left in range(1, y.shape[1] - 16, 16):
            place = (slice(top, top + 16), slice(left, left + 16))
            powers = [np.mean(m[place] ** 2) - (k**2).sum() * noise for m, k in zip(maps, kernels, strict=True)]
            found.append((y[place].astype(float).var(), powers[0] / (powers[1] + powers[2])))
    busiest = sorted(found, reverse=True)[: -(-len(found) // 4)]
    # kept in 1/4096 of a grey level
    assert sharpness_of(y) == pytest.approx(np.median([ratio for _, ratio in busiest]), rel=1e-4)


def test_a_plain_wall_around_them_does_not_blur_the_edges() -> None:
    edges = np.kron(RNG.integers(40, 200, (12, 12)), np.ones((12, 12))).astype(np.uint8)
    alone = np.tile(edges, (2, 2))
    beside = np.full((448, 448), 120, np.uint8)
    beside[: alone.shape[0], : alone.shape[1]] = alone
    assert sharpness_of(noisy(beside, 2)) == pytest.approx(sharpness_of(noisy(alone, 2)), rel=0.1)
    assert sharpness_of(moved(alone, 9, 30)) < 0.7 * sharpness_of(alone)


def test_a_picture_is_as_sharp_in_any_place_and_size_of_memory() -> None:
    """Slices, Fortran order: the bytes of a manifest may not depend on where a picture came from."""
    y = noisy(np.kron(RNG.integers(40, 200, (30, 40)), np.ones((8, 8))).astype(np.uint8), 2)
    inside = np.pad(y, 7)[7:-7, 7:-7]
    assert sharpness_of(np.ascontiguousarray(inside)) == sharpness_of(y)
    assert sharpness_of(np.asfortranarray(y)) == sharpness_of(y)


def test_half_the_contrast_leaves_sharpness_and_extent() -> None:
    y = cv2.GaussianBlur(RNG.integers(0, 128, (200, 200)).astype(np.uint8) * 2, (0, 0), 1.5) // 2 * 2
    half = y // 2
    assert sharpness_of(half) == pytest.approx(sharpness_of(y), rel=0.05)
    assert edge_extent(smoothed(half)) == pytest.approx(edge_extent(smoothed(y)), rel=0.02)


@pytest.mark.parametrize("length", [6, 10, 16])
def test_the_extent_of_a_ramp_is_its_length(length: int) -> None:
    ramp = np.clip((40 - np.abs(np.arange(400) % 80 - 40) - 10) * (200 / length), 0, 200)  # up and down
    y = np.tile(ramp.astype(np.uint8), (100, 1))
    extent = edge_extent(smoothed(y))
    assert extent is not None
    assert length - 0.1 < extent < length + 1.5  # the smoothing rounds the ramp's feet


def test_edges_along_the_motion_do_not_hide_the_blur_across_it() -> None:
    squares = np.kron(RNG.integers(0, 2, (12, 12)), np.ones((24, 24))).astype(np.uint8) * 200
    across = edge_extent(smoothed(moved(squares, 12, 0)))
    assert across == pytest.approx(12, abs=1.5)
    assert edge_extent(smoothed(moved(squares, 12, 90))) == pytest.approx(across, rel=0.05)


def test_a_flat_picture_has_no_edges() -> None:
    assert edge_extent(smoothed(np.full((64, 64), 90, np.uint8))) is None
    assert edge_extent(smoothed(noisy(np.full((64, 64), 90, np.uint8), 1))) is None


def test_a_texture_is_hardly_noise_to_the_floor() -> None:
    flat = np.full((160, 160), 120, np.uint8)
    flat[:, :80] = RNG.integers(0, 256, (160, 80))
    assert noise_floor(response(noisy(flat, 4))) == pytest.approx(4, rel=0.25)
    assert noise_floor(response(flat)) == 0.0


@pytest.mark.parametrize("sigma", [0.0, 3.0])
def test_sharpness_is_monotone_in_known_blur_of_real_frames(shared_data: Path, sigma: float) -> None:
    lengths = (0, 3, 6, 10, 15, 21, 27)
    for index, frame in enumerate(sorted(shared_data.glob("gopro/test/*/sharp/*.png"))[:3]):
        sharp = luma(decode(frame.read_bytes()))
        rows = [noisy(moved(sharp, length, 50 * index), sigma) for length in lengths]
        assert -spearmanr(lengths, [sharpness_of(y) for y in rows]).statistic > 0.95
        assert spearmanr(lengths, [edge_extent(smoothed(y)) for y in rows]).statistic > 0.95


def test_measures_of_sharpness_tell_real_blur_from_sharp_frames(shared_data: Path) -> None:
    sharp = [*shared_data.glob("gopro/test/*/sharp/*.png"), *sorted(shared_data.glob("reds/*/sharp/*.png"))[::6]]
    sharp += shared_data.glob("real-blur/*/triplet/*_S.*")
    real = [p for p in shared_data.rglob("real-blur/*/*/*.*") if "_S." not in p.name and p.stat().st_size < 1_000_000]
    sides = [[luma(decode(p.read_bytes())) for p in paths] for paths in (real, sharp)]
    assert min(len(side) for side in sides) >= 10
    for name, of in (("extent", lambda y: edge_extent(smoothed(y))), ("sharpness", lambda y: -sharpness_of(y))):
        blurry, clear = (np.array([v for y in side if (v := of(y)) is not None]) for side in sides)
        assert np.mean((blurry[:, None] > clear) + 0.5 * (blurry[:, None] == clear)) > 0.9, name
