"""Ingest of 720p PNG pairs beside decoding them only, and beside the loop people write today, on the same cores.

Frames: the folder in `$DBGAN_BENCH_FRAMES`, else `../shared/data/gopro` and `reds` where present, else rendered ones.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import webdataset as wds
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.codec import frame, opencv
from dbgan.ingest import ingest
from dbgan.ingest.builders import MAX_THREADS
from dbgan.params import IngestParams

PAIRS = int(os.environ.get("DBGAN_BENCH_PAIRS", "96"))
ROUNDS = 3
SHARE = 8
TODAY = f"Pillow + webdataset.ShardWriter (every {SHARE}th file, times {SHARE})"


def run() -> None:
    """Print one table: median seconds of each way, and its ratio to decoding, in time and in time of the CPU.

    The latter hardly depends on what else runs on the machine.
    """
    threads = min(MAX_THREADS, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        raw = raw_pairs(Path(folder) / "raw", PAIRS)
        files = sorted(raw.rglob("*.png"))
        ways: dict[str, Callable[[Path], None]] = {
            "decode only (cv2)": lambda out: _decode(files, threads),
            "dbgan ingest, quality off": lambda out: _ingest(raw, out, quality=False),
            "dbgan ingest, quality on": lambda out: _ingest(raw, out, quality=True),
            TODAY: lambda out: _todays_loop(files[::SHARE], out),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        cpu: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS):
            for name, way in ways.items():
                out = Path(folder) / f"out-{number}"
                os.environ["DBGAN_STATE"] = str(out / "state")
                started, worked = time.perf_counter(), time.process_time()
                with contextlib.redirect_stdout(io.StringIO()):
                    way(out)
                scale = SHARE if name == TODAY else 1
                times[name].append(scale * (time.perf_counter() - started))
                cpu[name].append(scale * (time.process_time() - worked))
                shutil.rmtree(out, ignore_errors=True)
        medians = {name: statistics.median(found) for name, found in times.items()}
        used = {name: statistics.median(found) for name, found in cpu.items()}
        head = (f"{len(files)} files, {threads} threads", "median s", "to decoding", "CPU s", "to decoding")
        table = Table(*head, box=None)
        decoding, its_cpu = medians["decode only (cv2)"], used["decode only (cv2)"]
        for name, median in medians.items():
            row = (median, median / decoding, used[name], used[name] / its_cpu)
            table.add_row(name, *(f"{value:.2f}" for value in row))
        Console().print(table)


def raw_pairs(root: Path, pairs: int) -> Path:
    """A folder of 720p pairs in the layout `gopro`; given frames are copied as often as it takes."""
    shared = Path(__file__).resolve().parents[2] / "shared" / "data"
    given = os.environ.get("DBGAN_BENCH_FRAMES")
    folders = [Path(given)] if given else [shared / "gopro", shared / "reds"]
    frames = sorted(path.resolve() for folder in folders for path in folder.rglob("*.png"))
    if not frames:
        rendered = root.parent / "rendered.png"
        rendered.write_bytes(opencv(frame(), ".png", []))
        frames = [rendered]
    for index in range(2 * pairs):
        target = root / "GOPR0001_11_00" / ("blur", "sharp")[index % 2] / f"{index // 2:06d}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(frames[index % len(frames)], target)
    return root


def _decode(files: list[Path], threads: int) -> None:
    cv2.setNumThreads(1)
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(lambda path: cv2.imread(str(path)), files):
            pass


def _ingest(raw: Path, out: Path, *, quality: bool) -> None:
    params = IngestParams(layout="gopro", blur="blur", quality=quality)
    ingest("bench", params, raw, out / "corpus")


def _todays_loop(files: list[Path], out: Path) -> None:
    out.mkdir(parents=True)
    with wds.ShardWriter(str(out / "%06d.tar"), maxcount=100, verbose=0) as sink:
        for path in files:
            picture = Image.open(path).convert("RGB")
            sink.write({"__key__": f"{path.parent.name}-{path.stem}", "image.png": picture})
