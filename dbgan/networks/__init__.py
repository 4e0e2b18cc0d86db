"""Generators, discriminators, perceptual features, tiles and weight files.

Names are imported on first use, so that `import dbgan.networks` does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbgan.networks.discriminators import Discriminator, discriminator
    from dbgan.networks.features import PerceptualFeatures, perceptual
    from dbgan.networks.generators import parameter_count
    from dbgan.networks.registry import NOISE_CHANNELS, Generator, generator
    from dbgan.networks.tiles import receptive_radius
    from dbgan.networks.weights import load_weights, save_weights

__all__ = [
    "NOISE_CHANNELS",
    "Discriminator",
    "Generator",
    "PerceptualFeatures",
    "discriminator",
    "generator",
    "load_weights",
    "parameter_count",
    "perceptual",
    "receptive_radius",
    "save_weights",
]

_HOMES = {
    "NOISE_CHANNELS": "registry",
    "Discriminator": "discriminators",
    "Generator": "registry",
    "PerceptualFeatures": "features",
    "discriminator": "discriminators",
    "generator": "registry",
    "load_weights": "weights",
    "parameter_count": "generators",
    "perceptual": "features",
    "receptive_radius": "tiles",
    "save_weights": "weights",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
