"""The demo's two phones: unpaired blurry photos, with other motion, noise and optics than the GOPRO-like clips have.

A hand's shake during one exposure (Boracchi and Foi), averaged in linear light with clipped highlights given back,
defocus, shot and read noise on a Bayer mosaic, tone, JPEG, and EXIF as phones write it.
"""

from __future__ import annotations

import datetime
import io
import math
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dbgan.blur.kernels import convolve, disk_kernel, shake_path
from dbgan.blur.sensor import Sensor, expose, sense
from dbgan.params import SampleParams
from dbgan.sample.exif import Shot, exif_block
from dbgan.sample.gopro import BADGE, CAT, CUP, LAUNCH, PORTRAIT
from dbgan.sample.photographs import REFERENCE_WIDTH, backdrop
from dbgan.sample.scene import CutoutSpec, Pose, Scene, cut_out
from dbgan.seeds import generator

JPEG_QUALITY = 92
TEST_SHARE = 0.2
"""Photos per phone in phones/test, as a share of those in phones/train."""
LENGTH_PX = (6.0, 26.0)
"""Length of the shake's path, drawn log-uniformly, at 320 px width."""
MAX_INSTANTS = 48
Kind = Literal["shake", "defocus", "both", "still", "overexposed", "copy"]


@dataclass(frozen=True, slots=True)
class Phone:
    """An invented device.

    Attributes:
        name: prefix of its folders.
        model, serial: of the EXIF.
        f_number, focal_mm: of its lens.
        iso: lowest and highest that its photos have; the noise grows with it.
        sensor: at ISO 100.
        cast: gains of R, G, B that its white balance leaves.
        train, test: photograph of each folder.
    """

    name: str
    model: str
    serial: str
    f_number: float
    focal_mm: float
    iso: tuple[int, int]
    sensor: Sensor
    cast: tuple[float, float, float]
    train: tuple[str, ...]
    test: tuple[str, ...]


MAKE = "Example"
PHONES = (
    Phone(
        "phone-a",
        "Phone A",
        "XA-7710-0042",
        1.8,
        4.25,
        (64, 400),
        Sensor(shot=3e-5, read=3e-6, white_balance=(2.0, 1.0, 1.7), saturation=1.0, mosaic="RGGB", tone=0.15),
        (1.03, 1.0, 0.96),
        ("astronaut", "chelsea", "hubble", "astronaut"),
        ("coffee", "rocket"),
    ),
    Phone(
        "phone-b",
        "Phone B",
        "XB-2093-1187",
        2.2,
        3.6,
        (100, 800),
        Sensor(shot=5e-5, read=5e-6, white_balance=(2.2, 1.0, 1.6), saturation=0.6, mosaic="GRBG", tone=0.3),
        (0.97, 1.0, 1.05),
        ("chelsea", "retina", "astronaut", "chelsea"),
        ("rocket", "coffee"),
    ),
)
OBJECTS: dict[str, CutoutSpec] = {
    "astronaut": CAT,
    "chelsea": BADGE,
    "hubble": PORTRAIT,
    "retina": BADGE,
    "coffee": LAUNCH,
    "rocket": CUP,
}


@dataclass(frozen=True, slots=True)
class Capture:
    """One photo to take: which phone, of what, where to, and what goes wrong."""

    phone: Phone
    use: Literal["train", "test"]
    folder: str
    number: int
    photograph: str
    kind: Kind
    taken: datetime.datetime

    @property
    def path(self) -> PurePosixPath:
        """Below the output folder."""
        return PurePosixPath("phones", self.use, self.folder, f"IMG_{self.number:04d}.jpg")


