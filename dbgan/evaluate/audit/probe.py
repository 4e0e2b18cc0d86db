"""The fixed small network by which corpora are compared: what it learns in a fixed time is the corpus' doing."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from dbgan import seeds

DILATIONS = (1, 2, 4)


class Probe(nn.Module):
    """A residual network of five convolutions that sees 11 px to each side and starts at the identity.

    DBGAN's own blocks start so close to the identity that a few hundred steps teach them nothing; this one gains
    0.5 dB in 200 steps of 8 pairs of 48 px, in four seconds on one core.

    Attributes:
        receptive_radius, stride, whole_pixels: see `dbgan.networks.registry.Generator`; `restore` asks for them.
    """

    receptive_radius = 2 + sum(DILATIONS) + 2
    stride = 1
    whole_pixels = 0

    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, width, 5, padding=2)
        self.middle = nn.ModuleList([nn.Conv2d(width, width, 3, padding=d, dilation=d) for d in DILATIONS])
        self.last = nn.Conv2d(width, 3, 5, padding=2)
        rng = seeds.generator(seed, "probe")
        with torch.no_grad():
            for layer in (self.first, *self.middle, self.last):
                assert isinstance(layer, nn.Conv2d)
                assert layer.bias is not None
                drawn = np.sqrt(2 / layer.weight[0].numel()) * rng.standard_normal(tuple(layer.weight.shape))
                layer.weight.copy_(torch.from_numpy(drawn.astype(np.float32)))
                layer.bias.zero_()
            self.last.weight.zero_()

    def forward(self, picture: Tensor) -> Tensor:
        """NCHW float RGB in [0, 1] -> the same shape."""
        features = torch.relu(self.first(picture - 0.5))
        for layer in self.middle:
            features = features + 0.5 * torch.relu(layer(features))
        restored: Tensor = picture + self.last(features)
        return restored
