"""Test pictures side by side: blurry input, every variant's restoration, sharp frame, each with a magnified detail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.report.inputs import VARIANTS, evaluate_stage, number
from dbgan.report.pictures import Album, Picture

Pixels = NDArray[np.uint8]
BLUR, RESTORED, SHARP = "blur", "restored", "sharp"
DETAIL_SHARE = 0.3
"""Side of the magnified detail as a share of the picture's shorter side."""
SMALL = 640
"""Width up to which a picture counts as small, px."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture of a scene: `name` is blurry, sharp or a variant; `note` its score in words, if it has one."""

    name: str
    picture: Picture
    detail: Picture
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """One test key and its pictures, blurry first, sharp last; `preferred` is the name the slider starts with.

    Attributes:
        whole: all of the pictures; else their centres.
        patch: the magnified square of all details: its centre (across, down) and its side (of the width), in [0, 1].
        shrunk: the embedded pictures are smaller than the test's, so that details show more than they do.
    """

    source: str
    key: str
    shots: tuple[Shot, ...]
    preferred: str
    whole: bool
    patch: tuple[float, float, float]
    shrunk: bool

    @property
    def small(self) -> bool:
        """So small that its comparison and its strip fit side by side."""
        return self.shots[0].picture.width <= SMALL


@dataclass
class _Found:
    """One test key: its entries by variant, and then their pixels, which are read one key after another."""

    source: str
    key: str
    entries: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    pixels: dict[str, Pixels] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def paired(self) -> bool:
        """Whether a sharp frame is promised."""
        return any(SHARP in files_of(entry) for entry in self.entries.values())


@dataclass(frozen=True, slots=True)
class Gallery:
    """Scenes with a sharp frame and real captures without one, and how many of each there are on disk."""

    restored: tuple[Scene, ...]
    captures: tuple[Scene, ...]
    counts: tuple[int, int]


def gallery(album: Album, preferred: Mapping[str, str], variants: tuple[str, ...] = VARIANTS) -> Gallery:
    """Test scenes and real captures from `reports/evaluate/VARIANT/pictures.json`, in the order of those files, at
    most as many of each as the album's fit allows.

    Args:
        album: reads the pictures and notes those that are missing.
        preferred: test source -> restorer that the slider shows first.
        variants: restorers to look for, in the order in which they are shown.
    """
    found: dict[tuple[str, str], _Found] = {}
    for variant in variants:
        stage = evaluate_stage(variant)
        for entry in album.inputs.json_list("reports", f"evaluate/{variant}/pictures.json", stage):
            source, key = str(entry.get("source", "")), str(entry.get("key", ""))
            found.setdefault((source, key), _Found(source, key)).entries[variant] = entry
    kinds = ([f for f in found.values() if f.paired], [f for f in found.values() if not f.paired])

    def shown(kind: list[_Found]) -> tuple[Scene, ...]:
        read = (_scene(f, album, preferred.get(f.source, ""), variants) for f in kind[: album.fit.scenes])
        return tuple(scene for scene in read if scene is not None)

    return Gallery(shown(kinds[0]), shown(kinds[1]), (len(kinds[0]), len(kinds[1])))


def _read(found: _Found, album: Album) -> None:
    """Read the pictures of one key."""
    for variant, entry in found.entries.items():
        for role, name in files_of(entry).items():
            shown = {BLUR: "blurry", SHARP: "sharp"}.get(role, variant)
            if shown in found.pixels:
                continue
            pixels = album.pixels(f"evaluate/{variant}/{name}", evaluate_stage(variant))
            if pixels is not None:
                found.pixels[shown] = pixels
                score = {BLUR: "input_psnr_rgb", RESTORED: "psnr_rgb"}.get(role, "")
                found.notes[shown] = decibels(entry.get(score))


def files_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Role -> path below the variant's folder, from a dict `{"blur": path}` or a list of `.../NN-blur.png`."""
    files = entry.get("files")
    roles = (BLUR, RESTORED, SHARP)
    if isinstance(files, Mapping):
        return {role: str(files[role]) for role in roles if files.get(role)}
    names = [str(name) for name in files] if isinstance(files, list) else []
    return {role: name for role in roles for name in names if name.rpartition(".")[0].endswith(role)}


def decibels(value: Any) -> str:
    """`27.18 dB`, or nothing where there is no number."""
    measured = number(value)
    return "" if measured is None else f"{measured:.2f} dB"


def _scene(found: _Found, album: Album, preferred: str, variants: tuple[str, ...]) -> Scene | None:
    _read(found, album)
    pixels = found.pixels
    if not pixels:
        return None
    names = [name for name in ("blurry", *variants, "sharp") if name in pixels]
    box = detail_box(pixels[names[0]], pixels.get("sharp"))
    shots = tuple(_shot(found, name, box, album) for name in names)
    restored = [name for name in names if name in variants]
    first = preferred if preferred in restored else (restored or names)[-1]
    height, width = pixels[names[0]].shape[:2]
    top, left, side = box
    patch = (round((left + side / 2) / width, 4), round((top + side / 2) / height, 4), round(side / width, 4))
    found.pixels = {}  # the next one's take their place
    whole = all(entry.get("whole") is not False for entry in found.entries.values())
    return Scene(found.source, found.key, shots, first, whole, patch, shots[0].picture.width < width)


def _shot(found: _Found, name: str, box: tuple[int, int, int], album: Album) -> Shot:
    what = {"blurry": "the blurry input", "sharp": "the sharp frame"}.get(name, f"restored by {name}")
    alt = f"{found.source} {found.key}, {what}"
    pixels = found.pixels[name]
    top, left, side = box
    crop = pixels[top : top + side, left : left + side]
    if crop.shape[:2] != (side, side):
        crop = pixels
    return Shot(name, album.embedded(pixels, alt), album.embedded(crop, f"detail of {alt}"), found.notes[name])


def detail_box(blurry: Pixels, sharp: Pixels | None) -> tuple[int, int, int]:
    """(top, left, side) of the square where `sharp` differs most or, without it, where edges are strongest."""
    grey = cv2.cvtColor(blurry, cv2.COLOR_RGB2GRAY).astype(np.float32)
    if sharp is not None and sharp.shape == blurry.shape:
        strength = np.abs(cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY).astype(np.float32) - grey)
    else:
        strength = np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    height, width = grey.shape
    side = max(1, min(height, width, max(32, round(DETAIL_SHARE * min(height, width)))))
    total = cv2.integral(strength)
    sums = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    top, left = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return int(top), int(left), side
