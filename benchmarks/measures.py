"""The measures of pictures put to the test on real frames: known blur, and real blurry pictures against sharp ones.

Frames: the folder in `$DBGAN_SHARED_DATA`, else `../shared/data` (gopro, reds, real-blur). docs/measures.md holds the
tables that this prints.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import spearmanr

from dbgan.blur.kernels import linear_kernel
from dbgan.image.codec import decode
from dbgan.image.quality import luma, measure
from dbgan.image.quality.motion import motion

Picture = NDArray[np.uint8]
SHARPNESS = {"tenengrad": 1, "sharpness": 1, "edge_extent_px": -1}
"""Measure -> its sign: 1 where a sharper picture has more of it."""
AVERAGED = ("gopro/test/*/blur/*.png", "gopro/unsorted/blur/*.*", "hide/blur/*.*", "reds/*/blur/*.png")
"""Blurry frames of public sets: no formula was chosen by them."""
LENGTHS = (2, 4, 6, 8, 11, 14, 18, 22, 27)
MOTIONS = (7, 10, 13, 16, 20, 25)


def run() -> None:
    """Print three tables: rank correlation with known blur, errors of motion, real blurry against sharp."""
    folder = Path(os.environ.get("DBGAN_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    frames = sharp_frames(folder)
    captured = [p for p in sorted((folder / "real-blur").rglob("*.*")) if "_S." not in p.name]
    averaged = [p for place in AVERAGED for p in sorted(folder.glob(place))]
    blurry = {name: [decode(p.read_bytes()) for p in paths] for name, paths in (("real", captured), ("sets", averaged))}
    console = Console()
    rng = np.random.default_rng(0)
    noises: dict[str, Callable[[Picture], Picture]] = {
        "none": lambda picture: picture,
        "sigma 1.5": lambda picture: noisy(picture, 1.5, rng),
        "sigma 3": lambda picture: noisy(picture, 3.0, rng),
        "JPEG 90": lambda picture: coded(picture, 90),
        "sigma 2, JPEG 75": lambda picture: coded(noisy(picture, 2.0, rng), 75),
    }
    console.print(_monotone(frames, noises, rng))
    console.print(_motion(frames, noises, rng))
    console.print(_separation(frames, blurry))


def sharp_frames(folder: Path) -> list[Picture]:
    """Sharp frames of GOPRO, REDS and the two triplets, HWC uint8 RGB."""
    paths = sorted(folder.glob("gopro/test/*/sharp/*.png")) + sorted(folder.glob("reds/*/sharp/*.png"))[::4]
    paths += sorted(folder.glob("real-blur/*/triplet/*_S.*"))
    return [decode(path.read_bytes()) for path in paths]


def blurred(picture: Picture, length: float, degrees: float) -> Picture:
    """Straight motion over `length` px, rounded to uint8."""
    kernel = np.asarray(linear_kernel(length, math.radians(degrees)))
    return np.asarray(cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REFLECT), dtype=np.uint8)


def noisy(picture: Picture, sigma: float, rng: np.random.Generator) -> Picture:
    """Gaussian noise of `sigma` grey levels."""
    return np.clip(picture + rng.normal(0, sigma, picture.shape), 0, 255).round().astype(np.uint8)


def coded(picture: Picture, quality: int) -> Picture:
    """Through a JPEG."""
    data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], dtype=np.uint8)


def auc(high: list[float], low: list[float]) -> float:
    """Probability that a value of `high` is over one of `low`."""
    above, below = np.array(high)[:, None], np.array(low)[None]
    return float(np.mean((above > below) + 0.5 * (above == below)))


def turned(found: float, true: float) -> float:
    """Degrees between two directions, which repeat every 180."""
    return abs((found - true + 90) % 180 - 90)


def _monotone(
    frames: list[Picture], noises: dict[str, Callable[[Picture], Picture]], rng: np.random.Generator
) -> Table:
    title = f"Spearman with the length of known motion, {len(frames)} frames: median (worst) within a frame"
    table = Table("measure", *noises, box=None, title=title)
    found: dict[str, list[str]] = {name: [] for name in SHARPNESS}
    for spoil in noises.values():
        ranks: dict[str, list[float]] = {name: [] for name in SHARPNESS}
        for frame in frames:
            angle = float(rng.uniform(0, 180))
            rows = [measure(spoil(blurred(frame, length, angle))) for length in LENGTHS]
            for name, sign in SHARPNESS.items():
                ranks[name].append(-sign * float(spearmanr(LENGTHS, [row[name] for row in rows]).statistic))
        for name, values in ranks.items():
            found[name].append(f"{np.median(values):.3f} ({min(values):.3f})")
    for name, cells in found.items():
        table.add_row(name, *cells)
    return table


def _motion(frames: list[Picture], noises: dict[str, Callable[[Picture], Picture]], rng: np.random.Generator) -> Table:
    title = f"Straight motion of {MOTIONS} px in {len(frames)} frames"
    table = Table("spoiled by", "found", "direction, deg", "length", "said of sharp", box=None, title=title)
    for name, spoil in noises.items():
        errors, missed = [], 0
        for frame in frames:
            for length in MOTIONS:
                angle = float(rng.uniform(0, 180))
                found = motion(luma(spoil(blurred(frame, length, angle))))
                if found.length_px is None or found.direction_deg is None:
                    missed += 1
                else:
                    errors.append((turned(found.direction_deg, angle), abs(found.length_px - length) / length))
        wrong = sum(motion(luma(spoil(frame))).length_px is not None for frame in frames)
        direction, length_error = np.median(np.array(errors), axis=0)
        share = len(errors) / (len(errors) + missed)
        table.add_row(name, f"{share:.0%}", f"{direction:.1f}", f"{length_error:.1%}", f"{wrong} of {len(frames)}")
    return table


def _separation(frames: list[Picture], blurry: dict[str, list[Picture]]) -> Table:
    sharp = [measure(frame) for frame in frames]
    counts = ", ".join(f"{len(own)} of {name}" for name, own in blurry.items())
    table = Table("measure", *blurry, box=None, title=f"AUC, {len(frames)} sharp frames against blurry: {counts}")
    measured = {name: [measure(picture) for picture in own] for name, own in blurry.items()}
    for name, sign in SHARPNESS.items():
        clear = [sign * float(v) for row in sharp if (v := row[name]) is not None]
        sides = [[sign * float(v) for row in rows if (v := row[name]) is not None] for rows in measured.values()]
        table.add_row(name, *(f"{auc(clear, side):.3f}" for side in sides))
    return table
