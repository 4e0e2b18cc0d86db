"""The demo's clips."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from dbgan.params import SampleParams
from dbgan.sample.gopro import TAKES, frame_paths, render_take
from dbgan.sample.motion import camera_path, crossing
from dbgan.sample.photographs import PHOTOGRAPHS
from dbgan.sample.scene import Scene
from dbgan.seeds import generator


def laplacian(image: np.ndarray) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float64) / 255, cv2.CV_64F).var())


def test_default_sized_pairs_are_blurred_as_gopros_are() -> None:
    """At the default frame size, three pairs per clip: mean PSNR 22 to 29 dB, mild and strong clips, sharp frames."""
    params = SampleParams(frames_per_sequence=3)
    by_clip: dict[str, list[float]] = {}
    sharpness = []
    for take in TAKES:
        for blurry, sharp in render_take(take, params):
            by_clip.setdefault(take.name, []).append(peak_signal_noise_ratio(sharp, blurry, data_range=255))
            sharpness.append((laplacian(sharp), laplacian(blurry)))

    means = [float(np.mean(values)) for values in by_clip.values()]
    assert 22 < np.mean(means) < 29
    assert max(means) - min(means) > 2
    assert all(18 < mean < 30 for mean in means)
    assert all(sharp > 1.4 * blurry for sharp, blurry in sharpness)
    assert np.mean([sharp for sharp, _ in sharpness]) > 0.007


def test_blurry_is_the_rounded_mean_of_the_clips_frames_and_sharp_the_middle_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames: list[np.ndarray] = []
    seen = Scene.frame

    def recording(*args: object, **kwargs: object) -> np.ndarray:
        frames.append(seen(*args, **kwargs))
        return frames[-1]

    monkeypatch.setattr(Scene, "frame", recording)
    params = SampleParams(width=96, height=64, average=7, frames_per_sequence=3)

    pairs = list(render_take(TAKES[0], params))

    assert len(frames) == 3 * 7
    for n, (blurry, sharp) in enumerate(pairs):
        window = np.stack(frames[7 * n : 7 * n + 7]).astype(np.float64)
        assert np.array_equal(blurry, np.round(window.mean(axis=0)).astype(np.uint8))
        assert np.array_equal(sharp, frames[7 * n + 3])


def test_frames_have_the_asked_size_also_where_the_photograph_is_smaller() -> None:
    params = SampleParams(width=640, height=400, average=3, frames_per_sequence=2)

    blurry, sharp = next(render_take(TAKES[1], params))

    assert blurry.shape == sharp.shape == (400, 640, 3)


def test_no_photograph_is_in_train_and_test_scenes_alike() -> None:
    for take in TAKES:
        use = PHOTOGRAPHS[take.photograph].use
        assert PHOTOGRAPHS[take.cutout.photograph].use == use
        assert take.cutout.photograph != take.photograph
        assert all(f"gopro/{use}/" in str(path) for pair in frame_paths(take, SampleParams()) for path in pair)


def test_photographs_are_public_domain_or_cc0_and_listed_in_the_card() -> None:
    card = (Path(__file__).parents[2] / "datasets/demo.md").read_text(encoding="utf-8")

    for name, photograph in PHOTOGRAPHS.items():
        assert photograph.licence in ("public domain", "CC0", "CC0 1.0")
        row = next(line for line in card.splitlines() if line.startswith(f"| {name} |"))
        assert f"`{photograph.file}`" in row
        assert photograph.licence in row
        assert row.endswith(f"| {photograph.use} |")


def test_the_camera_moves_as_far_per_blurry_image_as_asked() -> None:
    path = camera_path(generator(0, "test"), 88, 11, 9.0, 320)

    step = np.hypot(np.diff(path.x), np.diff(path.y))
    assert step.mean() * 11 == pytest.approx(9.0)
    assert step.max() < 2.5 * step.mean()
    assert [path.x.max() + path.x.min(), path.y.max() + path.y.min()] == pytest.approx([0, 0], abs=1e-9)


def test_an_object_is_in_the_middle_of_its_way_in_mid_clip() -> None:
    ways = [crossing(generator(s, "test"), 87, 11, 12.0, (320, 192), (0.25, 0.75)) for s in range(60)]

    middle = np.mean([way[43, :2] for way in ways], axis=0)
    assert middle == pytest.approx([80, 144], abs=8)
