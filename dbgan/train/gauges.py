"""Gauges of a training and what they warn of, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dbgan.image.quality import IDENTITY_DB
from dbgan.networks.motion import srgb_to_linear

CHANCE = 2.0 * math.log(2.0)
"""Loss of a discriminator that cannot tell: 2 ln 2."""

Z_IGNORED = 5e-4
"""Mean change of the output between two draws of z below which z does nothing visible."""


TOLD_APART = 0.9
"""Accuracy of a fresh discriminator on unseen pictures above which BGAN's blur is plainly not the real."""

OPEN_EVERYWHERE = 0.6
"""Mean openness of the trajectory head's layers over what stands still, of [0, 1], above which they tell nothing."""

LOW = 32
"""Side of the squares whose means are the low frequencies of z's effect, px: longer than most blur."""

SHIFTED = 0.01
"""Change of a picture's mean light, of [0, 1], above which BGAN tints. Light, because an honest blur brightens the
stored values beside highlights."""


def psnr(first: Tensor, second: Tensor) -> Tensor:
    """PSNR of each picture, dB, peak 1.0, after clamping to [0, 1]: (N,) float64. Equal pictures give 100 dB.

    For gauges only; published numbers come from `dbgan.evaluate.metrics`, on 8-bit pictures.
    """
    difference = first.double().clamp(0, 1) - second.double().clamp(0, 1)
    mse = difference.square().mean(dim=(1, 2, 3))
    return (-10.0 * torch.log10(mse.clamp_min(1e-10))).clamp_max(100.0)


def laplacian_variance(pictures: Tensor) -> Tensor:
    """Variance of the 3x3 Laplacian of luma: (N,). Sharp photographs about 0.007, blurred 0.0017."""
    luma = (pictures.float().clamp(0, 1) * pictures.new_tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, True)
    kernel = luma.new_tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]).view(1, 1, 3, 3)
    return F.conv2d(luma, kernel).var(dim=(1, 2, 3))


@torch.no_grad()
def bgan_gauges(
    generate: Callable[[Tensor, Tensor], Tensor], sharp: Tensor, z1: Tensor, z2: Tensor
) -> dict[str, float]:
    """Gauges of a blur generator on fixed sharp pictures and two fixed draws of noise.

    Args:
        generate: (x, z) -> blurry.
        sharp: NCHW in [0, 1].
        z1: (N, 4).
        z2: (N, 4), another draw.

    Returns:
        `psnr_to_sharp`: PSNR(G(x, z1), x), dB; `colour_shift`: mean |mean light of G(x, z1) - of x| by channel, which
        motion hardly changes; `z_sensitivity`: mean |G(x, z1) - G(x, z2)|; `z_tint`: the same of the channel means
        alone; `z_low`: of its means over squares of LOW px (tint: unwanted); `z_high`: of what is left without them
        (blur: wanted); `laplacian`: of G(x, z1); `laplacian_sharp`: of x.
    """
    first, second = generate(sharp, z1).float(), generate(sharp, z2).float()
    difference = first - second
    low = low_frequencies(difference)
    return {
        "psnr_to_sharp": float(psnr(first, sharp).mean()),
        "colour_shift": float((light(first) - light(sharp)).mean(dim=(2, 3)).abs().mean()),
        "z_low": float(low.abs().mean()),
        "z_high": float((difference - low).abs().mean()),
        "z_sensitivity": float(difference.abs().mean()),
        "z_tint": float(difference.mean(dim=(2, 3)).abs().mean()),
        "laplacian": float(laplacian_variance(first).mean()),
        "laplacian_sharp": float(laplacian_variance(sharp).mean()),
    }


def light(pictures: Tensor) -> Tensor:
    """Linear light of stored values, both in [0, 1]."""
    return srgb_to_linear(pictures.clamp(0.0, 1.0))


def low_frequencies(pictures: Tensor) -> Tensor:
    """NCHW with every square of LOW px replaced by its mean; squares at the right and below may be smaller."""
    means = F.avg_pool2d(pictures, LOW, ceil_mode=True)
    return means.repeat_interleave(LOW, 2).repeat_interleave(LOW, 3)[..., : pictures.shape[2], : pictures.shape[3]]


def bgan_warnings(row: Mapping[str, Any]) -> list[str]:
    """What one curve row of a BGAN says is wrong, with what to change."""
    warnings: list[str] = []
    if row["psnr_to_sharp"] > IDENTITY_DB:
        warnings.append(
            f"BGAN returns its input (PSNR {row['psnr_to_sharp']:.1f} dB, over {IDENTITY_DB:.0f}): "
            "give the discriminator a longer warm-up (warmup.max_steps, warmup.lr) or raise beta."
        )
    if row["z_sensitivity"] < Z_IGNORED:
        warnings.append(
            f"the noise z has no visible effect (mean change {row['z_sensitivity']:.5f}): "
            "set generator.noise: blocks, or train longer."
        )
    elif row["z_low"] > row["z_high"]:
        warnings.append(
            f"the noise z tints more than it blurs (low frequencies {row['z_low']:.4f}, high {row['z_high']:.4f}): "
            "raise content, set colour: luminance, or use generator.network: trajectory, which cannot tint."
        )
    if row["colour_shift"] > SHIFTED:
        warnings.append(
            f"BGAN tints (its mean light is {100 * row['colour_shift']:.1f} % from its input's): "
            "raise content, set colour: luminance, or use generator.network: trajectory, which cannot tint."
        )
    if row["laplacian"] > row["laplacian_sharp"]:
        warnings.append(
            f"BGAN sharpens (Laplacian variance {row['laplacian']:.4f}, of its input {row['laplacian_sharp']:.4f}): "
            "lower the learning rates or beta."
        )
    if row.get("fresh_accuracy", 0.5) > TOLD_APART:
        warnings.append(
            "a fresh discriminator tells BGAN's blur from real captures, in pictures that it has never seen (accuracy "
            f"{row['fresh_accuracy']:.2f}, chance 0.50): train longer or raise beta; where scenes or noise differ, it "
            "may judge these (see `match`)."
        )
    if row.get("layers_still", 0.0) > OPEN_EVERYWHERE:
        warnings.append(
            f"the layers are open over what stands still (by {row['layers_still']:.2f}, 1 is wide open), so that "
            "things move as the camera does: raise moving, or train longer."
        )
    return warnings + discriminator_warnings(row)


def discriminator_warnings(row: Mapping[str, Any]) -> list[str]:
    """What one curve row says about the discriminator; empty where none was trained."""
    if "d_loss" not in row:
        return []
    if row["d_accuracy"] < 0.55 and abs(row["d_loss"] - CHANCE) < 0.02:
        return [
            f"the discriminator is at chance (loss {row['d_loss']:.3f} of 2 ln 2 = {CHANCE:.3f}, accuracy "
            f"{row['d_accuracy']:.2f}): either its fakes are perfect or it carries no signal; look at the pictures."
        ]
    if row["d_loss"] < 0.02:
        return [
            f"the discriminator wins outright (loss {row['d_loss']:.4f}, accuracy {row['d_accuracy']:.2f}): "
            "it may judge noise, JPEG or colour instead of blur; see `match` in params."
        ]
    return []
