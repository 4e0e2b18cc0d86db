"""Blur that differs over the picture: a grid of kernels, interpolated between its nodes.

Nodes lie evenly from border to border, the outer ones on the picture's edge. Between four nodes a pixel's kernel is
their bilinear mean: B(p) = sum_i w_i(p) (K_i * S)(p), w_i(p) >= 0, sum_i w_i(p) = 1 (Nagy and O'Leary 1998). Each
node's kernel has its centroid at its centre, so every pixel's has: no part of the picture is shifted.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.blur.kernels import Blurred, Kernel, Light, check_kernel, convolve

KernelGrid = Sequence[Sequence[Kernel]]
"""Rows of kernels, from the upper left node; every row has as many."""


def node_positions(side: int, height: int, width: int) -> NDArray[np.float64]:
    """Where the nodes of a `side` by `side` grid lie: (side, side, 2) x, y from the picture's centre in half-diagonals.

    So corners are at distance 1. A grid of one node has it at the centre.
    """
    if side == 1:
        return np.zeros((1, 1, 2))
    share = np.linspace(-1.0, 1.0, side)
    x, y = np.meshgrid(share * (width - 1), share * (height - 1))
    return np.asarray(np.stack([x, y], axis=2) / max(np.hypot(width - 1, height - 1), 1.0))


def convolve_varying(light: Light, kernels: KernelGrid) -> Blurred:
    """Convolve with the kernel that a grid gives each pixel; borders mirrored about the edge pixel, as in `convolve`.

    Args:
        light: HWC, float32 or float64, which decides the precision; uint8 is blurred in float32, unscaled.
        kernels: at least one; a grid of one is `convolve`.

    Returns:
        HWC float32 or float64 of the same shape.

    Raises:
        ValueError: no kernel, rows of different lengths, or a kernel that is none.
    """
    if not kernels or not kernels[0] or len({len(row) for row in kernels}) != 1:
        raise ValueError(f"a grid of kernels has equal rows, found rows of {[len(row) for row in kernels]}")
    for row in kernels:
        for kernel in row:
            check_kernel(kernel)
    if len(kernels) == len(kernels[0]) == 1:
        return convolve(light, kernels[0][0])
    down = _hats(light.shape[0], len(kernels))
    along = _hats(light.shape[1], len(kernels[0]))
    margin = max(max(kernel.shape) // 2 for row in kernels for kernel in row)
    padded = cv2.copyMakeBorder(light, margin, margin, margin, margin, cv2.BORDER_REFLECT_101)
    blurred: Blurred = np.zeros(light.shape, np.float64 if light.dtype == np.float64 else np.float32)
    for r, row in enumerate(kernels):
        for c, kernel in enumerate(row):
            _add_node(blurred, padded, margin, kernel, down[r], along[c])
    return blurred


def _add_node(
    blurred: Blurred,
    padded: Light,
    margin: int,
    kernel: Kernel,
    down: NDArray[np.float64],
    along: NDArray[np.float64],
) -> None:
    """Add one node's share, computed only where its weight is above 0."""
    if not (down.any() and along.any()):
        return  # more nodes than pixels: this one lies between two of them
    rows, columns = _extent(down), _extent(along)
    tall, wide = kernel.shape[0] // 2, kernel.shape[1] // 2
    part = padded[
        rows.start + margin - tall : rows.stop + margin + tall,
        columns.start + margin - wide : columns.stop + margin + wide,
    ]
    # The border mode touches only what is cut off.
    filtered = convolve(part, kernel)[tall : part.shape[0] - tall, wide : part.shape[1] - wide]
    weights = (down[rows, None] * along[None, columns]).astype(blurred.dtype)
    blurred[rows, columns] += np.multiply(weights[..., None], filtered)


def _hats(length: int, nodes: int) -> NDArray[np.float64]:
    """(nodes, length): each node's linear weight at every pixel; columns sum to 1."""
    if nodes == 1:
        return np.ones((1, length))
    place = np.arange(length) / max(length - 1, 1) * (nodes - 1)
    return np.clip(1.0 - np.abs(place[None, :] - np.arange(nodes)[:, None]), 0.0, 1.0)


def _extent(weights: NDArray[np.float64]) -> slice:
    used = np.flatnonzero(weights > 0)
    return slice(int(used[0]), int(used[-1]) + 1)
