"""One adversarial step of BGAN and of DBGAN at the paper's size, beside the loop people write, on the same frames.

Every way runs in a process of its own, one after the other: `$DBGAN_BENCH_WARM` steps, then `$DBGAN_BENCH_STEPS` whose
median counts. CPU seconds are those of that process, without the DataLoader's workers; on a busy machine they tell more
than the clock. `$DBGAN_BENCH_MODELS` (bgan, dbgan-plain, dbgan-rrdb) chooses among the networks,
`$DBGAN_BENCH_COMPILE=1` turns torch.compile on for dbgan's own step. `$DBGAN_BENCH_CROP`, `$DBGAN_BENCH_BATCH` and
`$DBGAN_BENCH_THREADS` make it smaller. Peak memory is the process's VmHWM, and on CUDA torch's own peak as well.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks import _todays_training as todays
from benchmarks.codec import frame
from dbgan.corpus import Corpus
from dbgan.corpus.selection import write_selection
from dbgan.image.codec import encode
from dbgan.ingest import ingest
from dbgan.networks.generators import Block
from dbgan.params import AdversarialParams, BganParams, DbganCommon, IngestParams
from dbgan.train import bgan, dbgan, pairs
from dbgan.train.loop import Task
from dbgan.train.numerics import Numerics
from dbgan.train.spans import Stopwatch, measured

CUDA = torch.cuda.is_available()
MODELS = os.environ.get("DBGAN_BENCH_MODELS", "bgan,dbgan-plain,dbgan-rrdb" if CUDA else "bgan,dbgan-plain").split(",")
STEPS = int(os.environ.get("DBGAN_BENCH_STEPS", "100" if CUDA else "3"))
WARM = int(os.environ.get("DBGAN_BENCH_WARM", "20" if CUDA else "1"))
PAIRS = int(os.environ.get("DBGAN_BENCH_PAIRS", "8"))
CROP = int(os.environ.get("DBGAN_BENCH_CROP", "128"))
BATCH = int(os.environ.get("DBGAN_BENCH_BATCH", "4"))
THREADS = int(os.environ.get("DBGAN_BENCH_THREADS", str(os.cpu_count() or 1)))
COMPILE = bool(int(os.environ.get("DBGAN_BENCH_COMPILE", "0")))
SIZE = (1280, 720)
NOTHING: dict[str, Any] = {"steps": 10**9}
"""A schedule that is not walked to its end."""


def run() -> None:
    """Print one table: seconds a step, how many times faster, the wait for data, peak memory."""
    device = torch.cuda.get_device_name() if CUDA else f"CPU, {THREADS} threads"
    print(f"batch {BATCH}, crops of {CROP} px of {PAIRS} pairs of 720p, median of {STEPS} steps on {device}")
    table = Table(
        "network", "way", "s/step", "times", "CPU s/step", "wait for data", "peak MB", "of which CUDA", box=None
    )
    with tempfile.TemporaryDirectory() as folder:
        write_frames(Path(folder))
        for model in MODELS:
            found = {way: in_a_process(model, way, Path(folder)) for way in ("todays", "ours")}
            for way, told in found.items():
                times = found["todays"]["step_s"] / told["step_s"]
                share = f"{told['wait_s'] / told['step_s']:.2%}" if "wait_s" in told else ""
                name = f"dbgan, {told['how']}" if way == "ours" else "the loop people write"
                cuda = f"{told['cuda_mb']:.0f}" if CUDA else ""
                seconds, cpu, peak = f"{told['step_s']:.3f}", f"{told['cpu_s']:.3f}", f"{told['peak_mb']:.0f}"
                table.add_row(model, name, seconds, f"{times:.2f}", cpu, share, peak, cuda)
    Console(width=140).print(table)


def in_a_process(model: str, way: str, folder: Path) -> dict[str, Any]:
    """What `measure` tells, in a process that has done nothing else."""
    command = [sys.executable, "-m", "benchmarks.train", model, way, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return cast(dict[str, Any], json.loads(done.stdout.splitlines()[-1]))


def measure(model: str, way: str, folder: Path) -> dict[str, Any]:
    """Median seconds of a step, of which waiting for data, and peak memory."""
    torch.set_num_threads(THREADS)
    told: dict[str, Any] = {}
    if way == "todays":
        times = timed(todays_step(model, folder / "raw" / "GOPR0001_11_00"))
    else:
        task, numerics = our_task(model, folder / "datasets")
        told["how"] = f"{numerics.precision}, channels_last{', compiled' if COMPILE else ''}"
        with numerics.active():
            times, wait_s = timed_with_wait(task, numerics)
        told["wait_s"] = wait_s
    told |= {"step_s": statistics.median(t for t, _ in times), "cpu_s": statistics.median(c for _, c in times)}
    told["peak_mb"] = high_water_mb()
    return told | ({"cuda_mb": torch.cuda.max_memory_allocated() / 1e6} if CUDA else {})


def todays_step(model: str, raw: Path) -> Callable[[], None]:
    """The loop people write, ready for its first step."""
    shared: dict[str, Any] = {"crop": CROP, "batch": BATCH, "workers": THREADS, "device": "cuda" if CUDA else "cpu"}
    if model == "bgan":
        return todays.bgan_step(raw, blocks=9, **shared)
    return todays.dbgan_step(raw, block=cast(Block, model.removeprefix("dbgan-")), **shared)


def our_task(model: str, datasets: Path) -> tuple[Task, Numerics]:
    """dbgan's own task in its last phase."""
    training = {"crop": CROP, "batch": BATCH, "threads": THREADS, "compile": COMPILE}
    shared: dict[str, Any] = {"perceptual": {"weights": "random"}, "training": training}
    phases = {"phase_synthetic": {"steps": 1}, "phase_real": NOTHING, "warmup": {"max_steps": 0}}
    if model == "bgan":
        sources = {name: ["bench"] for name in ("sharp", "synthetic", "real")}
        params = BganParams.model_validate({**sources, **shared, **phases})
        numerics = Numerics.choose(params.training)
        return bgan.BganTask("bench", params, bgan.open_data(params, datasets), numerics), numerics
    network = {"block": model.removeprefix("dbgan-")}
    common = DbganCommon.model_validate({"pairs": ["bench"], "generator": network, **shared})
    base = AdversarialParams.model_validate({"schedule": NOTHING})
    numerics = Numerics.choose(common.training)
    data = pairs.open_data(common, base, datasets)
    return dbgan.DbganTask("bench", "train", common, base, None, "", data, numerics), numerics


