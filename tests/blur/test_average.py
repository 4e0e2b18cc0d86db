"""Eq. 2 and Eq. 4: averaging frames."""

from __future__ import annotations

import numpy as np
import pytest

from dbgan.blur import average_frames


def frames_of(*values: int) -> list[np.ndarray]:
    return [np.full((4, 5, 3), v, np.uint8) for v in values]


def test_stored_is_gopros_rounded_mean_of_the_uint8_frames() -> None:
    rng = np.random.default_rng(0)
    frames = list(rng.integers(0, 256, (11, 16, 16, 3), dtype=np.uint8))

    blurry = average_frames(frames, "stored")

    assert np.array_equal(blurry, np.round(np.mean(np.stack(frames).astype(np.float64), axis=0)).astype(np.uint8))


def test_halves_round_up_and_not_to_even() -> None:
    assert average_frames(frames_of(0, 1), "stored")[0, 0, 0] == 1
    assert average_frames(frames_of(2, 3), "stored")[0, 0, 0] == 3


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("stored", 128),  # (0 + 255) / 2 = 127.5
        ("linear", 128),
        ("gamma", 186),  # 255 * 0.5 ** (1 / 2.2) = 186.08
        ("srgb", 188),  # 255 * (1.055 * 0.5 ** (1 / 2.4) - 0.055) = 187.52
    ],
)
def test_black_and_white_meet_where_the_response_says(response: str, expected: int) -> None:
    assert average_frames(frames_of(0, 255), response)[0, 0, 0] == expected


@pytest.mark.parametrize("response", ["stored", "linear", "gamma", "srgb"])
def test_a_still_scene_is_unchanged_for_every_grey_level(response: str) -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)

    assert np.array_equal(average_frames([ramp] * 7, response), ramp)


def test_what_cannot_be_averaged_is_named() -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        average_frames([])
    with pytest.raises(ValueError, match=r"frame 1 is \(4, 6, 3\)"):
        average_frames([np.zeros((4, 5, 3), np.uint8), np.zeros((4, 6, 3), np.uint8)])
    with pytest.raises(ValueError, match="float32"):
        average_frames([np.zeros((4, 5, 3), np.float32)])
    with pytest.raises(ValueError, match="response 'sRGB' is not one of srgb"):
        average_frames(frames_of(1), "sRGB")
