"""Where a trained trajectory head lets things move on their own, beside where they do so in the demo's clips.

The clips are rendered, so where their moving thing is and how far it goes is known. `$DBGAN_BENCH_WEIGHTS` names weight
files of trajectory heads, separated by commas (models/bgan/demo/weights.safetensors); `$DBGAN_BENCH_PICTURE` a PNG to
write: rows of test frames with, of each head, where its layers are open, and one blur. Run it from the project's root.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata
from torch import Tensor

from dbgan import seeds
from dbgan.files import write_bytes
from dbgan.image.codec import encode
from dbgan.networks import NOISE_CHANNELS, load_weights
from dbgan.networks.motion import per_pixel
from dbgan.networks.trajectory import TrajectoryGenerator
from dbgan.params import SampleParams
from dbgan.sample.gopro import Take, stage, takes
from dbgan.sample.photographs import PHOTOGRAPHS
from dbgan.train.moving import union

WEIGHTS = os.environ.get("DBGAN_BENCH_WEIGHTS", "models/bgan/demo/weights.safetensors").split(",")
PICTURE = os.environ.get("DBGAN_BENCH_PICTURE", "")
HELD_OUT = "GOPR9005_11_00"
PARAMS = SampleParams(seed=7)
"""The demo's (params.yaml)."""
DRAWS = 4
"""Draws of z for each frame."""
COVERED = 0.6
"""A pixel is of the thing, and not of its shadow, where it covers so much of it."""
AROUND = 41
"""Side of the square in which the thing's surroundings are looked for, px."""


@dataclass(frozen=True)
class Frame:
    """A sharp frame, HWC uint8; which pixels are of the moving thing; how far that moves beside the camera, px."""

    sharp: NDArray[np.uint8]
    thing: NDArray[np.bool_]
    own_px: float

    @property
    def tensor(self) -> Tensor:
        """NCHW float in [0, 1]."""
        return torch.from_numpy(self.sharp).permute(2, 0, 1)[None].float() / 255.0


def frames(take: Take) -> list[Frame]:
    """Every second picture of a clip."""
    staged, average, size = stage(take, PARAMS), PARAMS.average, (PARAMS.width, PARAMS.height)
    found = []
    for first in range(0, len(staged.views), 2 * average):
        middle, last = first + average // 2, first + average - 1
        # the thing in the frame and the camera's own way add up to the thing's way over the ground
        gone = [staged.poses[k].x + staged.views[k].x for k in (first, last)]
        risen = [staged.poses[k].y + staged.views[k].y for k in (first, last)]
        own = float(np.hypot(gone[1] - gone[0], risen[1] - risen[0])) * average / (average - 1)
        thing = staged.scene.coverage(staged.poses[middle], size) > COVERED
        if 0.02 < thing.mean() < 0.5:
            found.append(Frame(staged.scene.frame(staged.views[middle], size, staged.poses[middle]), thing, own))
    return found


def measure(network: TrajectoryGenerator, frame: Frame) -> list[float]:
    """Area under the ROC of the layers' openness for the thing; openness inside and outside; motion of the thing beside
    its surroundings, px: means over draws of z."""
    rows = []
    around = cv2.dilate(frame.thing.astype(np.uint8), np.ones((AROUND, AROUND), np.uint8)) > frame.thing
    for draw in range(DRAWS):
        z = torch.from_numpy(seeds.generator(draw, "layers").standard_normal((1, NOISE_CHANNELS), dtype=np.float32))
        open_ = opened(network, frame, z)
        with torch.inference_mode():
            velocity = per_pixel(network.fields(frame.tensor, z), frame.tensor)[0, :2].numpy()
        beside = velocity[:, frame.thing].mean(1) - velocity[:, around].mean(1)
        rows.append([auc(open_, frame.thing), open_[frame.thing].mean(), open_[~frame.thing].mean(), np.hypot(*beside)])
    return [float(value) for value in np.mean(rows, axis=0)]


def opened(network: TrajectoryGenerator, frame: Frame, z: Tensor) -> NDArray[np.float32]:
    """(H, W): how far any layer is open at each pixel."""
    height, width = frame.thing.shape
    with torch.inference_mode():
        cells = union(network.layers_of(frame.tensor, z))[0, 0].numpy()
    return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def auc(values: NDArray[np.float32], positive: NDArray[np.bool_]) -> float:
    """Chance that a pixel of the thing has a larger value than another; 0.5 where it is no matter of values."""
    ranks, count = rankdata(values)[positive.ravel()], int(positive.sum())
    return float((ranks.sum() - count * (count + 1) / 2) / (count * (positive.size - count)))


def run() -> None:
    """Print one table."""
    groups = {
        "train": [t for t in takes() if PHOTOGRAPHS[t.photograph].use == "train" and t.name != HELD_OUT],
        "held out": [t for t in takes() if t.name == HELD_OUT],
        "test": [t for t in takes() if PHOTOGRAPHS[t.photograph].use == "test"],
    }
    looked_at = {name: [frame for take in group for frame in frames(take)] for name, group in groups.items()}
    table = Table(title=f"trajectory heads on rendered clips, means over frames and {DRAWS} draws of z")
    for column in ("weights", "clips", "AUC", "open inside", "outside", "thing beside its surroundings, px", "planted"):
        table.add_column(column)
    heads = {}
    for path in WEIGHTS:
        network = load_weights(Path(path))
        assert isinstance(network, TrajectoryGenerator)
        heads[path] = network.eval()
        for name, group in looked_at.items():
            told = np.mean([measure(heads[path], frame) for frame in group], axis=0)
            planted = float(np.mean([frame.own_px for frame in group]))
            values = (f"{told[0]:.2f}", f"{told[1]:.2f}", f"{told[2]:.2f}", f"{told[3]:.1f}", f"{planted:.1f}")
            table.add_row(path, f"{name} ({len(group)} frames)", *values)
    Console(width=150).print(table)
    if PICTURE:
        chosen = looked_at["test"][::4]
        write_bytes(Path(PICTURE), encode(np.vstack([row(list(heads.values()), frame) for frame in chosen]), "png"))


def row(heads: list[TrajectoryGenerator], frame: Frame) -> NDArray[np.uint8]:
    """A frame with the thing's outline, then of each head its layers (bright: open) and a blur, side by side."""
    outline = cv2.dilate(frame.thing.astype(np.uint8), np.ones((3, 3), np.uint8)) > frame.thing
    shown = [np.where(outline[..., None], np.array([255, 220, 0], np.uint8), frame.sharp)]
    z = torch.from_numpy(seeds.generator(1, "layers").standard_normal((1, NOISE_CHANNELS), dtype=np.float32))
    for head in heads:
        grey = (255.0 * opened(head, frame, z)).round().astype(np.uint8)
        with torch.inference_mode():
            blurry = head(frame.tensor, 1.5 * z)[0].permute(1, 2, 0).mul(255.0).round().byte().numpy()
        shown += [np.repeat(grey[..., None], 3, axis=2), blurry]
    return np.hstack(shown).astype(np.uint8)
