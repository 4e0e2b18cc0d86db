"""Weights at the start of training, drawn per tensor from (seed, network, tensor name): no global random state."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dbgan import seeds


def draw_normal(shape: torch.Size, std: float, *, seed: int, purpose: str, name: str) -> Tensor:
    """N(0, std) float32 of `shape`, a function of (seed, purpose, name) alone, the same on every machine."""
    values = seeds.generator(seed, purpose, name).standard_normal(tuple(shape), dtype="float32")
    return torch.from_numpy(values).mul_(std)


def kaiming_std(weight: Tensor, slope: float) -> float:
    """Standard deviation that keeps a signal's power through a layer and the (leaky) ReLU after it (He et al. 2015).

    Args:
        weight: convolution or linear weight; its fan-in is taken.
        slope: negative slope of the activation: 0 for ReLU, 1 for none.
    """
    return math.sqrt(2.0 / ((1.0 + slope**2) * weight[0].numel()))


@torch.no_grad()
def initialise(network: nn.Module, std: Callable[[str, Tensor], float], *, seed: int, purpose: str) -> None:
    """Draw every convolution and linear weight of `network` in place; biases become zero.

    Args:
        network: on the CPU, its tensors may be uninitialised.
        std: (module name, its weight) -> standard deviation; 0 makes the weight zero.
        seed: seed of all tensors.
        purpose: keeps networks of the same seed apart, such as "generator-bgan".
    """
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            spread = std(name, module.weight)
            module.weight.copy_(draw_normal(module.weight.shape, spread, seed=seed, purpose=purpose, name=name))
            if module.bias is not None:
                module.bias.zero_()
