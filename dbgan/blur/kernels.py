"""Blur kernels and their application, Eq. 3: B = K * S + N.

Kernels are square, odd-sided, float64, non-negative, sum to 1 and have their centroid at the centre, so that the blurry
image stays aligned with its sharp one. Lengths, radii and sigmas are in pixels.
"""

from __future__ import annotations

import itertools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.blur.response import Response, check_image, from_linear, linear_table, to_uint8

Kernel = NDArray[np.float64]
Blurred = NDArray[np.float32] | NDArray[np.float64]
Light = Blurred | NDArray[np.uint8]
Path2D = NDArray[np.float64]
"""(N, 2) positions x (right), y (down) in px, equally spaced in time."""

PATH_POINTS = 512
OVERSAMPLING = 9
"""Sub-pixels per side for disks: their edge pixels are covered in part."""

DIRECT = 130
"""Values of a kernel from which on OpenCV convolves float32 by Fourier transform."""
FEW = 150
"""Values above 0 up to which pieces of a kernel, summed directly, are faster than that."""
_PIECE = 11
_BAND = 48
"""Rows that are blurred by all pieces before the next, so that they stay in the CPU's cache."""


def shake_path(
    rng: np.random.Generator,
    length: float,
    *,
    wander: float = 1.5,
    impulses: float = 0.5,
    pull: float = 1.0,
    pace: float = 0.5,
    points: int = PATH_POINTS,
) -> Path2D:
    """A hand's random motion during one exposure, in the manner of Boracchi and Foi (2012).

    A particle walks `points` steps whose lengths sum to `length`. At each step its heading gets Gaussian jitter and a
    pull back to where it began, and with small probability an impulse that turns it round (pressing the shutter).

    Args:
        rng: all randomness.
        length: length of the whole path, px, above 0.
        wander: heading's standard deviation after the exposure, were it jitter alone, rad; 0 to 3 is plausible.
        impulses: expected number of sudden reversals; 0 to 1.
        pull: strength towards the start, 0 (free) to 3; 1 would turn the path once round at a distance of `length`.
        pace: relative swing of the speed during the exposure, 0 (constant) to below 1.
        points: of the path.

    Returns:
        (points, 2) float64 px; its mean is (0, 0).
    """
    if length <= 0 or not 0 <= pace < 1 or points < 2:
        raise ValueError(f"shake_path needs length > 0, 0 <= pace < 1, points >= 2; got {length}, {pace}, {points}")
    steps = points - 1
    heading = rng.uniform(-math.pi, math.pi)
    jitter = rng.normal(0.0, wander / math.sqrt(steps), steps)
    turned = rng.random(steps) < impulses / steps
    turns = math.pi + rng.uniform(-0.5, 0.5, steps)
    phase, cycles = rng.uniform(0, 2 * math.pi), rng.uniform(0.5, 1.5)
    speed = 1.0 + pace * np.sin(phase + 2 * math.pi * cycles * np.arange(steps) / steps)
    speed *= length / speed.sum()
    turn = 2 * math.pi / (length * steps)
    x = y = 0.0
    path = np.zeros((points, 2))
    # Plain floats: arrays of two would cost 3 ms a picture, in which no other thread of Python works.
    bends = (jitter + np.where(turned, turns, 0.0)).tolist()
    for k, (bend, stride) in enumerate(zip(bends, speed.tolist(), strict=True), start=1):
        heading += bend
        along, down = math.cos(heading) - pull * x * turn, math.sin(heading) - pull * y * turn
        heading = math.atan2(down, along)
        size = float(np.hypot(along, down))
        x, y = x + stride * along / size, y + stride * down / size
        path[k] = x, y
    return np.asarray(path - path.mean(axis=0))


def path_kernel(path: Path2D) -> Kernel:
    """The kernel of a path: each moment's light is shared bilinearly among four pixels. The centroid is centred."""
    centred = path - path.mean(axis=0)
    half = math.ceil(float(np.abs(centred).max())) + 1
    side = 2 * half + 1
    kernel = np.zeros((side, side))
    corner = np.floor(centred).astype(int)
    fraction = centred - corner
    for dx in (0, 1):
        for dy in (0, 1):
            weight = np.abs(1 - dx - fraction[:, 0]) * np.abs(1 - dy - fraction[:, 1])
            np.add.at(kernel, (corner[:, 1] + dy + half, corner[:, 0] + dx + half), weight)
    return np.asarray(kernel / kernel.sum())


def linear_path(length: float, angle: float) -> Path2D:
    """Straight motion at constant speed over `length` px at `angle` rad, (PATH_POINTS, 2); its mean is (0, 0)."""
    if length < 0:
        raise ValueError(f"length must be at least 0 px, got {length}")
    t = np.linspace(-0.5, 0.5, PATH_POINTS)[:, None] * length
    return np.asarray(t * np.array([[math.cos(angle), math.sin(angle)]]))


def linear_kernel(length: float, angle: float) -> Kernel:
    """Uniform straight motion over `length` px at `angle` rad (0: along x, counted towards +y, downwards)."""
    return path_kernel(linear_path(length, angle))


def disk_kernel(radius: float) -> Kernel:
    """Defocus by a round aperture: a uniform disk of `radius` px, its edge anti-aliased."""
    if radius <= 0:
        raise ValueError(f"radius must be above 0 px, got {radius}")
    half = max(1, math.ceil(radius))
    side = 2 * half + 1
    fine = (np.arange(side * OVERSAMPLING) + 0.5) / OVERSAMPLING - side / 2
    inside = (fine[:, None] ** 2 + fine[None, :] ** 2 <= radius**2).astype(np.float64)
    kernel = inside.reshape(side, OVERSAMPLING, side, OVERSAMPLING).sum(axis=(1, 3))
    return np.asarray(kernel / kernel.sum())


