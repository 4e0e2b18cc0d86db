"""Windows of consecutive frames, and frames between frames."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dbgan.blur.average import average_frames
from dbgan.blur.frames import FlowInterpolator, fill, interpolator_of, windows
from dbgan.errors import DbganError


def names(*numbers: int) -> list[str]:
    return [f"{n:06d}" for n in numbers]


def test_windows_are_centred_consecutive_and_as_far_apart_as_the_stride() -> None:
    assert windows(names(1, 2, 3, 4, 5, 6, 7), 1, 1, stride=3) == {
        "000002": ("000001", "000002", "000003"),
        "000005": ("000004", "000005", "000006"),
    }


def test_no_window_spans_a_gap_and_each_run_starts_anew() -> None:
    found = windows(names(1, 2, 3, 4, 8, 9, 10, 20), 1, 1, stride=3)

    assert list(found) == names(2, 9)
    assert found["000009"] == tuple(names(8, 9, 10))


def test_order_is_that_of_the_numbers_not_of_the_names() -> None:
    assert windows(["clip-10", "clip-9", "clip-11"], 0, 2) == {"clip-9": ("clip-9", "clip-10", "clip-11")}


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (["a1", "a2", "b"], "'b' has no number"),
        (["000001", "1", "2"], "have one number"),
        (names(1, 2, 4, 5), "3 consecutive frames, found at most 2 in a row"),
        ([], "found at most 0"),
    ],
)
def test_frames_that_cannot_make_a_window_are_refused(frames: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        windows(frames, 1, 1)


@functools.cache
def texture() -> np.ndarray:
    """A smooth random texture, wider than any view of it."""
    noise = np.random.default_rng(0).integers(0, 256, (220, 420, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3.0)
    return (smooth - smooth.min()) / (smooth.max() - smooth.min()) * 255


def view(x: float) -> np.ndarray:
    """What a camera at `x` px sees of it, 200 x 280."""
    matrix = np.array([[1, 0, -x - 20], [0, 1, -10]], np.float32)
    seen = cv2.warpAffine(texture(), matrix, (280, 200), flags=cv2.INTER_CUBIC)
    return np.clip(seen + 0.5, 0, 255).astype(np.uint8)


def rms(first: np.ndarray, second: np.ndarray) -> float:
    """Away from the borders, where motion leads out of the picture."""
    return float(np.sqrt(np.mean((first[20:-20, 80:-80].astype(float) - second[20:-20, 80:-80]) ** 2)))


def test_the_frame_between_two_views_is_the_view_between() -> None:
    (quarter,) = FlowInterpolator()(view(0), view(8), [0.25])

    assert rms(quarter, view(2)) < 2.0
    assert rms(quarter, view(2)) < 0.2 * min(rms(view(0), view(2)), rms(view(8), view(2)))


@pytest.mark.parametrize("speed", [10, 16])
def test_interpolated_averages_come_nearer_to_analytic_motion_blur_than_plain_ones(speed: int) -> None:
    """Plain averages of fast motion are ghosts: `speed` px lie between two of their five copies."""
    frames = [view(speed * k) for k in range(5)]

    def smear(start: float, end: float) -> np.ndarray:
        return np.mean([view(x).astype(float) for x in np.linspace(start, end, 200)], axis=0)

    first_to_last = smear(0, 4 * speed)
    # A plain average stands for five whole intervals: it is measured against the smear that suits it better.
    five_intervals = smear(-speed / 2, 4.5 * speed)
    plain = average_frames(frames)
    interpolated = average_frames(fill(frames, 8, FlowInterpolator()))

    assert rms(interpolated, first_to_last) < 1.0
    assert 3 * rms(interpolated, first_to_last) < min(rms(plain, first_to_last), rms(plain, five_intervals))


def test_filling_keeps_the_frames_and_puts_factor_minus_one_between_each_two() -> None:
    frames = [view(4 * k) for k in range(3)]

    filled = fill(frames, 4, FlowInterpolator())

    assert len(filled) == 9
    assert all(np.array_equal(filled[4 * k], frames[k]) for k in range(3))
    assert fill(frames, 1, FlowInterpolator()) == frames


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (7, 7), (8, 48), (11, 300), (15, 1300), (4000, 5), (16, 16)])
def test_frames_of_any_size_are_filled(shape: tuple[int, int]) -> None:
    """OpenCV's flow ends the process at 8 x 48 px, so this runs in one of its own."""
    code = (
        "import numpy as np\nfrom dbgan.blur.frames import FlowInterpolator\n"
        f"first, second = np.random.default_rng(0).integers(0, 256, (2, {shape[0]}, {shape[1]}, 3), dtype=np.uint8)\n"
        "made = FlowInterpolator()(first, second, [0.5])\nprint(made[0].shape, made[0].dtype)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == f"({shape[0]}, {shape[1]}, 3) uint8", done.stderr or done.returncode


PLUG_IN = """
class Fade:
    name = "fade"

    def describe(self):
        return {"revision": 1}

    def __call__(self, first, second, times):
        return [(first * (1 - t) + second * t + 0.5).astype("uint8") for t in times]


class Few(Fade):
    def __call__(self, first, second, times):
        return [first]


def needs(argument): ...
"""


def test_an_interpolator_of_ones_own_is_found_by_its_name_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_frames.py").write_text(PLUG_IN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    first, second = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 200, np.uint8)

    fade = interpolator_of("my_frames:Fade")

    assert [int(frame.max()) for frame in fill([first, second], 4, fade)] == [0, 50, 100, 150, 200]
    assert interpolator_of("dis") == FlowInterpolator()
    with pytest.raises(ValueError, match="'fade': expected 3 frames, found 1"):
        fill([first, second], 4, interpolator_of("my_frames:Few"))
    for wrong in ("my_frames:Other", "my_frames:needs", "my_frames:PLUG_IN", "no_such:Fade", "dos"):
        with pytest.raises(DbganError, match=rf"interpolator '{wrong}': expected `dis`(.|\n)*docs/blur.md"):
            interpolator_of(wrong)


def test_the_number_of_threads_changes_no_frame() -> None:
    before = cv2.getNumThreads()
    try:
        made = []
        for threads in (1, 2, 4):
            cv2.setNumThreads(threads)
            made.append(FlowInterpolator()(view(0), view(7), [0.5])[0])
    finally:
        cv2.setNumThreads(before)

    assert np.array_equal(made[0], made[1])
    assert np.array_equal(made[0], made[2])


@pytest.mark.parametrize("clip", ["gopro-hero5-karma.mp4", "car-turn.mp4"])
def test_a_real_frame_that_was_left_out_is_met_better_than_by_mixing_its_neighbours(
    shared_data: Path, clip: str
) -> None:
    video = cv2.VideoCapture(str(shared_data / "sharp-video" / clip))
    first, between, last = ([video.read()[1][..., ::-1] for _ in range(20)])[17:]

    (made,) = FlowInterpolator()(np.ascontiguousarray(first), np.ascontiguousarray(last), [0.5])

    mixed = (first.astype(float) + last) / 2
    # At least 3 dB: less than 0.71 of the error.
    assert np.sqrt(np.mean((made.astype(float) - between) ** 2)) < 0.71 * np.sqrt(np.mean((mixed - between) ** 2))
