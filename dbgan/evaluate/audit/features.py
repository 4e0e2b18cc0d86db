"""The feature network of KID and of diversity: VGG19 trained on ImageNet where its weights are there, else random."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dbgan.networks.features import VGG19_URL, PerceptualFeatures, perceptual
from dbgan.params import FeatureParams

BATCH = 16
MEAN, SPREAD = 0.45, 0.22
"""Of a usual photograph's luma in [0, 1]; neutral crops are brought there before the network sees them."""


def network(params: FeatureParams) -> tuple[PerceptualFeatures, str]:
    """The network, and a sentence where it is not the one that was asked for (else empty).

    Weights are never downloaded here: an audit must not wait for half a gigabyte. Where `imagenet` is asked for and its
    file is not in `$TORCH_HOME`, random features take its place, and the sentence says so.
    """
    weights, width, note = params.weights, params.width, ""
    file = Path(torch.hub.get_dir()) / "checkpoints" / VGG19_URL.rsplit("/", 1)[-1]
    if weights == "imagenet" and not file.is_file():
        weights, width = "random", RANDOM_WIDTH
        note = (
            f"VGG19's ImageNet weights are not in {file.parent.name}/{file.name} of torch hub's folder: feature "
            "distances are of random features, which see blur, but not as people do."
        )
    return perceptual(weights, width, params.seed, params.taps), note


RANDOM_WIDTH = 16


def vectors(net: PerceptualFeatures, crops: Tensor) -> NDArray[np.float64]:
    """Mean and standard deviation over space of each channel of each tap, (N, 2 * channels).

    Args:
        net: the network.
        crops: (N, 1, side, side), see `neutral`.
    """
    found = []
    for batch in torch.split(crops, BATCH):
        maps = _maps(net, batch)
        pooled = [torch.cat([m.mean(dim=(2, 3)), m.std(dim=(2, 3), unbiased=False)], dim=1) for m in maps]
        found.append(torch.cat(pooled, dim=1))
    return np.asarray(torch.cat(found).double().numpy())


def _maps(net: PerceptualFeatures, batch: Tensor) -> tuple[Tensor, ...]:
    with torch.inference_mode():
        found = net((MEAN + SPREAD * batch).clamp(0, 1).expand(-1, 3, -1, -1))
    return found if isinstance(found, tuple) else (found,)


def distance(
    net: PerceptualFeatures, first: Sequence[NDArray[np.uint8]], second: Sequence[NDArray[np.uint8]]
) -> list[float]:
    """How different pairs of HWC uint8 RGB crops of one size look to the network, from 0.

    Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric" (2018), Eq. 1 with all
    weights 1: squared differences of features of unit length, the mean over space, the sum over taps.
    """
    if not first:
        return []
    with torch.inference_mode():
        a, b = (
            torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255 for crops in (list(first), list(second))
        )
        total = torch.zeros(len(a))
        for x, y in zip(*(m if isinstance(m, tuple) else (m,) for m in (net(a), net(b))), strict=True):
            x, y = (m / (m.square().sum(dim=1, keepdim=True).sqrt() + 1e-8) for m in (x, y))
            total += (x - y).square().sum(dim=1).mean(dim=(1, 2))
        return [float(value) for value in total]
