"""Losses: adversarial (classical and relativistic average), content, perceptual. Paper sections 3.3 and 3.4.

C(.) is the discriminator's logit and E[.] the mean over the batch, as in A. Jolicoeur-Martineau, "The relativistic
discriminator" (ICLR 2019). Eqs. 7 and 8 as printed are the discriminator's loss: a generator that minimises them
learns to be caught. The generator gets the swapped form here; docs/paper.md has the numbers.

Whose gradient: in a discriminator loss the caller passes logits of detached fakes, D(G(x).detach()). In the
relativistic generator loss the real logits may be detached: they hold no gradient for G, which is reached through
the fake logits alone, in E[C(fake)] as well. All are computed in float32, whatever precision the logits have.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dbgan.train.spans import span

Past = tuple[Tensor, Tensor]
"""(real, fake) logits (P,) of earlier batches that join E[.]; they hold no gradient. See `dbgan.train.pool`."""


def relativistic_discriminator_loss(real_logits: Tensor, fake_logits: Tensor, past: Past | None = None) -> Tensor:
    """BCE(C(real) - E[C(fake)], 1) + BCE(C(fake) - E[C(real)], 0); 2 ln 2 when D cannot tell.

    Args:
        real_logits: (N, 1), (N,) or a map (N, 1, h, w), float; E[.] is the mean over all of them.
        fake_logits: (M, 1), (M,) or (M, 1, h, w) float, of detached fakes.
        past: logits that join those of the batch in E[.]; None: the batch alone.

    Returns:
        Scalar float32.

    Raises:
        ValueError: logits of another shape, or none.
    """
    real, fake = _flat(real_logits, "real"), _flat(fake_logits, "fake")
    real_mean, fake_mean = _means(real, fake, past)
    return _says_real(real - fake_mean) + _says_fake(fake - real_mean)


def relativistic_generator_loss(real_logits: Tensor, fake_logits: Tensor, past: Past | None = None) -> Tensor:
    """BCE(C(real) - E[C(fake)], 0) + BCE(C(fake) - E[C(real)], 1): falls as fakes fool D.

    Arguments, result and errors as in `relativistic_discriminator_loss`; the real logits may be detached.
    """
    real, fake = _flat(real_logits, "real"), _flat(fake_logits, "fake")
    real_mean, fake_mean = _means(real, fake, past)
    return _says_fake(real - fake_mean) + _says_real(fake - real_mean)


def classical_discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """BCE(C(real), 1) + BCE(C(fake), 0) (Goodfellow et al. 2014); 2 ln 2 when D cannot tell.

    Arguments, result and errors as in `relativistic_discriminator_loss`.
    """
    return _says_real(_flat(real_logits, "real")) + _says_fake(_flat(fake_logits, "fake"))


def classical_generator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """BCE(C(fake), 1), the non-saturating form. `real_logits` are not used: the four losses take the same arguments.

    Arguments, result and errors as in `relativistic_discriminator_loss`.
    """
    return _says_real(_flat(fake_logits, "fake"))


def content(output: Tensor, target: Tensor, kind: Literal["l1", "mse"] = "l1") -> Tensor:
    """Mean absolute (`l1`, section 3.3) or squared (`mse`, section 3.4) difference of two pictures; scalar float32.

    Args:
        output: the generator's NCHW float.
        target: NCHW float of the same shape.
        kind: which difference.

    Raises:
        ValueError: shapes that differ (broadcasting would hide it), or another kind.
    """
    if output.shape != target.shape:
        raise ValueError(f"content: expected two shapes alike, found {tuple(output.shape)} and {tuple(target.shape)}")
    if kind == "l1":
        return F.l1_loss(output.float(), target.float())
    if kind == "mse":
        return F.mse_loss(output.float(), target.float())
    raise ValueError(f"content: expected kind l1 or mse, found {kind!r}")


LOW_PASS = 8
"""Side of the squares whose means `low_pass_content` compares, px."""


def low_pass_content(output: Tensor, target: Tensor) -> Tensor:
    """L1 between the means of squares of LOW_PASS px: what blur leaves as it is, and tint does not.

    Args:
        output: NCHW float, sides of at least LOW_PASS px.
        target: of the same shape.

    Returns:
        Scalar float32.
    """
    return F.l1_loss(F.avg_pool2d(output.float(), LOW_PASS), F.avg_pool2d(target.float(), LOW_PASS))


def perceptual(features: nn.Module, output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of `features` (dbgan.networks.perceptual), summed over layers; scalar float32.

    Args:
        features: NCHW picture in [0, 1] -> features, or a tuple of those of several layers, times their weights.
        output: the generator's NCHW float.
        target: NCHW float: BGAN's own sharp input, or DBGAN's sharp target. No gradient goes there.
    """
    with span("perceptual"):
        with torch.no_grad():
            wanted = features(target)
        found = features(output)
    if isinstance(wanted, Tensor):
        return content(found, wanted, "l1")
    return torch.stack([content(own, other, "l1") for own, other in zip(found, wanted, strict=True)]).sum()


def _means(real: Tensor, fake: Tensor, past: Past | None) -> tuple[Tensor, Tensor]:
    """E[C(real)] and E[C(fake)], over the batch and the pool."""
    if past is None:
        return real.mean(), fake.mean()
    return torch.cat((real, past[0].to(real))).mean(), torch.cat((fake, past[1].to(fake))).mean()


def _says_real(logits: Tensor) -> Tensor:
    """Binary cross entropy of sigmoid(logits) against 1, mean over the batch."""
    return F.softplus(-logits).mean()


def _says_fake(logits: Tensor) -> Tensor:
    """Binary cross entropy of sigmoid(logits) against 0, mean over the batch."""
    return F.softplus(logits).mean()


def _flat(logits: Tensor, name: str) -> Tensor:
    """All logits in a row: those of the map of a `patch` discriminator count as so many verdicts."""
    if logits.numel() == 0 or logits.ndim not in (1, 2, 4) or (logits.ndim > 1 and logits.shape[1] != 1):
        raise ValueError(
            f"{name} logits: expected (N, 1), (N,) or (N, 1, h, w) with N at least 1, found {tuple(logits.shape)}"
        )
    return logits.reshape(-1).float()
