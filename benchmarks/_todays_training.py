"""The training loop people write, for `benchmarks.train`: fp32, contiguous, no compile, `.item()` at every step, and a
DataLoader whose workers decode a whole PNG with Pillow for every crop.

Networks, losses, batch and crops are those of dbgan's own step, so that only the way of computing differs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from dbgan.networks import NOISE_CHANNELS, discriminator, generator, perceptual
from dbgan.networks.generators import Block

Step = Callable[[], None]
EPOCH = 100_000
"""Crops before the DataLoader's workers would start again."""


class Crops(Dataset[tuple[Tensor, ...]]):
    """A random crop of each of several folders' PNGs, of the same name and place, flipped."""

    def __init__(self, folders: list[Path], crop: int) -> None:
        self.names = sorted(path.name for path in folders[0].glob("*.png"))
        self.folders, self.crop = folders, crop

    def __len__(self) -> int:
        return EPOCH

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        name = self.names[index % len(self.names)]
        pictures = [Image.open(folder / name).convert("RGB") for folder in self.folders]
        width, height = pictures[0].size
        left, top = random.randint(0, width - self.crop), random.randint(0, height - self.crop)
        turned = random.random() < 0.5
        found = []
        for picture in pictures:
            crop = np.asarray(picture)[top : top + self.crop, left : left + self.crop]
            crop = crop[:, ::-1] if turned else crop
            found.append(torch.from_numpy(crop.transpose(2, 0, 1).copy()).float() / 255)
        return tuple(found)


def loader(folders: list[Path], crop: int, batch: int, workers: int, device: str) -> Iterator[list[Tensor]]:
    """Batches for ever."""
    crops = Crops(folders, crop)
    return iter(DataLoader(crops, batch, shuffle=True, num_workers=workers, pin_memory=device == "cuda"))


def bgan_step(raw: Path, *, blocks: int, crop: int, batch: int, workers: int, device: str) -> Step:
    """One adversarial step of BGAN: perceptual loss against the input, realistic blur loss, then D."""
    sharp_crops = loader([raw / "sharp"], crop, batch, workers, device)
    real_crops = loader([raw / "blur"], crop, batch, workers, device)
    blurs = generator("bgan", blocks=blocks).to(device)
    judge = Judge(crop, device)
    optimizer = torch.optim.Adam(blurs.parameters(), lr=1e-4, betas=(0.9, 0.99))

    def step() -> None:
        sharp, real = next(sharp_crops)[0].to(device), next(real_crops)[0].to(device)
        fake = blurs(sharp, torch.randn(batch, NOISE_CHANNELS, device=device))
        likeness, adversarial = judge.likeness(fake, sharp), judge.fooled(real, fake)
        loss = likeness + 0.01 * adversarial
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        judge.learn(real, fake.detach(), {"loss": loss, "perceptual": likeness, "adversarial": adversarial})

    return step


def dbgan_step(raw: Path, *, block: Block, crop: int, batch: int, workers: int, device: str) -> Step:
    """One adversarial step of DBGAN: perceptual, content and relativistic loss, then D."""
    pairs = loader([raw / "blur", raw / "sharp"], crop, batch, workers, device)
    restores = generator("dbgan", block=block).to(device)
    judge = Judge(crop, device)
    optimizer = torch.optim.Adam(restores.parameters(), lr=1e-4, betas=(0.9, 0.99))

    def step() -> None:
        blurry, sharp = (pictures.to(device) for pictures in next(pairs))
        restored = restores(blurry)
        likeness, adversarial = judge.likeness(restored, sharp), judge.fooled(sharp, restored)
        difference = F.l1_loss(restored, sharp)
        loss = likeness + 0.005 * difference + 0.01 * adversarial
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        judge.learn(sharp, restored.detach(), {"loss": loss, "content": difference, "adversarial": adversarial})

    return step


class Judge:
    """Discriminator and perceptual features, as a training script holds them."""

    def __init__(self, crop: int, device: str) -> None:
        self.network = discriminator(crop=crop).to(device)
        self.features = perceptual("random").to(device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=1e-4, betas=(0.9, 0.99))
        self.log: list[dict[str, float]] = []

    def likeness(self, output: Tensor, target: Tensor) -> Tensor:
        """L1 between perceptual features."""
        found, wanted = self.features(output), self.features(target)
        assert isinstance(found, Tensor)
        assert isinstance(wanted, Tensor)
        return F.l1_loss(found, wanted)

    def fooled(self, real: Tensor, fake: Tensor) -> Tensor:
        """The relativistic loss of G."""
        freeze(self.network, True)
        right, wrong = self.network(real).detach(), self.network(fake)
        return said(right - wrong.mean(), 0.0) + said(wrong - right.mean(), 1.0)

    def learn(self, real: Tensor, fake: Tensor, terms: dict[str, Tensor]) -> None:
        """D's step, and the log of this step."""
        freeze(self.network, False)
        right, wrong = self.network(real), self.network(fake)
        loss = said(right - wrong.mean(), 1.0) + said(wrong - right.mean(), 0.0)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.log.append({name: value.item() for name, value in {**terms, "d_loss": loss}.items()})


def said(logits: Tensor, target: float) -> Tensor:
    """Binary cross entropy of logits against one target."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))


def freeze(network: nn.Module, frozen: bool) -> None:
    """Keep gradients out of the weights, or let them in again."""
    for parameter in network.parameters():
        parameter.requires_grad = not frozen
