"""The camera after any blur."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest

from dbgan.blur import AverageBlur, Camera, CameraBlur, KernelBlur, Record, again, run, window_of
from dbgan.blur.kernel_blur import blurred_light
from dbgan.blur.response import linear_table
from dbgan.params.blur import CameraParams

OFF: dict[str, Any] = {
    "shot": 0.0,
    "read": 0.0,
    "red": (1.0, 1.0),
    "blue": (1.0, 1.0),
    "saturation": (0.0, 0.0),
    "mosaics": ("",),
}
QUIET_KERNELS = {"noise": (0.0, 0.0), "weights": {"linear": 1.0}}


class Painter:
    """Stands for a trained generator: gives a picture, knows nothing of light."""

    name, revision, digest, device = "painter", 3, "ab" * 32, "cuda"

    def describe(self) -> dict[str, Any]:
        return {"weights": self.digest}

    def __call__(self, sharp: np.ndarray, *, seed: int, key: str, variant: int) -> tuple[np.ndarray, Record]:
        return sharp // 2, Record("painter", (0.5, 1.0), {"tile": 64})


def picture(side: int = 48) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (side, side + 16, 3), dtype=np.uint8)


def seen(camera: dict[str, Any], inner: Any, sharp: np.ndarray) -> np.ndarray:
    blur = CameraBlur(inner, (("test", Camera(**camera)),))
    return blur(sharp, seed=1, key="a/b", variant=0)[0]


def test_a_camera_without_flaws_shows_the_blur_itself() -> None:
    inner = KernelBlur(**QUIET_KERNELS)

    difference = seen(OFF, inner, picture()) != inner(picture(), seed=1, key="a/b", variant=0)[0]

    assert difference.mean() < 2e-3  # the sensor stores by the curve, the kernel by a table of it
    assert np.array_equal(seen(OFF, Painter(), picture()), picture() // 2)


@pytest.mark.parametrize("value", [60, 128, 200])
def test_noise_on_a_flat_patch_has_the_variance_of_its_formula(value: int) -> None:
    """shot x + read of the raw signal, times the gain squared: measured in light, on each channel."""
    shot, read, red = 1e-3, 2e-5, 2.0
    camera = OFF | {"shot": shot, "read": read, "gain": (1.0, 1.0), "red": (red, red), "response": "linear"}
    inner = KernelBlur(**QUIET_KERNELS, response="linear")

    noisy = seen(camera, inner, np.full((400, 400, 3), value, np.uint8)) / 255.0

    x, rounding = value / 255.0, (1 / 255) ** 2 / 12
    assert noisy[..., 1].var() == pytest.approx(shot * x + read + rounding, rel=0.03)
    assert noisy[..., 0].var() == pytest.approx(red**2 * (shot * x / red + read) + rounding, rel=0.03)
    assert noisy[..., 1].mean() == pytest.approx(x, abs=1e-3)


def test_highlights_are_raised_before_the_blur_and_clipped_after_it() -> None:
    """A clipped line of light 1 + 6, smeared over many pixels, stays white where 1 alone would fade."""
    line = np.zeros((33, 33, 3), np.uint8)
    line[:, 16] = 255
    inner = KernelBlur(noise=(0.0, 0.0), weights={"disk": 1.0}, radius=(3.0, 3.0))

    dim = seen(OFF, inner, line)
    bright = seen(OFF | {"saturation": (6.0, 6.0)}, inner, line)

    parameters = inner.draw(seed=1, key="a/b", variant=0)
    smeared = blurred_light(7.0 * linear_table("srgb")[line], parameters)
    assert dim[16, 16, 0] < 180
    assert np.array_equal(bright[16, :, 0] == 255, smeared[16, :, 0] > 0.996)
    assert bright[16, 16, 0] == 255


def test_a_painted_picture_gets_noise_and_no_highlights_of_its_own_making() -> None:
    white = np.full((16, 16, 3), 255, np.uint8)
    blur = CameraBlur(Painter(), (("test", Camera(saturation=(1.0, 1.0))),))

    _, record = blur(white, seed=1, key="a/b", variant=0)

    assert record.method == "painter"
    assert record.noise == (0.5, 1.0)
    assert record.parameters["tile"] == 64
    assert record.parameters["camera"]["saturation"] == 0.0


@pytest.mark.parametrize("grid", [1, 3])
def test_black_that_a_long_blur_rounds_below_zero_is_black(grid: int) -> None:
    """Large kernels are applied by Fourier transform; a Poisson number of a negative mean would be an error."""
    sharp = np.zeros((96, 96, 3), np.uint8)
    sharp[40:56, 40:56] = 255
    inner = KernelBlur(weights={"shake": 1.0}, length=(60.0, 60.0), grid=grid)
    light = inner.light([sharp], inner.draw(seed=1, key="a/b", variant=0), lambda image: linear_table("srgb")[image])

    blurry = seen({"read": 0.0}, inner, sharp)

    assert light.min() < 0
    assert blurry[0, 0].tolist() == [0, 0, 0]


FULL = Camera(tone=(0.1, 0.4), jpeg_quality=(80, 95))


@pytest.mark.parametrize(
    "inner", [KernelBlur(grid=2), AverageBlur(frames=3), AverageBlur(frames=3, interpolate=2), Painter()]
)
@pytest.mark.parametrize("cameras", [(("full", FULL),), (("plain", Camera()), ("full", FULL))])
def test_the_record_alone_makes_the_picture_again(inner: Any, cameras: tuple[tuple[str, Camera], ...]) -> None:
    blur = CameraBlur(inner, cameras)
    frames = [np.roll(picture(), n, axis=1) for n in range(sum(window_of(blur)) + 1)]

    blurry, record = run(pickle.loads(pickle.dumps(blur)), frames, seed=1, key="a/b", variant=2)
    told = Record(record.method, record.noise, json.loads(json.dumps(record.parameters)))

    assert np.array_equal(blurry, again(told, frames, paint=lambda sharp: sharp // 2))
    assert not np.array_equal(blurry, run(blur, frames, seed=1, key="a/b", variant=3)[0])


def test_pictures_are_shared_among_cameras_and_draw_from_their_ranges() -> None:
    blur = CameraBlur(KernelBlur(), (("one", Camera(gain=(2.0, 3.0))), ("two", Camera(mosaics=("", "RGGB")))))
    drawn = [blur(picture(16), seed=0, key="a/b", variant=v)[1].parameters["camera"] for v in range(60)]

    one = [d for d in drawn if d["name"] == "one"]
    two = [d for d in drawn if d["name"] == "two"]
    assert min(len(one), len(two)) > 15
    assert all(2 * 8.9e-5 <= d["shot"] <= 3 * 8.9e-5 for d in one)
    assert {d["mosaic"] for d in two} == {"", "RGGB"}
    assert all(1.9 <= d["white_balance"][0] <= 2.4 and d["white_balance"][1] == 1.0 for d in drawn)


def test_what_the_engine_asks_of_a_blur_is_the_inner_blurs() -> None:
    blur = CameraBlur(Painter())

    assert (blur.name, blur.digest, blur.device, blur.window, blur.stride) == ("painter", "ab" * 32, "cuda", (0, 0), 1)
    assert CameraBlur(AverageBlur(frames=5)).window == (2, 2)
    assert CameraBlur(AverageBlur(frames=5)).stride == 5


def test_the_description_is_json_and_changes_with_the_inner_blur_and_with_the_camera() -> None:
    blurs = [
        CameraBlur(KernelBlur()),
        CameraBlur(KernelBlur(grid=2)),
        CameraBlur(KernelBlur(), (("default", Camera(shot=1e-4)),)),
        CameraBlur(KernelBlur(), (("other", Camera()),)),
    ]

    assert len({json.dumps(blur.describe(), sort_keys=True) for blur in blurs}) == 4


def test_the_defaults_of_params_are_those_of_the_model() -> None:
    assert Camera(**CameraParams().model_dump()) == Camera()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gain": (2.0, 1.0)}, "gain is a range"),
        ({"red": (0.5, 1.0)}, "gains"),
        ({"mosaics": ()}, "at least one pattern"),
        ({"mosaics": ("RGB",)}, "mosaic 'RGB'"),
        ({"tone": (0.0, 1.5)}, "tone is 0 to 1"),
        ({"shot": -1.0}, "at least 0"),
    ],
)
def test_wrong_ranges_are_refused_at_once(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Camera(**wrong)
    with pytest.raises(ValueError, match="at least one camera"):
        CameraBlur(KernelBlur(), ())
