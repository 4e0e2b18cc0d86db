"""Metrics of a 720p pair beside scikit-image and torchmetrics: seconds, and how far the values are apart.

The pair: the first of GOPRO in the folder `$DBGAN_SHARED_DATA`, else `../shared/data`; without it, a made-up one.
`DBGAN_BENCH_THREADS` (2) are torch's threads; scikit-image has one.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from dbgan.evaluate import metrics
from dbgan.image.codec import decode

ROUNDS = 7
Picture = NDArray[np.uint8]


def run() -> None:
    """Print one table: medians of `ROUNDS` rounds, and of the least CPU time, all after one to warm up."""
    torch.set_num_threads(int(os.environ.get("DBGAN_BENCH_THREADS", "2")))
    blur, sharp = pair()
    x, y = (torch.from_numpy(p.transpose(2, 0, 1)[None].copy()) for p in (blur, sharp))
    options = {"channel_axis": 2, "gaussian_weights": True, "use_sample_covariance": False, "data_range": 255}
    ways: list[tuple[str, str, Callable[[], float]]] = [
        ("psnr", "scikit-image", lambda: peak_signal_noise_ratio(sharp, blur, data_range=255)),
        ("psnr", "psnr_rgb", lambda: metrics.psnr_rgb(x, y).item()),
        ("ssim", "scikit-image", lambda: structural_similarity(sharp, blur, **options)),
        ("ssim", "torchmetrics (borders in its mean)", lambda: _torchmetrics(x, y)),
        ("ssim", "ssim", lambda: metrics.ssim(x, y).item()),
        ("ssim", "ssim, float64", lambda: metrics.ssim(x, y, dtype=torch.float64).item()),
        ("3-D", "ssim_matlab3d", lambda: metrics.ssim_matlab3d(x, y).item()),
        ("3-D", "ssim_matlab3d, float64", lambda: metrics.ssim_matlab3d(x, y, dtype=torch.float64).item()),
    ]
    title = f"{blur.shape[1]}x{blur.shape[0]} px, {torch.get_num_threads()} threads"
    table = Table("metric", "by", "ms", "CPU ms", "times scikit-image", "value", box=None, title=title)
    base: dict[str, float] = {}
    for metric, name, way in ways:
        elapsed, cpu, value = _time(way)
        if name == "scikit-image":
            base[metric] = elapsed
        ratio = f"{base[metric] / elapsed:.1f}" if metric in base else ""
        table.add_row(metric, name, f"{1e3 * elapsed:.1f}", f"{1e3 * cpu:.1f}", ratio, f"{value:.6f}")
    Console(width=120).print(table)


def pair() -> tuple[Picture, Picture]:
    """Blurry and sharp, HWC uint8 RGB."""
    folder = Path(os.environ.get("DBGAN_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    for sharp in sorted(folder.glob("gopro/test/*/sharp/*.png")):
        blur = sharp.parents[1] / "blur" / sharp.name
        if blur.is_file():
            return decode(blur.read_bytes()), decode(sharp.read_bytes())
    made = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    return np.asarray((made.astype(np.uint16) + np.roll(made, 1, axis=1)) // 2, dtype=np.uint8), made


def _torchmetrics(x: torch.Tensor, y: torch.Tensor) -> float:
    value = structural_similarity_index_measure(x.float() / 255, y.float() / 255, data_range=1.0)
    return float(value)  # type: ignore[arg-type]


def _time(way: Callable[[], float]) -> tuple[float, float, float]:
    """Median seconds, least CPU seconds of all threads, and the value."""
    value = way()
    elapsed, cpu = [], []
    for _ in range(ROUNDS):
        started, used = time.perf_counter(), time.process_time()
        way()
        elapsed.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    return statistics.median(elapsed), min(cpu), value
