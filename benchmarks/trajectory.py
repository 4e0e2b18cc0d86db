"""BGAN's trajectory head beside the residual head of the paper's size, on one CPU thread.

Pictures of `$DBGAN_BENCH_SIDE` (WIDTHxHEIGHT, 1280x720). The fastest head comes first and the paper's last, so that a
run that is cut short has told something.
"""

from __future__ import annotations

import os
import time
from typing import Any

import torch

from dbgan import seeds
from dbgan.networks import NOISE_CHANNELS, generator, tiles
from dbgan.networks.registry import Generator
from dbgan.networks.trajectory import TrajectoryGenerator
from dbgan.recipe import has_bf16
from dbgan.restore import autocast

WIDTH, HEIGHT = (int(side) for side in os.environ.get("DBGAN_BENCH_SIDE", "1280x720").split("x"))
REPEATS = 3
LONG_S = 15.0
"""A run as long as this is not repeated: what disturbs it for moments hardly counts."""
HEADS: dict[str, dict[str, Any]] = {
    "trajectory, 2 blocks of 32, 13 samples": {"network": "trajectory"},
    "trajectory, 2 blocks of 32, 40 samples, paths to 40 px": {
        "network": "trajectory",
        "samples": 40,
        "max_path": 40.0,
    },
    "residual, 9 plain blocks of 64 (paper)": {},
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
    """Print seconds per picture, and how many times as long the paper's head takes, by precision."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    draw = seeds.generator(0, "benchmark", "trajectory")
    picture = torch.from_numpy(draw.random((1, 3, HEIGHT, WIDTH), dtype="float32")).to(
        memory_format=torch.channels_last
    )
    z = torch.from_numpy(draw.standard_normal((1, NOISE_CHANNELS), dtype="float32"))
    for precision in ("bf16", "fp32") if has_bf16() else ("fp32",):
        taken: dict[str, float] = {}
        for name, options in HEADS.items():
            network = generator("bgan", **options).eval().to(memory_format=torch.channels_last)
            taken[name] = seconds(network, picture, z, precision)
            print(f"{precision}  {name:56} {taken[name]:7.2f} s per picture of {WIDTH}x{HEIGHT}", flush=True)
        *ours, paper = taken.values()
        print(f"{precision}  the paper's takes {', '.join(f'{paper / ours_s:.1f}' for ours_s in ours)} times as long")
    torch.set_num_threads(threads)
