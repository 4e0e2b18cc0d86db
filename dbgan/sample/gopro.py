"""The demo's GOPRO-like clips: 240 fps frames, and blurry images as GOPRO made its own (Eq. 2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.average import average_frames
from dbgan.params import SampleParams
from dbgan.sample.motion import camera_path, crossing
from dbgan.sample.photographs import PHOTOGRAPHS, REFERENCE_WIDTH, backdrop
from dbgan.sample.scene import CutoutSpec, Pose, Scene, cut_out
from dbgan.seeds import generator


@dataclass(frozen=True, slots=True)
class Take:
    """One clip.

    Attributes:
        name: of the sequence, as GOPRO names them.
        photograph: the backdrop.
        focus: what the camera looks at, as shares of the backdrop's width and height.
        strength: mean motion during one blurry image, px at 320 px width.
        cutout: what moves before it, from a photograph of the same use.
        cutout_middle: where it is in mid-clip, as shares of the frame's width and height.
        cutout_strength: its own motion during one blurry image, px at 320 px width.
    """

    name: str
    photograph: str
    focus: tuple[float, float]
    strength: float
    cutout: CutoutSpec
    cutout_middle: tuple[float, float]
    cutout_strength: float


BADGE = CutoutSpec("astronaut", (134, 350, 208, 424), "ellipse", 0.24)
PORTRAIT = CutoutSpec("astronaut", (120, 0, 340, 270), "print", 0.24)
CAT = CutoutSpec("chelsea", (60, 0, 400, 260), "print", 0.34)
GALAXIES = CutoutSpec("hubble", (120, 160, 700, 560), "print", 0.34)
EYE = CutoutSpec("retina", (60, 130, 880, 950), "ellipse", 0.28)
LAUNCH = CutoutSpec("rocket", (150, 110, 490, 420), "print", 0.32)
CUP = CutoutSpec("coffee", (90, 10, 470, 380), "print", 0.34)

TAKES = (
    Take("GOPR9001_11_00", "astronaut", (0.46, 0.27), 5.0, CAT, (0.15, 0.8), 14.0),
    Take("GOPR9002_11_00", "chelsea", (0.55, 0.45), 6.0, BADGE, (0.25, 0.35), 16.0),
    Take("GOPR9003_11_00", "retina", (0.40, 0.50), 11.0, PORTRAIT, (0.65, 0.6), 10.0),
    Take("GOPR9004_11_00", "hubble", (0.50, 0.50), 9.0, BADGE, (0.5, 0.5), 8.0),
    Take("GOPR9005_11_00", "astronaut", (0.50, 0.75), 6.0, GALAXIES, (0.8, 0.3), 6.0),
    Take("GOPR9006_11_00", "chelsea", (0.45, 0.60), 14.0, EYE, (0.85, 0.75), 20.0),
    Take("GOPR9101_11_00", "coffee", (0.48, 0.40), 6.0, LAUNCH, (0.15, 0.75), 12.0),
    Take("GOPR9102_11_00", "rocket", (0.50, 0.80), 5.5, CUP, (0.8, 0.3), 14.0),
    Take("GOPR9103_11_00", "coffee", (0.70, 0.65), 8.0, LAUNCH, (0.8, 0.25), 8.0),
)


def takes() -> tuple[Take, ...]:
    """All clips; `PHOTOGRAPHS[take.photograph].use` says for what."""
    return TAKES


def frame_paths(take: Take, params: SampleParams) -> list[tuple[PurePosixPath, PurePosixPath]]:
    """(blurry, sharp) paths of a clip below the output folder, in GOPRO_Large layout, frames from 000001."""
    folder = PurePosixPath("gopro", PHOTOGRAPHS[take.photograph].use, take.name)
    names = [f"{n:06d}.png" for n in range(1, params.frames_per_sequence + 1)]
    return [(folder / "blur" / name, folder / "sharp" / name) for name in names]


def render_take(take: Take, params: SampleParams) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """(blurry, sharp) images of one clip, HWC uint8 RGB, in order.

    The 240 fps clip is cut into disjoint windows of `params.average` frames: blurry is their mean by GOPRO's own rule,
    sharp the one in the middle.
    """
    average, size = params.average, (params.width, params.height)
    staged = stage(take, params)
    window: list[NDArray[np.uint8]] = []
    for view, pose in zip(staged.views, staged.poses, strict=True):
        window.append(staged.scene.frame(view, size, pose))
        if len(window) == average:
            yield average_frames(window, "stored"), window[average // 2]
            window = []


@dataclass(frozen=True, slots=True)
class Staged:
    """What is before the camera during one clip, and where it and the camera are at each of its 240 fps frames."""

    scene: Scene
    views: tuple[Pose, ...]
    poses: tuple[Pose, ...]


def stage(take: Take, params: SampleParams) -> Staged:
    """The motion that is planted in a clip: `params.average` frames for each of its pictures."""
    width, height = params.width, params.height
    count, average = params.frames_per_sequence * params.average, params.average
    unit = width / REFERENCE_WIDTH
    rng = generator(params.seed, "clip", take.name)
    picture = backdrop(take.photograph, width, height)
    scene = Scene(picture, cut_out(take.cutout, width))
    path = camera_path(rng, count, average, take.strength * unit, width)
    own = crossing(rng, count, average, take.cutout_strength * unit, (width, height), take.cutout_middle)
    tilt = rng.normal(0.0, 0.05)
    focus_x, focus_y = (share * side for share, side in zip(take.focus, picture.shape[1::-1], strict=True))
    # Keep the view on the backdrop where the path leaves room for that; elsewhere the backdrop is mirrored.
    focus_x = _inside(focus_x, width / 2 + float(path.x.max()), picture.shape[1])
    focus_y = _inside(focus_y, height / 2 + float(path.y.max()), picture.shape[0])
    frames = range(count)
    views = [Pose(focus_x + path.x[k], focus_y + path.y[k], tilt + path.roll[k], path.zoom[k]) for k in frames]
    poses = [Pose(own[k, 0] - path.x[k], own[k, 1] - path.y[k], own[k, 2] - path.roll[k], path.zoom[k]) for k in frames]
    return Staged(scene, tuple(views), tuple(poses))


def _inside(centre: float, reach: float, side: int) -> float:
    """`centre` moved so that `reach` px on both its sides lie within `side`; the middle if they cannot."""
    return side / 2 if 2 * reach >= side else min(max(centre, reach), side - reach)