def captures(params: SampleParams) -> list[Capture]:
    """All photos, in order: the train ones of each phone in four folders, the test ones in two."""
    planned = []
    for phone in PHONES:
        test_count = max(1, round(TEST_SHARE * params.captures_per_phone))
        uses: tuple[tuple[Literal["train", "test"], tuple[str, ...], int], ...] = (
            ("train", phone.train, params.captures_per_phone),
            ("test", phone.test, test_count),
        )
        for use, photographs, count in uses:
            for index in range(count):
                folder = index * len(photographs) // count
                number = 1 + sum(1 for earlier in range(index) if earlier * len(photographs) // count == folder)
                name = f"{phone.name}-{use}-{folder + 1}"
                kind = _kind(params.seed, name, number)
                taken = datetime.datetime(2024, 5, 1 + folder, 10, 5) + datetime.timedelta(seconds=37 * number)
                planned.append(Capture(phone, use, name, number, photographs[folder], kind, taken))
    return planned


def pair_captures(params: SampleParams) -> list[Capture]:
    """The photos of phone-pairs/test whose sharp twin is known, in order: `phone_pairs` of each phone."""
    planned = []
    for phone in PHONES:
        name = f"{phone.name}-pairs"
        for number in range(1, params.phone_pairs + 1):
            photograph = phone.test[number % len(phone.test)]
            taken = datetime.datetime(2024, 6, 1, 10, 5) + datetime.timedelta(seconds=37 * number)
            kind = _kind(params.seed, name, number)
            planned.append(Capture(phone, "test", name, number, photograph, kind, taken))
    return planned


def pair_paths(capture: Capture) -> tuple[PurePosixPath, PurePosixPath]:
    """Of the photo and of its sharp twin, below the output folder."""
    folder, stem = PurePosixPath("phone-pairs", capture.use, capture.folder), f"IMG_{capture.number:04d}"
    return folder / "blur" / f"{stem}.jpg", folder / "sharp" / f"{stem}.png"


PLANTED: dict[tuple[str, int], Kind] = {
    ("phone-a-train-1", 2): "still",
    ("phone-a-train-2", 2): "copy",
    ("phone-b-train-3", 2): "overexposed",
}
"""What curation has to find: too sharp, an exact copy of the photo before it, clipped highlights."""


def _kind(seed: int, folder: str, number: int) -> Kind:
    if (folder, number) in PLANTED:
        return PLANTED[folder, number]
    draw = generator(seed, "kind", folder, number).random()
    return "shake" if draw < 0.65 else "both" if draw < 0.88 else "defocus"


def take_photo(capture: Capture, params: SampleParams) -> bytes:
    """The JPEG file of one photo, EXIF included. A `copy` is its predecessor's file, byte for byte."""
    if capture.kind == "copy":
        kind = _kind(params.seed, capture.folder, capture.number - 1)
        taken = capture.taken - datetime.timedelta(seconds=37)
        return take_photo(replace(capture, number=capture.number - 1, kind=kind, taken=taken), params)
    rng = generator(params.seed, "capture", capture.folder, capture.number)
    portrait = bool(rng.random() < 0.25)
    made = _take(capture, params, (params.height, params.width) if portrait else (params.width, params.height), rng)
    # Orientation 6: the sensor lay on its side, and the viewer turns the stored picture clockwise.
    pixels = np.ascontiguousarray(np.rot90(made.pixels)) if portrait else made.pixels
    return _jpeg(pixels, exif_block(replace(made.shot, orientation=6 if portrait else 1)))


def take_pair(capture: Capture, params: SampleParams) -> tuple[bytes, NDArray[np.uint8]]:
    """The JPEG file of one photo of `pair_captures`, and what the same camera would have taken of the same moment had
    nothing moved, been out of focus or been noisy: HWC uint8 RGB, aligned with the middle of all motion."""
    rng = generator(params.seed, "capture", capture.folder, capture.number)
    made = _take(capture, params, (params.width, params.height), rng)
    return _jpeg(made.pixels, exif_block(made.shot)), made.still


@dataclass(frozen=True, slots=True)
class _Taken:
    """A photo upright, its still twin (both HWC uint8 RGB), and what its EXIF tells."""

    pixels: NDArray[np.uint8]
    still: NDArray[np.uint8]
    shot: Shot


def _take(capture: Capture, params: SampleParams, size: tuple[int, int], rng: np.random.Generator) -> _Taken:
    phone = capture.phone
    low, high = (math.log(v) for v in phone.iso)
    iso = round(math.exp(rng.uniform(low, high)) / 10) * 10
    unit = params.width / REFERENCE_WIDTH
    shortest, longest = (math.log(v) for v in LENGTH_PX)
    length = 0.05 if capture.kind in ("still", "defocus") else math.exp(rng.uniform(shortest, longest))
    moment = _moment(capture, size, length * unit, rng)
    light = moment.light(phone.sensor)
    if capture.kind in ("defocus", "both"):
        radius = rng.uniform(1.8, 3.2) if capture.kind == "defocus" else rng.uniform(0.8, 1.6)
        light = np.asarray(convolve(light, disk_kernel(radius * unit)), np.float64)
    gain = 4.0 if capture.kind == "overexposed" else rng.uniform(0.75, 1.1)
    sensor = phone.sensor
    noisy = replace(sensor, shot=sensor.shot * iso / 100, read=sensor.read * iso / 100)
    cast = gain * np.array(phone.cast)
    pixels = sense(np.clip(light, 0.0, None) * cast, noisy, rng)
    quiet = replace(sensor, shot=0.0, read=0.0)
    still = sense(np.clip(moment.still(sensor), 0.0, None) * cast, quiet, rng)
    # A hand shakes at some 150 px/s at this width: the longer the streak, the longer the exposure.
    shot = Shot(
        make=MAKE,
        model=phone.model,
        serial=phone.serial,
        exposure_s=1 / round(min(250.0, 150.0 / max(length, 0.6))),
        iso=iso,
        f_number=phone.f_number,
        focal_mm=phone.focal_mm,
        taken=capture.taken,
        orientation=1,
    )
    return _Taken(pixels, still, shot)


@dataclass(frozen=True, slots=True)
class _Moment:
    """One exposure: a scene, and where the camera and the thing before it are at each instant.

    Attributes:
        size: width, height, px. views: of the camera. poses: of the thing; empty where there is none.
    """

    scene: Scene
    size: tuple[int, int]
    views: tuple[Pose, ...]
    poses: tuple[Pose, ...]

    def light(self, sensor: Sensor) -> NDArray[np.float64]:
        """Mean light of the instants, HWC float64; highlights may exceed 1."""
        total = np.zeros((self.size[1], self.size[0], 3))
        for k, view in enumerate(self.views):
            total += expose(self.scene.frame(view, self.size, self.poses[k] if self.poses else None), sensor)
        return total / len(self.views)

    def still(self, sensor: Sensor) -> NDArray[np.float64]:
        """Light of the scene with everything at the mean of where it was."""
        pose = _mean(self.poses) if self.poses else None
        return expose(self.scene.frame(_mean(self.views), self.size, pose), sensor)


def _mean(poses: tuple[Pose, ...]) -> Pose:
    values = np.array([(pose.x, pose.y, pose.angle, pose.size) for pose in poses]).mean(0)
    return Pose(*(float(value) for value in values))


def _moment(capture: Capture, size: tuple[int, int], length: float, rng: np.random.Generator) -> _Moment:
    width, height = size
    picture = backdrop(capture.photograph, width, height)
    moving = capture.kind not in ("still", "overexposed") and rng.random() < 0.35
    scene = Scene(picture, cut_out(OBJECTS[capture.photograph], max(size)) if moving else None)
    instants = int(min(MAX_INSTANTS, max(4, math.ceil(1.5 * length))))
    path = shake_path(rng, length, wander=rng.uniform(0.3, 2.5), impulses=rng.uniform(0, 0.8), pull=rng.uniform(0, 2))
    path = path[np.linspace(0, len(path) - 1, instants).round().astype(int)]
    base, zoom = rng.normal(0.0, 0.06), rng.uniform(1.0, 1.15)
    roll = rng.normal(0.0, 0.3) * length / width * np.linspace(-0.5, 0.5, instants)
    reach_x, reach_y = width / 2 + length, height / 2 + length
    centre_x = rng.uniform(min(reach_x, picture.shape[1] / 2), max(picture.shape[1] - reach_x, picture.shape[1] / 2))
    centre_y = rng.uniform(min(reach_y, picture.shape[0] / 2), max(picture.shape[0] - reach_y, picture.shape[0] / 2))
    place = (rng.uniform(0.15, 0.85) * width, rng.uniform(0.2, 0.8) * height)
    heading, turn = rng.uniform(0, 2 * math.pi), rng.normal(0.0, 0.3)
    own = rng.uniform(0.5, 1.5) * length * np.linspace(-0.5, 0.5, instants)
    views = [Pose(centre_x + path[k, 0], centre_y + path[k, 1], base + roll[k], zoom) for k in range(instants)]
    poses = [
        Pose(
            place[0] - path[k, 0] + own[k] * math.cos(heading),
            place[1] - path[k, 1] + own[k] * math.sin(heading),
            turn - roll[k],
        )
        for k in range(instants)
    ]
    return _Moment(scene, size, tuple(views), tuple(poses) if moving else ())


def _jpeg(pixels: NDArray[np.uint8], exif: bytes) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=JPEG_QUALITY, exif=exif)
    return stream.getvalue()
