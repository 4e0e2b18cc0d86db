"""Perceptual features: VGG19 up to conv5_4, before its ReLU. Paper section 3.2 ("features before ReLU").

The released code takes torchvision's `features[:35]` with ImageNet's mean and deviation; so does this.
"""

from __future__ import annotations

import urllib.error
from pathlib import Path
from typing import cast

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dbgan import files, seeds
from dbgan.errors import ParamsError, WeightsError
from dbgan.networks.initialise import initialise, kaiming_std
from dbgan.networks.weights import check_tensors

VGG19_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
VGG19_SHA256 = "dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44"
"""torchvision's VGG19_Weights.IMAGENET1K_V1, 574,673,361 bytes."""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

MIN_SIDE = 16
"""Four poolings come before conv5_4."""

GROUPS = ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4))
"""(channels as a multiple of the width, convolutions) of VGG19's five groups; a pooling between two groups."""


class PerceptualFeatures(nn.Module):
    """Frozen VGG19 `features[:35]`. Gradients reach the picture, never the weights.

    Attributes:
        description: in words, which weights these are; for reports.
    """

    mean: Tensor
    std: Tensor
    scale: Tensor

    def __init__(self, width: int, description: str) -> None:
        super().__init__()
        self.description = description
        layers: list[nn.Module] = []
        inputs = 3
        for index, (multiple, count) in enumerate(GROUPS):
            layers += [nn.MaxPool2d(2)] if index else []
            for _ in range(count):
                layers += [nn.Conv2d(inputs, multiple * width, 3, padding=1), nn.ReLU()]
                inputs = multiple * width
        self.layers = nn.Sequential(*layers[:-1])
        self.register_buffer("mean", torch.empty(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.empty(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.empty(()), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """conv5_4 before its ReLU.

        Args:
            image: NCHW float RGB in [0, 1]; at least 16 px on each side.

        Returns:
            (N, 8 * width, H // 16, W // 16); (N, 512, H // 16, W // 16) for VGG19 itself.

        Raises:
            ValueError: a smaller picture, or no RGB.
        """
        if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[-2:]) < MIN_SIDE:
            raise ValueError(
                f"perceptual features: four poolings need RGB pictures of at least {MIN_SIDE}x{MIN_SIDE} px, "
                f"found shape {tuple(image.shape)}.\nNext: raise training.crop."
            )
        return cast(Tensor, self.layers((image - self.mean) / self.std)) * self.scale

    def train(self, mode: bool = True) -> PerceptualFeatures:
        """Stays in eval mode: it is a measure, not a part of what is trained."""
        return super().train(False)


def perceptual(weights: str = "imagenet", width: int = 64, seed: int = 0) -> PerceptualFeatures:
    """VGG19's conv5_4 features, frozen, in eval mode, on the CPU.

    Args:
        weights: `imagenet`: torchvision's file from `$TORCH_HOME`, downloaded once, its sha256 verified; `random`:
            Kaiming weights of `seed`, scaled so that a natural-like picture gives features of unit standard deviation;
            or the path of a VGG19 file (.pth or .safetensors, with torchvision's names).
        width: channels of the first group; other than 64 only with `random`.
        seed: seed of `random`.

    Raises:
        ParamsError: `width` does not fit `weights`.
        WeightsError: the file is missing, damaged, not to be had, or not VGG19's.
    """
    if weights != "random" and width != 64:
        raise ParamsError(
            f"perceptual.width: {weights} weights are VGG19's, whose width is 64; found {width}.\n"
            "Next: set perceptual.width to 64, or perceptual.weights to random."
        )
    if weights == "random":
        return _random(width, seed)
    if weights == "imagenet":
        return _from_file(imagenet_file(), "VGG19 conv5_4 features trained on ImageNet (torchvision)")
    return _from_file(Path(weights), f"VGG19 conv5_4 features of {Path(weights).name}")


def imagenet_file(*, url: str = VGG19_URL, sha256: str = VGG19_SHA256) -> Path:
    """torchvision's VGG19 file in torch hub's folder (`$TORCH_HOME/hub/checkpoints`), downloaded if it is not there.

    Args:
        url: where it is published.
        sha256: hex digest that the file must have; a downloaded file enters the folder only after it was verified.

    Raises:
        WeightsError: the file cannot be downloaded, or has another digest.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    offline = (
        f"Next: put the file into {path.parent} yourself (from {url}), or set perceptual.weights to its path, "
        "or to `random`."
    )
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256, progress=False)
        except RuntimeError as error:  # torch's answer to another digest
            raise WeightsError(
                f"{url}: expected sha256 {sha256}; the download has another ({error}).\n{offline}"
            ) from error
        except (urllib.error.URLError, OSError) as error:
            raise WeightsError(f"{url}: cannot download VGG19's weights ({error}).\n{offline}") from error
    found = files.sha256_file(path)
    if found != sha256:
        raise WeightsError(
            f"{path}: expected sha256 {sha256}, found {found}: damaged, or another file of that name.\n"
            "Next: remove it; it is downloaded again."
        )
    return path


def _from_file(path: Path, description: str) -> PerceptualFeatures:
    tensors = _read_tensors(path)
    network = _uninitialised(64, description)
    prefix = "features." if any(name.startswith("features.") for name in tensors) else ""
    last = len(network.layers) - 1
    wanted = {
        name.removeprefix(prefix): tensor.float()
        for name, tensor in tensors.items()
        if name.startswith(prefix)
        and name.removeprefix(prefix).split(".")[0].isdigit()
        and int(name.removeprefix(prefix).split(".")[0]) <= last
    }
    check_tensors(path, wanted, network.layers.state_dict())
    network.layers.load_state_dict(wanted)
    return network.eval().requires_grad_(False)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such file of VGG19 weights.\n"
            "Next: set perceptual.weights to `imagenet`, `random`, or the path of a vgg19 .pth or .safetensors file."
        )
    try:
        if path.suffix == ".safetensors":
            return cast(dict[str, Tensor], load_file(path))
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling a damaged file raises anything at all
        raise WeightsError(
            f"{path}: cannot be read as VGG19 weights ({error}).\nNext: fetch the file again."
        ) from error
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        raise WeightsError(f"{path}: expected a state dict of tensors, found {type(loaded).__name__}")
    return loaded


def _random(width: int, seed: int) -> PerceptualFeatures:
    network = _uninitialised(
        width, f"random VGG19-shaped conv5_4 features (width {width}, seed {seed}), not ImageNet's"
    )
    initialise(network, lambda _, weight: kaiming_std(weight, 0.0), seed=seed, purpose=f"perceptual-{width}")
    network.eval().requires_grad_(False)
    with torch.no_grad():
        # In float64 and rounded: the scale must not depend on the machine's order of summation.
        spread = float(network.double()(calibration_picture().double()).std())
    network.float()
    network.scale.fill_(float(f"{1.0 / spread:.6g}"))
    return network


def _uninitialised(width: int, description: str) -> PerceptualFeatures:
    with torch.device("meta"):
        network = PerceptualFeatures(width, description)
    network = network.to_empty(device="cpu")
    network.mean.copy_(torch.tensor(MEAN).view(1, 3, 1, 1))
    network.std.copy_(torch.tensor(STD).view(1, 3, 1, 1))
    network.scale.fill_(1.0)
    return network


def calibration_picture(side: int = 64) -> Tensor:
    """A fixed picture with a natural picture's spectrum (amplitude 1/f), (1, 3, side, side) float32 in [0, 1]."""
    noise = seeds.generator(0, "perceptual-calibration").standard_normal((3, side, side))
    noise += noise.mean(axis=0) * 3.0  # natural channels go together
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    frequency[0, 0] = np.inf
    picture = np.fft.irfft2(np.fft.rfft2(noise) / frequency, s=(side, side))
    picture = np.clip(0.45 + 0.22 * picture / picture.std(), 0.0, 1.0)
    return torch.from_numpy(picture.astype(np.float32))[None]
