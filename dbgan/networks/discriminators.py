"""Discriminators: real blur (or sharpness) against generated, one logit per crop or per patch. Paper section 3.2.

None has batch normalisation: at batch 4 it mixes the statistics of real and fake into the verdict. Kaiming
initialisation (slope 0.2) lets the signal through from the first step; a discriminator that starts at chance and
stays there lets BGAN collapse to the identity.
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from dbgan import seeds
from dbgan.errors import ParamsError
from dbgan.networks.initialise import initialise, kaiming_std

Kind = Literal["vgg128", "vgg19", "patch"]

SLOPE = 0.2
HIDDEN = 100
REDUCTION = 32
"""`vgg128` and `vgg19` halve the crop five times before the linear head."""

PATCH_SMALLEST = 24
"""Side of the smallest picture that leaves `patch` a logit, px."""


def _vgg128_layers(width: int) -> list[nn.Module]:
    """The released code's: 5 times (3x3, then 4x4 with stride 2)."""
    layers: list[nn.Module] = []
    inputs = 3
    for outputs in (width, 2 * width, 4 * width, 8 * width, 8 * width):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(SLOPE)]
        layers += [nn.Conv2d(outputs, outputs, 4, stride=2, padding=1), nn.LeakyReLU(SLOPE)]
        inputs = outputs
    return layers


def _vgg19_layers(width: int) -> list[nn.Module]:
    """VGG19's 16 convolutions in groups of 2, 2, 4, 4, 4, each group followed by max pooling."""
    layers: list[nn.Module] = []
    inputs = 3
    for outputs, count in ((width, 2), (2 * width, 2), (4 * width, 4), (8 * width, 4), (8 * width, 4)):
        for _ in range(count):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(SLOPE)]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    return layers


def _patch_layers(width: int) -> list[nn.Module]:
    """PatchGAN up to its last convolution, without its batch norms: 4x4, strides 2, 2, 2, 1 (Isola et al.,
    "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017)."""
    layers: list[nn.Module] = []
    inputs = 3
    for outputs, stride in ((width, 2), (2 * width, 2), (4 * width, 2), (8 * width, 1)):
        layers += [nn.Conv2d(inputs, outputs, 4, stride=stride, padding=1), nn.LeakyReLU(SLOPE)]
        inputs = outputs
    return layers


LAYERS = {"vgg128": _vgg128_layers, "vgg19": _vgg19_layers, "patch": _patch_layers}


class Discriminator(nn.Module):
    """Convolutions, then a head: linear, at width 64 and 128 px crops 8192-100-1 as in the released code; for `patch`
    one more convolution, whose every logit sees 70x70 px.

    Attributes:
        architecture: the arguments that rebuild this network (without its seed), JSON-able.
        crop: side of the pictures it is built for, px; `patch` takes any other of at least 24 px as well.
    """

    def __init__(self, kind: Kind, width: int, crop: int, spectral_norm: bool) -> None:
        super().__init__()
        self.crop = crop
        self.architecture: dict[str, Any] = {
            "network": "discriminator",
            "kind": kind,
            "width": width,
            "crop": crop,
            "spectral_norm": spectral_norm,
        }
        self.features = nn.Sequential(*LAYERS[kind](width))
        side = crop // REDUCTION
        if kind == "patch":
            self.head = nn.Sequential(nn.Conv2d(8 * width, 1, 4, padding=1))
            return
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(8 * width * side * side, HIDDEN), nn.LeakyReLU(SLOPE), nn.Linear(HIDDEN, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Logits: the larger, the more real. The probability is their sigmoid.

        Args:
            image: NCHW float RGB in [0, 1], H = W = `crop`; for `patch` any H and W of at least 24.

        Returns:
            (N, 1); for `patch` (N, 1, H // 8 - 2, W // 8 - 2).

        Raises:
            ValueError: pictures of another size.
        """
        kind = self.architecture["kind"]
        if kind == "patch":
            if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[-2:]) < PATCH_SMALLEST:
                raise ValueError(
                    f"discriminator patch: takes RGB pictures of at least {PATCH_SMALLEST}x{PATCH_SMALLEST} px, "
                    f"found shape {tuple(image.shape)}.\nNext: raise training.crop."
                )
        elif image.ndim != 4 or tuple(image.shape[1:]) != (3, self.crop, self.crop):
            raise ValueError(
                f"discriminator {kind}: its linear head takes RGB crops of {self.crop} px, "
                f"(N, 3, {self.crop}, {self.crop}); found {tuple(image.shape)}.\n"
                "Next: build it with discriminator(kind, crop=...), cut the crops to that size, or take kind patch."
            )
        return cast(Tensor, self.head(self.features(image)))


def discriminator(
    kind: Kind = "vgg128", *, width: int = 64, crop: int = 128, spectral_norm: bool = False, seed: int = 0
) -> Discriminator:
    """A discriminator with its starting weights, on the CPU, in training mode.

    Args:
        kind: `vgg128`: 10 convolutions, the released code's; `vgg19`: VGG19's 16 convolutions with the same head;
            `patch`: the 70 px PatchGAN, a map of logits.
        width: channels of the first convolution.
        crop: side of the crops it judges, px; a multiple of 32, for `patch` 24 or more.
        spectral_norm: bound every layer's largest singular value (Miyato et al. 2018).
        seed: seed of the weights, which depend on no global random state.

    Raises:
        ParamsError: an argument outside what is listed here.
    """
    if kind not in LAYERS:
        raise ParamsError(f"discriminator kind: expected one of {', '.join(LAYERS)}, found {kind!r}")
    if kind == "patch" and crop < PATCH_SMALLEST:
        raise ParamsError(f"discriminator patch: crop must be at least {PATCH_SMALLEST} px, found {crop}.")
    if kind != "patch" and (crop < REDUCTION or crop % REDUCTION):
        raise ParamsError(
            f"discriminator {kind}: it halves its crop five times, so the crop must be a multiple of {REDUCTION} px; "
            f"found {crop}.\n"
            f"Next: set training.crop to {max(1, round(crop / REDUCTION)) * REDUCTION}, or kind to patch."
        )
    network = build(kind=kind, width=width, crop=crop, spectral_norm=False)
    last = f"head.{len(network.head) - 1}"
    initialise(
        network,
        lambda name, weight: kaiming_std(weight, 1.0 if name == last else SLOPE),
        seed=seed,
        purpose=f"discriminator-{kind}",
    )
    return _with_spectral_norm(network, seed) if spectral_norm else network


def build(*, kind: Kind, width: int, crop: int, spectral_norm: bool) -> Discriminator:
    """A discriminator whose weights are uninitialised memory."""
    with torch.device("meta"):
        network = Discriminator(kind, width, crop, spectral_norm=False)
    network = network.to_empty(device="cpu")
    return _with_spectral_norm(network, seed=0) if spectral_norm else network


def _with_spectral_norm(network: Discriminator, seed: int) -> Discriminator:
    """Wrap every layer; torch draws the power iteration's start from the global generator, so a fork is seeded."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.digest_seed(seed, "spectral-norm"))
        for layer in [*network.features, *network.head]:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                parametrizations.spectral_norm(layer)
    network.architecture["spectral_norm"] = True
    return network
