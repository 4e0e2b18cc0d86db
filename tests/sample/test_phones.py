"""The demo's photos."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from dbgan.params import SampleParams
from dbgan.sample import phones
from dbgan.sample.exif import OWNER
from dbgan.sample.phones import PHONES, PLANTED, captures, take_photo
from dbgan.sample.photographs import PHOTOGRAPHS, backdrop


def photos(rendered: Path) -> list[Path]:
    return sorted(rendered.glob("phones/*/*/*.jpg"))


def laplacian(luma: np.ndarray) -> float:
    return float(cv2.Laplacian(luma.astype(np.float64) / 255, cv2.CV_64F).var())


def sharpness(path: Path) -> float:
    return laplacian(np.asarray(Image.open(path).convert("L")))


def test_every_photo_carries_its_phone_and_private_data(rendered: Path) -> None:
    for path in photos(rendered):
        exif = Image.open(path).getexif()
        details, position = exif.get_ifd(0x8769), exif.get_ifd(0x8825)

        phone = next(p for p in PHONES if path.parent.name.startswith(p.name))
        assert (exif[0x010F], exif[0x0110]) == ("Example", phone.model)
        assert details[0xA431] == phone.serial
        assert OWNER.encode() in path.read_bytes()
        assert [float(v) for v in position[2]] == [51.0, 28.0, 40.12]
        assert 0.003 < details[0x829A] <= 0.2
        assert phone.iso[0] - 5 <= details[0x8827] <= phone.iso[1] + 5
        assert (details[0x829D], details[0x920A]) == (phone.f_number, phone.focal_mm)
        assert details[0x9003].startswith("2024:05:0")


def test_some_photos_lie_on_their_side(rendered: Path, small: SampleParams) -> None:
    turned = [p for p in photos(rendered) if Image.open(p).getexif()[0x0112] == 6]

    assert 0 < len(turned) < len(photos(rendered)) / 2
    for path in photos(rendered):
        upright = ImageOps.exif_transpose(Image.open(path))
        portrait = path in turned
        assert Image.open(path).size == (small.width, small.height)
        assert upright.size == ((small.height, small.width) if portrait else (small.width, small.height))


def test_a_turned_photo_shows_its_scene_upright(small: SampleParams, monkeypatch: pytest.MonkeyPatch) -> None:
    def red_sky(light: np.ndarray, *_: object) -> np.ndarray:
        picture = np.zeros(light.shape, np.uint8)
        picture[: light.shape[0] // 2, :, 0] = 255
        return picture

    monkeypatch.setattr(phones, "sense", red_sky)
    files = [Image.open(io.BytesIO(take_photo(c, small))) for c in captures(small)]

    for orientation in (1, 6):
        stored = next(f for f in files if f.getexif()[0x0112] == orientation)
        upright = np.asarray(ImageOps.exif_transpose(stored), np.int64)
        half = upright.shape[0] // 2
        assert upright[: half - 8, :, 0].min() > 240
        assert upright[half + 8 :, :, 0].max() < 15


def test_photos_are_blurrier_than_their_photographs(rendered: Path, small: SampleParams) -> None:
    planted = {f"{folder}/IMG_{number:04d}.jpg" for folder, number in PLANTED}

    for name in ("astronaut", "coffee"):
        sharp = laplacian(cv2.cvtColor(backdrop(name, small.width, small.height), cv2.COLOR_RGB2GRAY))
        taken = [rendered / c.path for c in captures(small) if c.photograph == name]
        blurry = [sharpness(p) for p in taken if f"{p.parent.name}/{p.name}" not in planted]
        assert np.mean(blurry) < 0.6 * sharp


def test_curation_has_something_to_drop(rendered: Path) -> None:
    files = {(p.parent.name, p.name): p for p in photos(rendered)}
    still = files["phone-a-train-1", "IMG_0002.jpg"]
    original, copy = (files["phone-a-train-2", f"IMG_000{n}.jpg"] for n in (1, 2))
    overexposed = np.asarray(Image.open(files["phone-b-train-3", "IMG_0002.jpg"]).convert("L"))
    others = [p for p in files.values() if p not in (still, copy)]

    assert copy.read_bytes() == original.read_bytes()
    assert len({p.read_bytes() for p in files.values()}) == len(files) - 1
    assert sharpness(still) > 1.5 * float(np.median([sharpness(p) for p in others]))
    assert (overexposed >= 253).mean() > 0.2


def test_train_and_test_folders_show_different_photographs(small: SampleParams) -> None:
    planned = captures(small)

    assert all(PHOTOGRAPHS[c.photograph].use == c.use for c in planned)
    assert {c.use for c in planned} == {"train", "test"}
    assert all(spec.photograph != name for name, spec in phones.OBJECTS.items())
    assert all(PHOTOGRAPHS[s.photograph].use == PHOTOGRAPHS[n].use for n, s in phones.OBJECTS.items())


@pytest.mark.parametrize("count", [2, 3, 20])
def test_each_phone_takes_as_many_photos_as_asked(count: int) -> None:
    planned = captures(SampleParams(captures_per_phone=count))

    for phone in PHONES:
        own = [c for c in planned if c.phone == phone]
        assert sum(c.use == "train" for c in own) == count
        assert sum(c.use == "test" for c in own) == max(1, round(0.2 * count))
    assert len({c.path for c in planned}) == len(planned)
    assert len({c.folder for c in planned if c.use == "train"}) == 2 * min(4, count)


def test_a_pair_is_aligned_and_its_twin_sharp_and_quiet(small: SampleParams, rendered: Path) -> None:
    planned = phones.pair_captures(small)
    assert [c.phone.name for c in planned] == ["phone-a", "phone-a", "phone-b", "phone-b"]
    assert {PHOTOGRAPHS[c.photograph].use for c in planned} == {"test"}
    for capture in planned:
        blur, sharp = (np.asarray(Image.open(rendered / path).convert("RGB")) for path in phones.pair_paths(capture))
        assert blur.shape == sharp.shape == (small.height, small.width, 3)
        assert laplacian(cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY)) > laplacian(cv2.cvtColor(blur, cv2.COLOR_RGB2GRAY))
        gap = [np.abs(shifted(blur, dx, dy) - sharp[8:-8, 8:-8]).mean() for dx, dy in SHIFTS]
        assert np.argmin(gap) == 0  # moved by 3 px in any direction, it fits its twin less


SHIFTS = ((0, 0), (3, 0), (-3, 0), (0, 3), (0, -3))


def shifted(image: np.ndarray, dx: int, dy: int) -> np.ndarray:
    return image[8 + dy : image.shape[0] - 8 + dy, 8 + dx : image.shape[1] - 8 + dx].astype(float)


def test_the_twin_is_at_the_mean_of_the_motion(small: SampleParams) -> None:
    """Of a still scene the twin is the photo but for its noise and JPEG: nothing else differs between the two."""
    still = replace(phones.pair_captures(small)[0], kind="still")
    blur, sharp = phones.take_pair(still, small)
    difference = np.asarray(Image.open(io.BytesIO(blur)), float) - sharp
    assert np.abs(difference).mean() < 6
    assert np.abs(difference.mean((0, 1))).max() < 1
