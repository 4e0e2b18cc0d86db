"""Crops as networks see them: grey, at one brightness and contrast, under one noise, so that they judge blur alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dbgan import seeds
from dbgan.evaluate.audit.boxes import luma
from dbgan.evaluate.audit.crops import Shot


def neutral(shots: Sequence[Shot], noise: float, seed: int, purpose: str) -> tuple[Tensor, NDArray[np.int64]]:
    """All kept crops of `shots`, and the picture (index into `shots`) that each is of.

    Colour, brightness and contrast betray a camera or a scene, and the missing noise of an average betrays the average.
    A crop's luma is therefore brought to mean 0 and standard deviation 1, then gets noise of sigma `noise`.

    Returns:
        (N, 1, side, side) float32, and (N,).
    """
    rng = seeds.generator(seed, "audit noise", purpose)
    cut, owners = [], []
    for index, shot in enumerate(shots):
        for pixels in shot.pixels:
            y = luma(pixels)
            y = (y - y.mean()) / max(float(y.std()), 1e-3)
            cut.append(y + rng.normal(0.0, noise, y.shape).astype(np.float32))
            owners.append(index)
    return torch.from_numpy(np.stack(cut)[:, None].astype(np.float32)), np.array(owners, dtype=np.int64)
