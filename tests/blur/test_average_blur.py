"""Eq. 2 as a blur model, over windows of real frames."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dbgan.blur.average_blur import AverageBlur, average_of
from dbgan.blur.frames import windows
from dbgan.blur.model import LightBlur, WindowBlur, run, stride_of, window_of
from dbgan.blur.response import from_linear, linear_table, to_uint8
from dbgan.params import SampleParams
from dbgan.params.blur import AverageParams
from dbgan.sample.gopro import render_take, takes

SMALL = SampleParams(width=160, height=96, frames_per_sequence=2)


def made_again(frames: list[np.ndarray], parameters: dict, interpolator: object = None) -> np.ndarray:
    return average_of(parameters, interpolator).of_frames(frames, seed=0, key="", variant=0)[0]


def noise(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 16, 20, 3), dtype=np.uint8))


def every_frame(monkeypatch: pytest.MonkeyPatch) -> tuple[list[np.ndarray], list[tuple[np.ndarray, np.ndarray]]]:
    """The 240 fps frames of the demo's first clip, and the pairs that the demo made of them."""
    import dbgan.sample.gopro as clip

    seen: list[np.ndarray] = []

    def watched(window: Sequence[np.ndarray], response: str) -> np.ndarray:
        seen.extend(window)
        return np.round(np.mean(np.stack(window).astype(np.float64), axis=0)).astype(np.uint8)

    monkeypatch.setattr(clip, "average_frames", watched)
    return seen, list(render_take(takes()[0], SMALL))


def test_the_demos_blur_comes_from_its_240_fps_frames_bit_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """GOPRO's recipe by numpy alone (round of the mean) on one side, window, stride and centre on the other."""
    high_speed, pairs = every_frame(monkeypatch)
    blur = AverageBlur(frames=SMALL.average)
    named = {f"{number:06d}": frame for number, frame in enumerate(high_speed, start=1)}

    found = windows(named, *window_of(blur), stride_of(blur))
    made = [run(blur, [named[n] for n in window], seed=0, key="a/b", variant=0)[0] for window in found.values()]

    assert len(made) == len(pairs) == 2
    for (sharp_name, blurry), (expected, sharp) in zip(zip(found, made, strict=True), pairs, strict=True):
        assert np.array_equal(blurry, expected)
        assert np.array_equal(named[sharp_name], sharp)


def test_light_is_averaged_in_linear_light_and_highlights_stay_above_white() -> None:
    frames = [np.full((16, 16, 3), value, np.uint8) for value in (0, 255, 255)]
    blur = AverageBlur(frames=3)

    light = blur.light(frames, blur.draw(), lambda frame: 2.0 * linear_table("srgb")[frame])

    assert light.max() == pytest.approx(4 / 3)


@pytest.mark.parametrize("interpolate", [1, 3])
def test_the_record_makes_the_image_again_after_a_trip_through_json(interpolate: int) -> None:
    blur = AverageBlur(frames=5, response="gamma", interpolate=interpolate)
    blurry, record = pickle.loads(pickle.dumps(blur)).of_frames(noise(5), seed=1, key="a/b", variant=0)

    assert np.array_equal(blurry, made_again(noise(5), json.loads(json.dumps(record.parameters))))
    assert (record.method, record.noise) == ("average", ())


def test_eq_4_is_the_mean_of_light() -> None:
    blurry, _ = AverageBlur(frames=4, response="srgb").of_frames(noise(4), seed=0, key="a/b", variant=0)

    mean = np.mean([linear_table("srgb")[frame] for frame in noise(4)], axis=0)
    assert np.array_equal(blurry, to_uint8(from_linear(mean, "srgb")))


def test_window_and_stride_follow_from_the_settings() -> None:
    assert AverageBlur(frames=11).window == (5, 5)
    assert AverageBlur(frames=11).stride == 11
    assert AverageBlur(frames=8).window == (4, 3)
    assert AverageBlur(frames=5, centre=0, stride=2).window == (0, 4)
    assert isinstance(AverageBlur(), WindowBlur)
    assert isinstance(AverageBlur(), LightBlur)
    assert AverageBlur(**AverageParams().model_dump(exclude={"interpolator"})) == AverageBlur()


def test_another_interpolator_than_the_records_is_refused() -> None:
    class Copies:
        name = "copies"

        def describe(self) -> dict[str, Any]:
            return {"of": "first"}

        def __call__(self, first: np.ndarray, second: np.ndarray, times: Sequence[float]) -> list[np.ndarray]:
            return [first for _ in times]

    blurry, record = AverageBlur(frames=2, interpolate=2, interpolator=Copies()).of_frames(
        noise(2), seed=0, key="a/b", variant=0
    )

    assert np.array_equal(blurry, made_again(noise(2), record.parameters, Copies()))
    with pytest.raises(ValueError, match="made with interpolator 'copies'"):
        made_again(noise(2), record.parameters)


def test_a_lone_frame_or_a_short_window_is_refused_with_what_is_needed() -> None:
    with pytest.raises(ValueError, match=r"a/b: averaging .* needs 5 frames before and 5 after"):
        AverageBlur()(noise(1)[0], seed=0, key="a/b", variant=0)
    with pytest.raises(ValueError, match="over 11 frames, found 3"):
        AverageBlur().of_frames(noise(3), seed=0, key="a/b", variant=0)


@pytest.mark.parametrize("wrong", [{"frames": 1}, {"interpolate": 0}, {"centre": 11}, {"response": "film"}])
def test_wrong_settings_are_refused_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"at least|centre is|response"):
        AverageBlur(**wrong)