def gaussian_kernel(sigma: float) -> Kernel:
    """An isotropic Gaussian of `sigma` px, cut at 4 sigma."""
    if sigma <= 0:
        raise ValueError(f"sigma must be above 0 px, got {sigma}")
    half = max(1, math.ceil(4 * sigma))
    profile = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    kernel = np.outer(profile, profile)
    return np.asarray(kernel / kernel.sum())


def check_kernel(kernel: Kernel) -> None:
    """Raise `ValueError` unless `kernel` is 2-D, odd-sided, finite, non-negative and sums to 1 within 1e-6."""
    if kernel.ndim != 2 or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0:
        raise ValueError(f"a kernel is 2-D with odd sides, found shape {kernel.shape}")
    if not np.all(np.isfinite(kernel)) or kernel.min() < 0 or abs(float(kernel.sum()) - 1.0) > 1e-6:
        raise ValueError(
            f"a kernel is non-negative and sums to 1, found minimum {kernel.min():.3g} and sum {kernel.sum():.6g}"
        )


def convolve(light: Light, kernel: Kernel) -> Blurred:
    """K * S of Eq. 3, borders mirrored about the edge pixel; a true convolution, so K is flipped.

    In float32 it takes a half to a tenth of the time, and is within 2e-6 of float64 for light in [0, 1].

    Args:
        light: HWC, float32 or float64, which decides the precision; uint8 is blurred in float32, unscaled.
        kernel: as `check_kernel` wants it.

    Returns:
        HWC float32 or float64.
    """
    flipped = np.ascontiguousarray(kernel[::-1, ::-1])
    if light.dtype == np.float64:
        return np.asarray(cv2.filter2D(light, -1, flipped, borderType=cv2.BORDER_REFLECT_101), np.float64)
    return _convolve_fast(light, _trimmed(flipped))


def _convolve_fast(light: Light, flipped: Kernel) -> NDArray[np.float32]:
    """By rows and columns where the kernel is a product, by pieces where few of its values are above 0, else whole.

    OpenCV sums directly below `DIRECT` values and by Fourier transform above. Directly it skips zeros, and most of a
    path's kernel are: so such a kernel is cut into pieces, whose results add up.
    """
    down, along = flipped.sum(axis=1), flipped.sum(axis=0)
    # A kernel that sums to 1 and is a product is that of its marginal sums: Gaussians, and upright motion.
    if min(flipped.shape) > 1 and np.abs(np.outer(down, along) - flipped).max() < 1e-15:
        done = cv2.sepFilter2D(light, cv2.CV_32F, along, down, borderType=cv2.BORDER_REFLECT_101)
        return np.asarray(done, np.float32)
    light = light.astype(np.float32, copy=False)
    if flipped.size < DIRECT or np.count_nonzero(flipped) > FEW:
        return np.asarray(cv2.filter2D(light, cv2.CV_32F, flipped, borderType=cv2.BORDER_REFLECT_101), np.float32)
    height, width = light.shape[:2]
    tall, wide = flipped.shape[0] // 2, flipped.shape[1] // 2
    padded = cv2.copyMakeBorder(light, tall, tall, wide, wide, cv2.BORDER_REFLECT_101)
    blurred = np.zeros(light.shape, np.float32)
    for top in range(0, height, _BAND):
        rows = blurred[top : top + _BAND]
        for down_by, along_by, piece in _pieces(flipped):
            # An anchor in the corner: the border mode touches only what is cut off.
            from_row, from_column = top + down_by, along_by
            part = padded[
                from_row : from_row + len(rows) + piece.shape[0] - 1,
                from_column : from_column + width + piece.shape[1] - 1,
            ]
            rows += cv2.filter2D(part, cv2.CV_32F, piece, anchor=(0, 0))[: len(rows), :width]
    return blurred


def _pieces(kernel: Kernel) -> list[tuple[int, int, Kernel]]:
    """(row, column, piece) of the parts of a kernel of at most `_PIECE` by `_PIECE` that are not all 0."""
    places = itertools.product(*(range(0, side, _PIECE) for side in kernel.shape))
    found = ((row, column, kernel[row : row + _PIECE, column : column + _PIECE]) for row, column in places)
    return [(row, column, np.ascontiguousarray(piece)) for row, column, piece in found if piece.any()]


def _trimmed(kernel: Kernel) -> Kernel:
    """The kernel without empty rows and columns at its border, as many on one side as on the other."""
    margins = []
    for axis in (1, 0):
        used = np.flatnonzero(kernel.any(axis=axis))
        margins.append(min(int(used[0]), kernel.shape[1 - axis] - 1 - int(used[-1])))
    top, left = margins
    return np.ascontiguousarray(kernel[top : kernel.shape[0] - top, left : kernel.shape[1] - left])


def apply_kernel(image: NDArray[np.uint8], kernel: Kernel, *, response: Response = "stored") -> NDArray[np.uint8]:
    """Eq. 3 without its noise: the image convolved with a kernel, in float64.

    Args:
        image: HWC uint8 RGB.
        kernel: as `check_kernel` wants it.
        response: `stored` convolves the stored values, as Eq. 3 is printed; a curve convolves light (Eq. 4).

    Returns:
        HWC uint8 RGB, same size; borders are mirrored.

    Raises:
        ValueError: a wrong image, kernel or response.
    """
    check_image(image)
    check_kernel(kernel)
    return to_uint8(from_linear(np.asarray(convolve(linear_table(response)[image], kernel), np.float64), response))
