"""The leak gate at scale: every held-out perceptual hash against every training hash, beside the obvious ways.

Sizes: `DBGAN_BENCH_HASHES` (training, held out; default 200000,20000).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from dbgan.curate.leaks import Pictures, Side, find
from dbgan.image.quality.hashes import BITS, distances, nearest

MAX_BITS = 24
NEAR = 50
"""Held-out hashes that are made from a training hash, at most 20 bits away."""
SMALL = 500
"""Held-out hashes for the obvious way, whose time is scaled up."""


def run() -> None:
    """Print seconds and comparisons per second; check that exactly what was planted is found."""
    train, held = (int(n) for n in os.environ.get("DBGAN_BENCH_HASHES", "200000,20000").split(","))
    rng = np.random.default_rng(0)
    ours, theirs = hashes(train, rng), hashes(held, rng)
    for row in range(NEAR):
        bits = np.unpackbits(ours[rng.integers(train)])
        bits[rng.permutation(BITS)[: int(rng.integers(0, 21))]] ^= 1
        theirs[row] = np.packbits(bits)
    table = Table("way", "seconds", "comparisons/s", box=None, title=f"{held:,} hashes against {train:,}")
    places, seconds = timed(lambda: nearest(theirs, ours, MAX_BITS)[0])
    table.add_row("nearest, blocks of words (the gate's)", f"{seconds:.1f}", f"{held * train / seconds:.3g}")
    if sorted(np.flatnonzero(places >= 0)) != list(range(NEAR)):
        raise AssertionError("nearest did not find exactly the planted pairs")
    _, few = timed(lambda: [distances(row[None], ours).min() for row in theirs[: max(1, SMALL // 50)]])
    few *= held / max(1, SMALL // 50)
    table.add_row("table of bytes, row by row (scaled up)", f"{few:.0f}", f"{held * train / few:.3g}")
    sides = [side("a", "train", ours), side("b", "test", theirs)]
    found, seconds = timed(lambda: find(sides, MAX_BITS))
    table.add_row(f"the whole gate, {len(found)} leaks", f"{seconds:.1f}", f"{held * train / seconds:.3g}")
    Console().print(table)


def hashes(count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Random hashes with as many ones as zeros, (count, 32) uint8."""
    noise = rng.random((count, BITS), np.float32)
    return np.packbits(noise > np.median(noise, axis=1, keepdims=True), axis=1)


def side(source: str, role: str, values: NDArray[np.uint8]) -> Side:
    """A side of as many samples in sequences of 100."""
    keys = [f"{source}-{i // 100}/{i}" for i in range(len(values))]
    pixels = [key.encode() for key in keys]
    pictures = {"blur": Pictures.of(pixels, [row.tobytes() for row in values])}
    return Side(source, role, keys, [key.partition("/")[0] for key in keys], pictures)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result and the seconds it took."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started
