"""PNG and JPEG of a noisy 720p frame: time and size of the settings one could choose, and of the one that is chosen.

Encoding is what bounds synthesis on a fast device, so the setting matters more than it looks.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.table import Table
from skimage import data

from dbgan.image.codec import decode, encode

ROUNDS = 7
Pixels = NDArray[np.uint8]
T = TypeVar("T")


def run() -> None:
    """Print one table of encoders and one of decoders."""
    cv2.setNumThreads(1)
    pixels = frame()
    raw = pixels.nbytes
    encoders: dict[str, Callable[[], bytes]] = {
        "dbgan png": lambda: encode(pixels, "png"),
        "OpenCV png, level 1": lambda: opencv(pixels, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 1]),
        "OpenCV png, level 3": lambda: opencv(pixels, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 3]),
        "OpenCV png, level 6": lambda: opencv(pixels, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 6]),
        "OpenCV png, RLE": lambda: opencv(pixels, ".png", strategy(cv2.IMWRITE_PNG_STRATEGY_RLE)),
        "OpenCV png, Huffman only": lambda: opencv(pixels, ".png", strategy(cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY)),
        "OpenCV png, filtered": lambda: opencv(pixels, ".png", strategy(cv2.IMWRITE_PNG_STRATEGY_FILTERED)),
        "OpenCV png, level 1 RLE": lambda: opencv(
            pixels, ".png", [cv2.IMWRITE_PNG_COMPRESSION, 1, *strategy(cv2.IMWRITE_PNG_STRATEGY_RLE)]
        ),
        "Pillow png, default": lambda: pillow(pixels, "PNG"),
        "Pillow png, level 1": lambda: pillow(pixels, "PNG", compress_level=1),
        "dbgan webp": lambda: encode(pixels, "webp"),
        "Pillow webp, lossless, method 0": lambda: pillow(pixels, "WEBP", lossless=True, method=0, quality=0),
        "OpenCV webp, lossless": lambda: opencv(pixels, ".webp", [cv2.IMWRITE_WEBP_QUALITY, 101]),
        "dbgan jpg": lambda: encode(pixels, "jpg"),
    }
    written = side_by_side(
        "encode", encoders, lambda name, coded: f"{len(coded) / 1e6:.2f} MB, {raw / len(coded):.2f}:1"
    )
    png = written["dbgan png"]
    decoders: dict[str, Callable[[], Pixels]] = {
        "dbgan": lambda: decode(png),
        "OpenCV": lambda: cv2.cvtColor(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB),
        "Pillow": lambda: np.asarray(Image.open(io.BytesIO(png)).convert("RGB")),
    }
    side_by_side(
        "decode", decoders, lambda name, read: "equal pixels" if np.array_equal(read, pixels) else "OTHER PIXELS"
    )


def frame() -> Pixels:
    """A photograph at 1280x720 with sensor-like noise of sigma 2: noise, not content, decides a PNG's size."""
    photograph = cv2.resize(data.astronaut(), (1280, 720), interpolation=cv2.INTER_CUBIC).astype(np.float64)
    noise = np.random.default_rng(0).normal(0.0, 2.0, photograph.shape)
    return np.clip(np.rint(photograph + noise), 0, 255).astype(np.uint8)


def opencv(pixels: Pixels, extension: str, settings: list[int]) -> bytes:
    """`pixels` by `cv2.imencode`."""
    return bytes(cv2.imencode(extension, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)[1])


def strategy(which: int) -> list[int]:
    """OpenCV's setting of zlib's strategy."""
    return [cv2.IMWRITE_PNG_STRATEGY, which]


def pillow(pixels: Pixels, form: str, **settings: int) -> bytes:
    """`pixels` by Pillow."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **settings)
    return buffer.getvalue()


def side_by_side(title: str, ways: dict[str, Callable[[], T]], note: Callable[[str, T], str]) -> dict[str, T]:
    """CPU time of each way, in turns so that a busy moment hits all of them; print a table; return what each made."""
    made = {name: way() for name, way in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            started = time.thread_time()
            way()
            times[name].append(time.thread_time() - started)
    table = Table(title, "median ms", "slowest", "", title=None, box=None)
    for name in ways:
        median, slowest = statistics.median(times[name]), max(times[name])
        table.add_row(name, f"{median * 1e3:.1f}", f"{slowest * 1e3:.1f}", note(name, made[name]))
    Console().print(table)
    return made
