"""Synthesis end to end beside its own limits, and beside the loop people write, on the same frames and cores.

The ways take turns, `$DBGAN_BENCH_ROUNDS` times. `$DBGAN_BENCH_PAIRS`, `$DBGAN_BENCH_SIDE` (WIDTHxHEIGHT) and
`$DBGAN_BENCH_BLOCKS` set the work, `$DBGAN_BENCH_PARTS` names its parts. Of dbgan's own ways the build is timed; the
picture that it tries before is not. Part `steps` is told in CPU time of one thread, which others' work hardly changes.
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
from dbgan.synthesize.pairs import make_blurs
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
    torch.set_num_threads(THREADS)
    cv2.setNumThreads(1)
    blur = BganBlur(weights, precision=PRECISION)
    blur.blur(pictures[0], draw_noise(0, "warm", 0))
    shared = {"threads": THREADS, "precision": PRECISION}
    ways: dict[str, Callable[[Path], object]] = {
        "bare generator": lambda out: [blur.blur(p, draw_noise(0, "a", n)) for n, p in enumerate(pictures)],
        "dbgan blur, bgan": lambda out: blur_corpus(source, out, weights=weights, settings=shared),
        "bare decode + encode": lambda out: recode(source, blurred),
        "dbgan blur, small kernel": lambda out: blur_corpus(source, out, model="kernel", settings=light(shared)),
        "dbgan blur, small kernel, quality: false": lambda out: blur_corpus(
            source, out, model="kernel", settings={**light(shared), "quality": False}
        ),
        "the loop people write, bgan": lambda out: todays_loop(source, weights, out),
    }
    kernel = KernelBlur(**KernelParams.model_validate(light(shared)["kernel"]).model_dump())
    # What a kernel leaves takes another time to encode than what it was given.
    blurred = [
        kernel(p, seed=0, key=key, variant=0)[0] for p, key in zip(pictures, Corpus.open(source).keys, strict=True)
    ]
    ways = {name: way for name, way in ways.items() if part_of(name) in PARTS}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(ROUNDS):
        for name, way in ways.items():
            out = root / f"out-{number}"
            started, worked = time.perf_counter(), time.process_time()
            with contextlib.redirect_stdout(io.StringIO()):
                way(out)
            seconds, worked = time.perf_counter() - started, time.process_time() - worked
            told = metrics_file(out)
            times[name].append((json.loads(told.read_text())["seconds"] if told.is_file() else seconds, worked))
            told.unlink(missing_ok=True)
            shutil.rmtree(out, ignore_errors=True)
    return {name: (statistics.median(s for s, _ in found), min(w for _, w in found)) for name, found in times.items()}


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

    notes = {name: share("bare decode + encode", name) for name in medians if "small kernel" in name}
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
    from concurrent.futures import ThreadPoolExecutor

    corpus = Corpus.open(source)
    with ThreadPoolExecutor(THREADS) as threads:

        def one(key: str, picture: np.ndarray) -> None:
            decode(corpus.encoded(key, "sharp"))
            encode(picture, "png")

        list(threads.map(one, corpus.keys, blurred))


def todays_loop(source: Path, weights: Path, out: Path) -> None:
    """Pillow decodes, the network takes contiguous fp32 pictures one by one, Pillow encodes, ShardWriter writes."""
    out.mkdir()
    network = load_weights(weights).eval().to(memory_format=torch.contiguous_format)
    corpus = Corpus.open(source)
    with wds.ShardWriter(str(out / "%06d.tar"), maxcount=100, verbose=0) as sink, torch.no_grad():
        for n, key in enumerate(corpus.keys):
            sharp = np.asarray(Image.open(io.BytesIO(corpus.encoded(key, "sharp"))).convert("RGB"))
            tensor = torch.from_numpy(sharp.copy()).permute(2, 0, 1)[None].contiguous().float() / 255
            z = torch.tensor([draw_noise(0, key, n)], dtype=torch.float32)
            blurry = network(tensor, z).clamp(0, 1)[0].mul(255).round().byte().permute(1, 2, 0).numpy()
            sink.write({"__key__": f"{n:06d}", "blur.png": png(blurry), "sharp.png": png(sharp), "json": {"key": key}})


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
            arguments = [str(source), str(weights), str(root / f"blurred-{size[0]}"), model]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.synthesize", *arguments], capture_output=True, text=True
            )
            if done.returncode:
                raise RuntimeError(done.stderr)
            told = json.loads(done.stdout.splitlines()[-1])
            row = [f"{size[0]}x{size[1]}", model, f"{told['peak'] / 1024:.0f}", f"{told['start'] / 1024:.0f}"]
            table.add_row(*row)
    Console().print(table)


def _in_a_process(source: str, weights: str, out: str, model: str) -> None:
    start = peak()
    settings: dict[str, Any] = {"threads": THREADS}
    if model == "bgan":
        settings["precision"] = PRECISION
        blur_corpus(Path(source), Path(out) / "bgan", weights=Path(weights), settings=settings)
    else:
        settings["camera"] = "default" if model.endswith("camera") else "none"
        blur_corpus(Path(source), Path(out) / model[-6:], model="kernel", settings=settings)
    print(json.dumps({"start": start, "peak": peak()}))


def peak() -> int:
    """VmHWM of this process, kB: what `ru_maxrss` tells may be a parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    _in_a_process(*sys.argv[1:])
