"""The photographs: files of scikit-image's wheel that are in the public domain or CC0, and in colour.

Licences are as scikit-image's own docstrings (skimage.data) state them; datasets/demo.md repeats this table.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.errors import DbganError, MissingPackageError

Box = tuple[int, int, int, int]
"""left, top, right, bottom in px of the file."""


@dataclass(frozen=True, slots=True)
class Photograph:
    """One picture and what may be done with it.

    Attributes:
        file: name in skimage/data.
        licence, author: as stated by scikit-image.
        use: training scenes and test scenes are different photographs.
        box: the part that is used.
        scale: by which that part is resized before the camera looks at it, at 320 x 192.
    """

    file: str
    licence: str
    author: str
    use: Literal["train", "test"]
    box: Box
    scale: float


PHOTOGRAPHS = {
    "astronaut": Photograph("astronaut.png", "public domain", "NASA (Eileen Collins)", "train", (0, 0, 512, 512), 1.0),
    "chelsea": Photograph("chelsea.png", "CC0", "Stefan van der Walt", "train", (0, 0, 451, 300), 1.1),
    "hubble": Photograph(
        "hubble_deep_field.jpg", "public domain", "NASA (HubbleSite)", "train", (0, 0, 1000, 872), 0.75
    ),
    "retina": Photograph("retina.jpg", "CC0 1.0", "Mikael Häggström", "train", (190, 190, 1220, 1220), 0.5),
    "coffee": Photograph("coffee.png", "CC0", "Rachel Michetti", "test", (0, 0, 600, 400), 1.0),
    "rocket": Photograph("rocket.jpg", "public domain", "SpaceX", "test", (0, 0, 640, 427), 1.0),
}

COVERAGE = 1.25
"""The backdrop is at least this many times as wide and high as the frame, so that the camera has room to move."""
REFERENCE_WIDTH = 320
SHARPENING = 0.5
"""Weight of the unsharp mask: gives back what resizing softened."""


def data_folder() -> Path:
    """skimage/data, found without importing scikit-image (which takes a second)."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(
            "dbgan sample needs the package 'scikit-image', whose wheel holds the photographs.\n"
            "Next: pip install scikit-image"
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def load(name: str) -> NDArray[np.uint8]:
    """The used part of a photograph, HWC uint8 RGB, at the file's own resolution."""
    photograph = PHOTOGRAPHS[name]
    path = data_folder() / photograph.file
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    left, top, right, bottom = photograph.box
    if bgr is None or bgr.shape[0] < bottom or bgr.shape[1] < right:
        found = "no readable picture" if bgr is None else f"{bgr.shape[1]} x {bgr.shape[0]} px"
        raise DbganError(
            f"{path}: expected the {name} photograph of at least {right} x {bottom} px, found {found}.\n"
            "Next: install scikit-image from its wheel (pip install --force-reinstall scikit-image)."
        )
    return np.ascontiguousarray(bgr[top:bottom, left:right, ::-1])


def resized(picture: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """`picture` resized by `scale` and sharpened a little: what the camera sees must look sharp."""
    if scale != 1.0:
        size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    soft = cv2.GaussianBlur(picture, (0, 0), 0.9)
    return np.asarray(cv2.addWeighted(picture, 1.0 + SHARPENING, soft, -SHARPENING, 0.0), np.uint8)


def backdrop(name: str, width: int, height: int) -> NDArray[np.uint8]:
    """A photograph as a backdrop for frames of `width` x `height` px, HWC uint8 RGB, larger than the frame."""
    picture = load(name)
    wanted = PHOTOGRAPHS[name].scale * width / REFERENCE_WIDTH
    needed = COVERAGE * max(width / picture.shape[1], height / picture.shape[0])
    return resized(picture, max(wanted, needed))
