"""How numbers are computed: device, precision and threads, chosen by parameters and flags, never by timing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dbgan.recipe import device_class, has_bf16
from dbgan.train.spans import span
from dbgan.train.team import ALONE, Team

if TYPE_CHECKING:
    from dbgan.params import TrainingParams


@dataclass(frozen=True, slots=True)
class Numerics:
    """Device and precision of one training.

    Attributes:
        device: "cuda" where torch sees one, else "cpu".
        bf16: whether convolutions run in bfloat16 (autocast); weights, losses and optimizer stay float32.
        threads: intra-op threads on the CPU; sums are split by thread, so they are part of the recipe.
        team: the workers that compute together; their number is a training parameter, and so in the recipe.
    """

    device: str
    bf16: bool
    threads: int
    team: Team = ALONE

    @classmethod
    def choose(cls, training: TrainingParams) -> Numerics:
        """From parameters and hardware flags. Precision `auto` is bf16 where the device multiplies it in hardware."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        hardware = torch.cuda.is_bf16_supported(including_emulation=False) if device == "cuda" else has_bf16()
        bf16 = training.precision == "bf16" or (training.precision == "auto" and hardware)
        return cls(device, bf16, training.threads)

    @property
    def precision(self) -> str:
        """`bf16` or `fp32`."""
        return "bf16" if self.bf16 else "fp32"

    def describe(self) -> dict[str, Any]:
        """Device class and precision, for the recipe."""
        return {**device_class(self.device, self.threads), "precision": self.precision}

    def autocast(self) -> torch.autocast:
        """Context in which the networks run."""
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bf16)

    def place(self, network: nn.Module) -> nn.Module:
        """`network` on the device, its weights in channels_last (several times faster with bf16 on CPUs with AMX)."""
        return network.to(device=self.device).to(memory_format=torch.channels_last)

    def tensor(self, batch: Tensor) -> Tensor:
        """A batch on the device."""
        with span("copy"):
            return batch.to(self.device)

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Threads and deterministic kernels for the time of one training; put back afterwards."""
        threads = torch.get_num_threads()
        deterministic, benchmark = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
        torch.set_num_threads(self.threads)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = deterministic, benchmark


def compiled(network: nn.Module, training: TrainingParams) -> nn.Module:
    """`network`, called through torch.compile where `training.compile` is set; its state dict stays the same."""
    if training.compile:
        network.compile()
    return network
