"""One call for every blur, whether it needs a picture or a window of frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dbgan.blur import KernelBlur, Record
from dbgan.blur.model import run, stride_of, window_of


class Newest:
    """Gives the last frame of its window back."""

    name, revision, window, stride = "newest", 1, (1, 2), 5

    def describe(self) -> dict[str, Any]:
        return {}

    def __call__(self, sharp: np.ndarray, *, seed: int, key: str, variant: int) -> tuple[np.ndarray, Record]:
        raise ValueError("needs a window")

    def of_frames(self, frames: list[np.ndarray], *, seed: int, key: str, variant: int) -> tuple[np.ndarray, Record]:
        return frames[-1], Record("newest", (), {"key": key, "seed": seed, "variant": variant})


def frames(count: int) -> list[np.ndarray]:
    return [np.full((16, 16, 3), n, np.uint8) for n in range(count)]


def test_a_blur_of_lone_pictures_asks_for_no_neighbours() -> None:
    blur = KernelBlur(noise=(0.0, 0.0))

    ran, record = run(blur, frames(1), seed=1, key="a/b", variant=2)

    assert (window_of(blur), stride_of(blur)) == ((0, 0), 1)
    assert np.array_equal(ran, blur(frames(1)[0], seed=1, key="a/b", variant=2)[0])
    assert record.method == "kernel"


def test_a_blur_of_windows_gets_its_window_in_order() -> None:
    ran, record = run(Newest(), frames(4), seed=1, key="a/b", variant=2)

    assert (window_of(Newest()), stride_of(Newest())) == ((1, 2), 5)
    assert ran.max() == 3
    assert record.parameters == {"key": "a/b", "seed": 1, "variant": 2}


def test_a_window_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'newest' takes 1 \+ 1 \+ 2 frames, found 3"):
        run(Newest(), frames(3), seed=1, key="a/b", variant=0)
