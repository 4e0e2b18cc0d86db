"""BGAN at 1280x720: the trajectory head beside the residual head of the paper's size, on one CPU thread."""

from __future__ import annotations

import time
from typing import Any

import torch

from dbgan import seeds
from dbgan.networks import NOISE_CHANNELS, generator, tiles
from dbgan.networks.registry import Generator
from dbgan.networks.trajectory import TrajectoryGenerator
from dbgan.recipe import has_bf16
from dbgan.restore import autocast

SIZE = (720, 1280)
REPEATS = 3
LONG_S = 15.0
"""A run as long as this is not repeated: what disturbs it for moments hardly counts."""
HEADS: dict[str, dict[str, Any]] = {
    "residual, 9 plain blocks of 64 (paper)": {},
    "trajectory, 2 blocks of 32, 13 samples": {"network": "trajectory"},
    "trajectory, 2 blocks of 32, 40 samples, paths to 40 px": {
        "network": "trajectory",
        "samples": 40,
        "max_path": 40.0,
    },
}


def seconds(network: Generator, picture: torch.Tensor, z: torch.Tensor, precision: str) -> float:
    """The fastest of up to REPEATS runs over the whole picture, as synthesis makes it."""
    best = float("inf")
    with torch.inference_mode(), autocast(picture.device, precision):
        for _ in range(REPEATS):
            begun = time.perf_counter()
            if isinstance(network, TrajectoryGenerator):
                network(picture, z)
            else:
                tiles.apply(network, picture, z, tile=512)
            best = min(best, time.perf_counter() - begun)
            if best > LONG_S:
                break
    return best


def run() -> None:
    """Print seconds per picture and how many times faster than the paper's head each is, by precision."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    draw = seeds.generator(0, "benchmark", "trajectory")
    picture = torch.from_numpy(draw.random((1, 3, *SIZE), dtype="float32")).to(memory_format=torch.channels_last)
    z = torch.from_numpy(draw.standard_normal((1, NOISE_CHANNELS), dtype="float32"))
    for precision in ("fp32", "bf16") if has_bf16() else ("fp32",):
        slowest = 0.0
        for name, options in HEADS.items():
            network = generator("bgan", **options).eval().to(memory_format=torch.channels_last)
            taken = seconds(network, picture, z, precision)
            slowest = slowest or taken
            print(f"{precision}  {name:56} {taken:7.2f} s per picture  {slowest / taken:6.1f} times")
    torch.set_num_threads(threads)
