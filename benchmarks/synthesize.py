"""Synthesis end to end beside its own limits, and beside the loop people write, on the same frames and cores.

The ways take turns, `$DBGAN_BENCH_ROUNDS` times. `$DBGAN_BENCH_PAIRS`, `$DBGAN_BENCH_SIDE` (WIDTHxHEIGHT) and
`$DBGAN_BENCH_BLOCKS` set the work, `$DBGAN_BENCH_PARTS` names its parts. Of dbgan's own ways the build is timed; the
picture that it tries before is not. The loop people write has a process of its own, whose memory is as glibc has it.
Part `steps` is told in CPU time of one thread, which others' work hardly changes.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import webdataset as wds
from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.codec import frame
from dbgan.blur import KernelBlur
from dbgan.blur.model import Record
from dbgan.corpus import Corpus
from dbgan.corpus.write import write_shard
from dbgan.engine.memory import keep_freed_memory
from dbgan.engine.watch import metrics_file
from dbgan.image.codec import decode, encode
from dbgan.ingest import ingest
from dbgan.networks import generator, load_weights, save_weights
from dbgan.params import IngestParams, SynthesizeParams
from dbgan.params.blur import KernelParams
from dbgan.recipe import has_bf16
from dbgan.synthesize import BganBlur, blur_corpus
from dbgan.synthesize.build import Pairs
from dbgan.synthesize.learned import draw_noise
from dbgan.synthesize.pairs import make_blurs, make_pairs
from dbgan.synthesize.plan import plan, read_source
from dbgan.synthesize.prepare import make_builder, settings_of

PAIRS = int(os.environ.get("DBGAN_BENCH_PAIRS", "12"))
WIDTH, HEIGHT = (int(side) for side in os.environ.get("DBGAN_BENCH_SIDE", "1280x720").split("x"))
BLOCKS = int(os.environ.get("DBGAN_BENCH_BLOCKS", "9"))
THREADS = int(os.environ.get("DBGAN_BENCH_THREADS", str(os.cpu_count() or 1)))
MEMORY_PAIRS = int(os.environ.get("DBGAN_BENCH_MEMORY_PAIRS", "4"))
PARTS = os.environ.get("DBGAN_BENCH_PARTS", "bgan,kernel,steps,memory").split(",")
ROUNDS = int(os.environ.get("DBGAN_BENCH_ROUNDS", "1"))
PRECISION = "bf16" if has_bf16() else "fp32"


def run() -> None:
    """Print a table of ways and ratios, and one of peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["DBGAN_STATE"] = str(root / "state")
        weights = root / "weights.safetensors"
        save_weights(weights, generator("bgan", blocks=BLOCKS, seed=0))
        print(f"{PAIRS} frames of {WIDTH}x{HEIGHT}, BGAN of {BLOCKS} blocks, {THREADS} threads, {PRECISION}")
        if {"bgan", "kernel", "steps"} & set(PARTS):
            source = sharp_corpus(root, PAIRS, (WIDTH, HEIGHT))
            if "steps" in PARTS:
                steps(source, root)
            if {"bgan", "kernel"} & set(PARTS):
                show(side_by_side(source, weights, root))
        if "memory" in PARTS:
            memory(root, weights)


