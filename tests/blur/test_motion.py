"""Cuts are found between shots and never within one; stillness is told from slow motion."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dbgan.blur.motion import find_cut, is_static
from dbgan.image import codec, video


def scene(seed: int, shift: int = 0) -> NDArray[np.uint8]:
    """A smooth scene of its own colours, moved to the right by `shift` pixels."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:90, :160]
    waves = [np.sin((x - shift) / draw.uniform(8, 30) + y / draw.uniform(8, 30)) for _ in range(3)]
    base = draw.uniform(60, 190, 3)
    return np.clip(base + 40 * np.stack(waves, -1), 0, 255).astype(np.uint8)


def test_a_cut_is_where_the_scene_changes() -> None:
    first, second = ([scene(seed, 4 * k) for k in range(6)] for seed in (1, 8))
    assert find_cut(first) is find_cut(second) is None
    for at in range(1, 6):
        assert find_cut(first[:at] + second[at:]) == at


def test_noise_and_light_that_changes_slowly_are_no_cut() -> None:
    draw = np.random.default_rng(3)
    noisy = [np.clip(scene(1, k) + draw.normal(0, 8, (90, 160, 3)), 0, 255).astype(np.uint8) for k in range(4)]
    assert find_cut(noisy) is None
    brighter = [np.clip(scene(1).astype(int) + 3 * k, 0, 255).astype(np.uint8) for k in range(4)]
    assert find_cut(brighter) is None


def test_a_frame_of_another_size_begins_a_new_shot() -> None:
    assert find_cut([scene(1), scene(1), scene(1)[:80]]) == 2


def test_noise_is_still_and_a_small_moving_thing_is_not() -> None:
    draw = np.random.default_rng(4)
    still = [np.clip(scene(1) + draw.normal(0, 3, (90, 160, 3)), 0, 255).astype(np.uint8) for _ in range(5)]
    assert is_static(still)
    moving = [frame.copy() for frame in still]
    for k, frame in enumerate(moving):
        frame[40:56, 20 + 4 * k : 36 + 4 * k] = 255
    assert not is_static(moving)


def test_real_footage_has_the_cut_it_has_and_no_other(shared_data: Path) -> None:
    """REDS moves by 14 to 39 of 255 between frames and has no cut; `bikes` has one between frames 29 and 30."""
    reds = [codec.decode(path.read_bytes()) for path in sorted((shared_data / "reds/020/sharp").glob("*.png"))]
    assert find_cut(reds) is None
    assert not is_static(reds[:3])
    bikes = [f.pixels for f in itertools.islice(video.frames(shared_data / "sharp-video/bikes.mp4"), 60)]
    assert find_cut(bikes) == 30
    assert find_cut(bikes[30:]) is None


@pytest.mark.parametrize("clip", ["car-turn.mp4", "ipad-mini-hevc.mov", "iphone6-with-gps.mov", "nasa_13013.mp4"])
def test_clips_without_a_cut_have_none(shared_data: Path, clip: str) -> None:
    frames = [f.pixels for f in itertools.islice(video.frames(shared_data / "sharp-video" / clip), 35)]
    assert find_cut(frames) is None
    assert not is_static(frames)
