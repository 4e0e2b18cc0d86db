"""Perceptual features: VGG19 up to conv5_4, before its ReLU. Paper section 3.2 ("features before ReLU").

The released code takes torchvision's `features[:35]` with ImageNet's mean and deviation; so does this. Other layers,
several at once, and their weights are a choice: `conv3_4` is before its ReLU, `relu3_4` after.
"""

from __future__ import annotations

import urllib.error
from collections.abc import Mapping
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

DEFAULT_TAPS: Mapping[str, float] = {"conv5_4": 1.0}
"""The released code's."""

GROUPS = ((1, 2), (2, 2), (4, 4), (8, 4), (8, 4))
"""(channels as a multiple of the width, convolutions) of VGG19's five groups; a pooling between two groups."""


def tap_places() -> dict[str, int]:
    """Name of a layer (`conv1_1`, `relu1_1`, ... `relu5_4`) -> its place in torchvision's `features`."""
    places: dict[str, int] = {}
    place = 0
    for group, (_, count) in enumerate(GROUPS, start=1):
        for layer in range(1, count + 1):
            places |= {f"conv{group}_{layer}": place, f"relu{group}_{layer}": place + 1}
            place += 2
        place += 1  # the pooling
    return places


class PerceptualFeatures(nn.Module):
    """Frozen VGG19 up to its last tap. Gradients reach the picture, never the weights.

    Attributes:
        description: in words, which weights these are; for reports.
        taps: layer -> its weight, in the order of the layers.
        min_side: px, of the smallest picture that leaves a feature.
    """

    mean: Tensor
    std: Tensor
    scales: Tensor

    def __init__(self, width: int, description: str, taps: Mapping[str, float]) -> None:
        super().__init__()
        self.description = description
        places = tap_places()
        self.taps = {name: taps[name] for name in sorted(taps, key=places.__getitem__)}
        self._places = [places[name] for name in self.taps]
        layers: list[nn.Module] = []
        inputs = 3
        for index, (multiple, count) in enumerate(GROUPS):
            layers += [nn.MaxPool2d(2)] if index else []
            for _ in range(count):
                layers += [nn.Conv2d(inputs, multiple * width, 3, padding=1), nn.ReLU()]
                inputs = multiple * width
        self.layers = nn.Sequential(*layers[: self._places[-1] + 1])
        self.min_side = 1 << sum(isinstance(layer, nn.MaxPool2d) for layer in self.layers)
        self.register_buffer("mean", torch.empty(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.empty(1, 3, 1, 1), persistent=False)
        self.register_buffer("scales", torch.empty(len(taps)), persistent=False)

    def forward(self, image: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The features, each times its weight.

        Args:
            image: NCHW float RGB in [0, 1]; at least `min_side` px on each side: 16 for conv5_4.

        Returns:
            For one tap its features: (N, 8 * width, H // 16, W // 16) for conv5_4, 512 channels in VGG19 itself. For
            several taps a tuple of them, in the order of `taps`.

        Raises:
            ValueError: a smaller picture, or no RGB.
        """
        if image.ndim != 4 or image.shape[1] != 3 or min(image.shape[-2:]) < self.min_side:
            raise ValueError(
                f"perceptual features: poolings before {next(reversed(self.taps))} need RGB pictures of at least "
                f"{self.min_side}x{self.min_side} px, found shape {tuple(image.shape)}.\nNext: raise training.crop."
            )
        found = tuple(features * scale for features, scale in zip(self._tapped(image), self.scales, strict=True))
        return found if len(found) > 1 else found[0]

    def _tapped(self, image: Tensor) -> list[Tensor]:
        features, found = (image - self.mean) / self.std, []
        for place, layer in enumerate(self.layers):
            features = layer(features)
            if place in self._places:
                found.append(features)
        return found

    def train(self, mode: bool = True) -> PerceptualFeatures:
        """Stays in eval mode: it is a measure, not a part of what is trained."""
        return super().train(False)


def perceptual(
    weights: str = "imagenet", width: int = 64, seed: int = 0, taps: Mapping[str, float] = DEFAULT_TAPS
) -> PerceptualFeatures:
    """VGG19's features, frozen, in eval mode, on the CPU.

    Args:
        weights: `imagenet`: torchvision's file from `$TORCH_HOME`, downloaded once, its sha256 verified; `random`:
            Kaiming weights of `seed`, scaled so that a natural-like picture gives features of unit standard deviation;
            or the path of a VGG19 file (.pth or .safetensors, with torchvision's names).
        width: channels of the first group; other than 64 only with `random`.
        seed: seed of `random`.
        taps: layer (a name of `tap_places`) -> weight of its features, over 0.

    Raises:
        ParamsError: an unknown layer, no layer, a weight that is not above 0; `width` does not fit `weights`.
        WeightsError: the file is missing, damaged, not to be had, or not VGG19's.
    """
    if weights != "random" and width != 64:
        raise ParamsError(
            f"perceptual.width: {weights} weights are VGG19's, whose width is 64; found {width}.\n"
            "Next: set perceptual.width to 64, or perceptual.weights to random."
        )
    unknown = [name for name in taps if name not in tap_places()]
    if unknown or not taps or not all(weight > 0 for weight in taps.values()):
        raise ParamsError(
            "perceptual.taps: expected layers of VGG19 (conv1_1 ... conv5_4, relu1_1 ... relu5_4) with weights above "
            f"0, found {dict(taps)}"
        )
    if weights == "random":
        return _random(width, seed, taps)
    if weights == "imagenet":
        return _from_file(imagenet_file(), f"VGG19 {named(taps)} features trained on ImageNet (torchvision)", taps)
    return _from_file(Path(weights), f"VGG19 {named(taps)} features of {Path(weights).name}", taps)


def named(taps: Mapping[str, float]) -> str:
    """`conv5_4`, or `0.1 conv2_2 + conv5_4`."""
    places = tap_places()
    ordered = sorted(taps, key=places.__getitem__)
    return " + ".join(name if taps[name] == 1.0 else f"{taps[name]:g} {name}" for name in ordered)


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


def _from_file(path: Path, description: str, taps: Mapping[str, float]) -> PerceptualFeatures:
    tensors = _read_tensors(path)
    network = _uninitialised(64, description, taps)
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


def _random(width: int, seed: int, taps: Mapping[str, float]) -> PerceptualFeatures:
    network = _uninitialised(
        width, f"random VGG19-shaped {named(taps)} features (width {width}, seed {seed}), not ImageNet's", taps
    )
    initialise(network, lambda _, weight: kaiming_std(weight, 0.0), seed=seed, purpose=f"perceptual-{width}")
    network.eval().requires_grad_(False)
    with torch.no_grad():
        # In float64 and rounded: the scale must not depend on the machine's order of summation.
        tapped = network.double()._tapped(calibration_picture().double())
    network.float()
    for index, (features, weight) in enumerate(zip(tapped, network.taps.values(), strict=True)):
        network.scales[index] = weight * float(f"{1.0 / float(features.std()):.6g}")
    return network


def _uninitialised(width: int, description: str, taps: Mapping[str, float]) -> PerceptualFeatures:
    with torch.device("meta"):
        network = PerceptualFeatures(width, description, taps)
    network = network.to_empty(device="cpu")
    network.mean.copy_(torch.tensor(MEAN).view(1, 3, 1, 1))
    network.std.copy_(torch.tensor(STD).view(1, 3, 1, 1))
    network.scales.copy_(torch.tensor([*network.taps.values()]))
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