def side_by_side(source: Path, weights: Path, root: Path) -> dict[str, tuple[float, float]]:
    """Median seconds, and least CPU seconds, of each way over the same frames."""
    pictures = [sample.images["sharp"] for sample in Corpus.open(source)]
    keys = Corpus.open(source).keys
    cv2.setNumThreads(1)
    network = BganBlur(weights, precision=PRECISION)
    kernel = KernelBlur(**KernelParams.model_validate(light({})["kernel"]).model_dump())
    # What a kernel leaves takes another time to encode than what it was given.
    blurred = [kernel(p, seed=0, key=key, variant=0)[0] for p, key in zip(pictures, keys, strict=True)]
    shared, unmeasured = {"threads": THREADS, "precision": PRECISION}, {"quality": False}
    small = partial(blur_corpus, source, model="kernel")
    ready = partial(combined, source, Ready(dict(zip(keys, blurred, strict=True))))
    ways: dict[str, Callable[[Path], object]] = {
        "bare generator": lambda out: bare_generator(network, pictures),
        "dbgan blur, bgan": lambda out: blur_corpus(source, out, weights=weights, settings=shared),
        "bare decode + encode": lambda out: recode(source, blurred),
        "dbgan blur, small kernel": lambda out: small(out, settings=light(shared)),
        "dbgan blur, small kernel, quality: false": lambda out: small(out, settings={**light(shared), **unmeasured}),
        "dbgan blur, blurred elsewhere": lambda out: ready(out, light(shared)),
        "dbgan blur, blurred elsewhere, quality: false": lambda out: ready(out, {**light(shared), **unmeasured}),
        "the loop people write, bgan": lambda out: in_a_process("loop", source, weights, out),
    }
    ways = {name: way for name, way in ways.items() if part_of(name) in PARTS}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(ROUNDS):
        for name, way in ways.items():
            out = root / f"out-{number}"
            started, worked = time.perf_counter(), time.process_time()
            with contextlib.redirect_stdout(io.StringIO()):
                done = way(out)
            found = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - worked}
            told = metrics_file(out)
            found |= done if isinstance(done, dict) else {}
            found |= {"seconds": json.loads(told.read_text())["seconds"]} if told.is_file() else {}
            times[name].append((found["seconds"], found["cpu"]))
            told.unlink(missing_ok=True)
            shutil.rmtree(out, ignore_errors=True)
    return {name: (statistics.median(s for s, _ in found), min(w for _, w in found)) for name, found in times.items()}


def bare_generator(blur: BganBlur, pictures: list[np.ndarray]) -> dict[str, float]:
    """Blur pictures in memory and nothing else, by a thread that ends: its team of threads must not stay beside that of
    the next way, or both would rest between any two steps."""

    def work() -> dict[str, float]:
        torch.set_num_threads(THREADS)
        blur.blur(pictures[0], draw_noise(0, "warm", 0))
        started, worked = time.perf_counter(), time.process_time()
        for n, picture in enumerate(pictures):
            blur.blur(picture, draw_noise(0, "a", n))
        return {"seconds": time.perf_counter() - started, "cpu": time.process_time() - worked}

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


@dataclass(frozen=True)
class Ready:
    """A blur that costs these cores nothing, as where a GPU makes it: its pictures are in memory."""

    pictures: dict[str, np.ndarray]
    name = "kernel"
    revision = 0

    def describe(self) -> dict[str, Any]:
        """Nothing to tell."""
        return {}

    def __call__(self, sharp: np.ndarray, *, seed: int, key: str, variant: int) -> tuple[np.ndarray, Record]:
        """The picture that was blurred before."""
        return self.pictures[key], Record(self.name, (), {})


def combined(source: Path, blur: Ready, out: Path, settings: dict[str, Any]) -> None:
    """As `blur_corpus`, with a blur of this file."""
    params = SynthesizeParams.model_validate({"sharp": ["bench"], "model": "kernel", **settings})
    make_pairs(out.name, [read_source(source)], {"kernel": blur}, params, out, 1, rehearse=True)


def part_of(way: str) -> str:
    """The part of the benchmark that a way belongs to."""
    return "bgan" if way.endswith(("bgan", "generator")) else "kernel"


def show(medians: dict[str, tuple[float, float]]) -> None:
    """The ways and, for each that has a limit, its share of it: by the clock, and by the CPU's time.

    Other work on the same cores hardly changes the latter. It includes what a build costs once (verifying the source, a
    picture tried before, tables and cards).
    """

    def share(limit: str, name: str) -> str:
        clock, cpu = (medians[limit][kind] / medians[name][kind] for kind in (0, 1))
        return f"{clock:.2f} of {limit}, {cpu:.2f} by CPU time"

    codec = "bare decode + encode"
    notes = {name: share(codec, name) for name in medians if part_of(name) == "kernel" and name != codec}
    if "dbgan blur, bgan" in medians:
        ours, loop = (medians[name][0] for name in ("dbgan blur, bgan", "the loop people write, bgan"))
        notes |= {"dbgan blur, bgan": share("bare generator", "dbgan blur, bgan")}
        notes |= {"the loop people write, bgan": f"dbgan blur: {loop / ours:.1f} times as fast"}
    table = Table("way", "pairs/s", "CPU ms per pair", "", box=None)
    for name, (seconds, worked) in medians.items():
        table.add_row(name, f"{PAIRS / seconds:.3f}", f"{1e3 * worked / PAIRS:.1f}", notes.get(name, ""))
    Console().print(table)


