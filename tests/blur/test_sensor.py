"""The camera after the blur: saturation, noise, white balance, mosaic, tone, JPEG."""

from __future__ import annotations

import numpy as np
import pytest

from dbgan.blur import Sensor, camera
from dbgan.blur.response import linear_table
from dbgan.blur.sensor import Mosaic, bayer_channels, demosaic, expose, sense, shot_read_noise
from dbgan.seeds import generator

QUIET = Sensor(shot=0.0, read=0.0, white_balance=(1.0, 1.0, 1.0))


def ramp() -> np.ndarray:
    return np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)


@pytest.mark.parametrize("x", [0.02, 0.2, 0.8])
@pytest.mark.parametrize(("shot", "read"), [(1e-3, 0.0), (0.0, 2e-4), (1e-3, 2e-4)])
def test_noise_variance_is_shot_times_signal_plus_read(x: float, shot: float, read: float) -> None:
    signal = np.full(200_000, x)

    noisy = shot_read_noise(signal, shot, read, generator(0, "noise"))

    assert noisy.var() == pytest.approx(shot * x + read, rel=0.02)
    assert noisy.mean() == pytest.approx(x, abs=4 * np.sqrt((shot * x + read) / signal.size))


def test_white_balance_raises_the_noise_of_the_channels_it_amplifies() -> None:
    grey = np.full((200, 200, 3), 0.2)
    sensor = Sensor(shot=0.0, read=1e-4, white_balance=(2.0, 1.0, 1.5), response="linear")

    deviation = (sense(grey, sensor, generator(1, "noise")) / 255.0).std(axis=(0, 1))

    # sigma 0.01 of raw, times the gain, and the rounding's 1 / 255 / sqrt(12)
    assert deviation == pytest.approx(np.hypot(0.01 * np.array([2.0, 1.0, 1.5]), 1 / 255 / np.sqrt(12)), rel=0.02)


def test_a_camera_without_flaws_gives_the_picture_back() -> None:
    assert np.array_equal(camera(ramp(), QUIET, generator(0, "noise")), ramp())


def test_equal_seeds_give_equal_bytes() -> None:
    sensor = Sensor(mosaic="RGGB", tone=0.3, jpeg_quality=90, saturation=1.0)

    first = camera(ramp(), sensor, generator(4, "noise"))

    assert np.array_equal(first, camera(ramp(), sensor, generator(4, "noise")))
    assert not np.array_equal(first, camera(ramp(), sensor, generator(5, "noise")))


def test_saturation_returns_light_to_pixels_clipped_in_every_channel_only() -> None:
    image = np.array([[[255, 255, 255], [255, 255, 100], [10, 10, 10]]], np.uint8)
    plain = linear_table("srgb")[image]

    light = expose(image, Sensor(saturation=0.75))

    assert (light - plain)[0, :, 0].tolist() == pytest.approx([0.75, 0.0, 0.0])


@pytest.mark.parametrize("mosaic", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_demosaic_is_exact_on_a_grey_slope_and_on_a_constant_colour(mosaic: str) -> None:
    y, x = np.mgrid[:12, :14].astype(np.float64)
    slope = 0.01 * x + 0.02 * y
    colour = np.array([0.7, 0.4, 0.1])

    rgb = demosaic(slope, mosaic)
    flat = demosaic(colour[bayer_channels((12, 14), mosaic)], mosaic)

    assert np.abs(rgb[2:-2, 2:-2] - slope[2:-2, 2:-2, None]).max() < 1e-12
    assert np.abs(flat[2:-2, 2:-2] - colour).max() < 1e-12


def test_the_pattern_names_the_upper_left_pixels() -> None:
    assert bayer_channels((2, 3), "GRBG").tolist() == [[1, 0, 1], [2, 1, 2]]


def test_tone_darkens_shadows_and_brightens_highlights() -> None:
    toned = camera(ramp(), Sensor(shot=0, read=0, white_balance=(1, 1, 1), tone=1.0), generator(0, "noise"))[..., 0]

    assert toned.flat[64] == round(255 * (3 * (64 / 255) ** 2 - 2 * (64 / 255) ** 3))
    assert toned.flat[192] > 192
    assert (np.diff(toned.ravel().astype(int)) >= 0).all()


def test_jpeg_is_a_round_trip_of_moderate_loss() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    constants = {"shot": 0.0, "read": 0.0, "white_balance": (1.0, 1.0, 1.0)}

    fine, coarse = (
        np.abs(camera(noise, Sensor(**constants, jpeg_quality=q), generator(0, "n")).astype(int) - noise).mean()
        for q in (95, 20)
    )

    assert 0 < fine < coarse


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shot": -1.0}, "at least 0"),
        ({"white_balance": (0.5, 1.0, 1.0)}, "gains"),
        ({"mosaic": "RGB"}, "RGGB"),
        ({"jpeg_quality": 101}, "jpeg_quality"),
    ],
)
def test_wrong_constants_are_refused_at_once(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sensor(**wrong)


@pytest.mark.parametrize("mosaic", ["", "RGGB", "GBRG"])
@pytest.mark.parametrize("height", [1, 2, 33, 130])
def test_no_byte_depends_on_the_bands_that_a_picture_is_sensed_in(
    mosaic: Mosaic, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    light = np.random.default_rng(3).random((height, 20, 3)) * 1.5
    sensor = Sensor(shot=1e-3, read=1e-4, mosaic=mosaic, tone=0.5, jpeg_quality=0)
    pictures = []
    for band in (2, 6, 64, 1000):
        monkeypatch.setattr("dbgan.blur.sensor.BAND", band)
        pictures.append(sense(light, sensor, generator(1, "test")))

    assert all(np.array_equal(pictures[0], other) for other in pictures[1:])