def timed(step: Callable[[], Any]) -> list[tuple[float, float]]:
    """Seconds and CPU seconds of each of `STEPS` steps, after `WARM` others."""
    for _ in range(WARM):
        step()
    return [one(step) for _ in range(STEPS)]


def one(step: Callable[[], Any]) -> tuple[float, float]:
    """Seconds and CPU seconds of one step."""
    started, worked = now(), time.process_time()
    step()
    return now() - started, time.process_time() - worked


def timed_with_wait(task: Task, numerics: Numerics) -> tuple[list[tuple[float, float]], float]:
    """As `timed`, and the seconds of a step in which it waited for data; on CUDA of as many steps more, because the
    stopwatch waits for the device at every border."""
    numbers = iter(range(1, 10**9))
    watch = Stopwatch(numerics.device)

    def step() -> None:
        task.step(next(numbers))

    for _ in range(WARM):
        step()
    times = [one(step) for _ in range(STEPS)] if CUDA else []
    with measured(watch):
        watched = [one(step) for _ in range(STEPS)]
    return times or watched, watch.seconds["data"] / STEPS


def now() -> float:
    """Seconds, after all that the device was asked for."""
    if CUDA:
        torch.cuda.synchronize()
    return time.perf_counter()


def high_water_mb() -> float:
    """VmHWM of this process: the most memory it ever held."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def write_frames(folder: Path) -> None:
    """`raw/`: PNGs of a noisy photograph and of its average along a line; `datasets/train/bench`: their corpus."""
    base = cv2.resize(frame(), SIZE, interpolation=cv2.INTER_CUBIC)
    for n in range(PAIRS):
        noise = np.random.default_rng(n).integers(-4, 5, base.shape)
        sharp = np.clip(np.roll(base, 37 * n, axis=1).astype(int) + noise, 0, 255).astype(np.uint8)
        for half, picture in (("sharp", sharp), ("blur", cv2.blur(sharp, (9, 3)))):
            path = folder / "raw" / "GOPR0001_11_00" / half / f"{n + 1:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(np.asarray(picture, np.uint8), "png"))
    os.environ["DBGAN_STATE"] = str(folder / "state")
    corpus = folder / "datasets" / "train" / "bench"
    params = IngestParams(layout="gopro", blur="blur", quality=False, shard_samples=100)
    with contextlib.redirect_stdout(io.StringIO()):
        ingest("bench", params, folder / "raw", corpus)
    kept = {"split": "train", "keep": True, "rule": "", "measure": "", "value": 0.0, "limit": 0.0, "reason": "kept"}
    rows = [{"key": key, "sequence": key.split("/")[0], **kept} for key in Corpus.open(corpus).keys]
    write_selection(corpus.parent / "bench.selection.parquet", rows)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2], Path(sys.argv[3]))))