def steps(source: Path, root: Path) -> None:
    """Print the CPU time of each step of a pair, one after the other on one thread, beside bare decode + encode."""
    cv2.setNumThreads(1)
    noisy = {"kernel": {"weights": {"gaussian": 1.0}, "sigma": [0.8, 0.8]}}
    ways: dict[str, dict[str, Any]] = {
        "small kernel": light({}),
        "the same, quality: false": {**light({}), "quality": False},
        "the same in linear light, with noise": {**noisy, "quality": False},
        "kernels by default": {"quality": False},
    }
    names = ("read", "blur", "encode", "write")
    table = Table("CPU ms per pair", *names, "all", "decode + encode alone", "its share", box=None)
    for way, settings in ways.items():
        found, bare = step_times(source, root / "steps", settings)
        whole = sum(found)
        cells = [f"{each:.1f}" for each in (*found, whole, bare)]
        table.add_row(way, *cells, f"{bare / whole:.2f}")
    Console().print(table)


def step_times(source: Path, out: Path, settings: dict[str, Any]) -> tuple[list[float], float]:
    """Medians, ms: of each step of synthesis by a kernel, and of decoding and encoding the same pictures alone."""
    keep_freed_memory()
    corpus, sharp = Corpus.open(source), read_source(source)
    params = SynthesizeParams.model_validate({"sharp": ["bench"], "model": "kernel", **settings})
    blurs = make_blurs(params, None)
    pairs = Pairs(make_builder([sharp], blurs, params))
    times: dict[str, list[float]] = {name: [] for name in ("read", "blur", "encode", "write", "bare")}

    def timed(name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        started = time.thread_time()
        done = call(*arguments)
        times[name].append(time.thread_time() - started)
        return done

    for shard in plan([sharp], settings_of(params, blurs)):
        samples = []
        for item in shard.items:
            frames = timed("read", pairs.read, item)
            made = timed("blur", pairs.blurred, item, frames)
            samples.append(timed("encode", pairs.encoded, item, frames, made))
            timed("bare", lambda key, blurry: (decode(corpus.encoded(key, "sharp")), encode(blurry, "png")),
                  item.source_key, made[0])  # fmt: skip
        timed("write", write_shard, out, shard, "paired", "png", samples)
        times["write"][-1] /= len(samples)
    shutil.rmtree(out)
    found = {name: 1e3 * statistics.median(each) for name, each in times.items()}
    return [found[name] for name in ("read", "blur", "encode", "write")], found["bare"]


def light(shared: dict[str, Any]) -> dict[str, Any]:
    """A kernel blur that costs less than the codec: a small Gaussian without noise, in stored values."""
    kernel = {"weights": {"gaussian": 1.0}, "sigma": [0.8, 0.8], "noise": [0.0, 0.0], "response": "stored"}
    return {**shared, "precision": "fp32", "kernel": kernel, "io_threads": THREADS}


def recode(source: Path, blurred: list[np.ndarray]) -> None:
    """Decode each sharp picture and encode its blurry one, on as many threads as synthesis has for each of the two."""
    corpus = Corpus.open(source)
    with ThreadPoolExecutor(THREADS) as threads:

        def one(key: str, picture: np.ndarray) -> None:
            decode(corpus.encoded(key, "sharp"))
            encode(picture, "png")

        list(threads.map(one, corpus.keys, blurred))


def todays_loop(source: Path, weights: Path, out: Path) -> dict[str, float]:
    """Pillow decodes, the network takes contiguous fp32 pictures one by one, Pillow encodes, ShardWriter writes.

    The first picture, which loads libraries and weights, is made twice and timed once, as a build's rehearsal does.
    """
    out.mkdir()
    network = load_weights(weights).eval().to(memory_format=torch.contiguous_format)
    corpus = Corpus.open(source)

    def blurred(n: int, key: str) -> tuple[np.ndarray, np.ndarray]:
        sharp = np.asarray(Image.open(io.BytesIO(corpus.encoded(key, "sharp"))).convert("RGB"))
        tensor = torch.from_numpy(sharp.copy()).permute(2, 0, 1)[None].contiguous().float() / 255
        z = torch.tensor([draw_noise(0, key, n)], dtype=torch.float32)
        blurry = network(tensor, z).clamp(0, 1)[0].mul(255).round().byte().permute(1, 2, 0).numpy()
        return sharp, blurry

    with wds.ShardWriter(str(out / "%06d.tar"), maxcount=100, verbose=0) as sink, torch.no_grad():
        blurred(0, corpus.keys[0])
        started, worked = time.perf_counter(), time.process_time()
        for n, key in enumerate(corpus.keys):
            sharp, blurry = blurred(n, key)
            sink.write({"__key__": f"{n:06d}", "blur.png": png(blurry), "sharp.png": png(sharp), "json": {"key": key}})
    return {"seconds": time.perf_counter() - started, "cpu": time.process_time() - worked}


def png(pixels: np.ndarray) -> bytes:
    """By Pillow, at its default level."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def sharp_corpus(root: Path, count: int, size: tuple[int, int]) -> Path:
    """A paired corpus of noisy photographs; its blurry pictures are not used here."""
    raw = root / f"raw-{size[0]}"
    base = cv2.resize(frame(), size, interpolation=cv2.INTER_CUBIC)
    for n in range(count):
        noise = np.random.default_rng(n).integers(-4, 5, base.shape)
        data = encode(np.clip(base.astype(int) + noise, 0, 255).astype(np.uint8), "png")
        for half in ("blur", "sharp"):
            path = raw / "GOPR0001_11_00" / half / f"{n + 1:06d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    params = IngestParams(layout="gopro", blur="blur", shard_samples=100)
    with contextlib.redirect_stdout(io.StringIO()):
        ingest("bench", params, raw, root / f"source-{size[0]}")
    shutil.rmtree(raw)
    return root / f"source-{size[0]}"


def memory(root: Path, weights: Path) -> None:
    """Print the peak memory of processes that blur 720p and 12 megapixels: by the network in tiles of 512, by kernels,
    and by kernels with a camera."""
    table = Table("pictures", "blur", "peak memory of the worker, MB", "of which before the first picture", box=None)
    for size in ((1280, 720), (4032, 3024)):
        source = sharp_corpus(root / f"memory-{size[0]}", MEMORY_PAIRS, size)
        for model in ("bgan", "kernel", "kernel and camera"):
            told = in_a_process(model, source, weights, root / f"blurred-{size[0]}" / model[-6:])
            row = [f"{size[0]}x{size[1]}", model, f"{told['peak'] / 1024:.0f}", f"{told['start'] / 1024:.0f}"]
            table.add_row(*row)
    Console().print(table)


def in_a_process(way: str, source: Path, weights: Path, out: Path) -> dict[str, float]:
    """What `_work` tells, run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.synthesize", way, *map(str, (source, weights, out))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _work(way: str, source: Path, weights: Path, out: Path) -> None:
    start, times = peak(), {}
    settings: dict[str, Any] = {"threads": THREADS}
    if way == "loop":
        torch.set_num_threads(THREADS)
        times = todays_loop(source, weights, out)
    elif way == "bgan":
        blur_corpus(source, out, weights=weights, settings={**settings, "precision": PRECISION})
    else:
        settings["camera"] = "default" if way.endswith("camera") else "none"
        blur_corpus(source, out, model="kernel", settings=settings)
    print(json.dumps({"start": start, "peak": peak(), **times}))


def peak() -> int:
    """VmHWM of this process, kB: what `ru_maxrss` tells may be a parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    _work(sys.argv[1], *map(Path, sys.argv[2:]))
