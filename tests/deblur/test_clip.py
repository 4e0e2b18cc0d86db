"""Clips are restored frame by frame: times, order and colours stay, sound is left out and said to be."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dbgan.deblur.clip import _coder, restore_clip
from dbgan.errors import ImageError
from dbgan.image.video import frames, survey
from tests.tiny_corpora import scene

av = pytest.importorskip("av")

TIMES_MS = (0, 40, 75, 200, 1200)


def make_clip(path: Path, height: int = 48, width: int = 64, sound: bool = True) -> list[NDArray[np.uint8]]:
    """A clip with uneven times and, where asked, sound; its frames as encoded from."""
    pictures = [np.roll(scene(4, height, width), 3 * i, axis=1) for i in range(len(TIMES_MS))]
    with av.open(str(path), "w") as made:
        stream = made.add_stream("libx264", rate=25, options={"crf": "4"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv444p" if height % 2 else "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        audio = made.add_stream("aac", rate=8000) if sound else None
        for time, picture in zip(TIMES_MS, pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
        if audio is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            silence.sample_rate, silence.pts = 8000, 0
            made.mux(audio.encode(silence))
            made.mux(audio.encode(None))
    return pictures


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_times_order_and_colours_stay(tmp_path: Path, suffix: str) -> None:
    make_clip(tmp_path / "in.mp4")
    before = list(frames(tmp_path / "in.mp4"))
    seen: list[int] = []

    def darker(pixels: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        seen.append(index)
        return pixels // 2

    with (tmp_path / f"out{suffix}").open("w+b") as handle:
        said = restore_clip(tmp_path / "in.mp4", handle, suffix, darker)
    after = list(frames(tmp_path / f"out{suffix}"))
    assert seen == list(range(len(TIMES_MS)))
    assert [f.time_s for f in after] == pytest.approx([f.time_s for f in before], abs=1.1e-3)
    for old, new in zip(before, after, strict=True):
        assert old.pixels is not None
        assert new.pixels is not None
        apart = new.pixels.astype(int) - old.pixels // 2
        assert np.abs(apart).mean() < 4
        assert np.abs(apart.mean(axis=(0, 1))).max() < 2
    assert said == ["its sound was left out"]
    with av.open(str(tmp_path / f"out{suffix}")) as made:
        assert [stream.type for stream in made.streams] == ["video"]


@pytest.mark.parametrize("rgb", [(200, 60, 120), (128, 128, 128), (30, 200, 90), (255, 255, 255)])
def test_colours_are_coded_by_bt709(rgb: tuple[int, int, int]) -> None:
    """ITU-R BT.709-6, 3.2 to 3.4, in 8 bits: Y 16 to 235, colour differences 16 to 240, rounded to nearest."""
    flat = np.broadcast_to(np.array(rgb, np.uint8), (48, 64, 3))
    coded = _coder((48, 64, 3), "yuv420p")(flat).to_ndarray().reshape(-1)
    red, green, blue = (value / 255 for value in rgb)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    expected = (16 + 219 * luma, 128 + 224 * (blue - luma) / 1.8556, 128 + 224 * (red - luma) / 1.5748)
    for value, plane in zip(expected, np.split(coded, [48 * 64, 48 * 64 * 5 // 4]), strict=True):
        assert np.abs(plane - value).max() <= 0.51


def test_odd_sides_keep_their_size(tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mp4", 47, 63, sound=False)
    with (tmp_path / "out.mp4").open("w+b") as handle:
        said = restore_clip(tmp_path / "in.mp4", handle, ".mp4", lambda pixels, _: pixels)
    assert said == []
    for old, new in zip(frames(tmp_path / "in.mp4"), frames(tmp_path / "out.mp4"), strict=True):
        assert old.pixels is not None
        assert new.pixels is not None
        assert new.pixels.shape == (47, 63, 3)
        assert np.abs(new.pixels.astype(int) - old.pixels).mean() < 3


def test_a_damaged_clip_is_an_error(tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mp4")
    data = (tmp_path / "in.mp4").read_bytes()
    (tmp_path / "in.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError):
        restore_clip(tmp_path / "in.mp4", io.BytesIO(), ".mp4", lambda pixels, _: pixels)


def test_a_real_phone_clip_stands_upright(shared_data: Path, tmp_path: Path) -> None:
    found = next(
        (p for p in sorted((shared_data / "sharp-video").rglob("*.*"), key=lambda p: p.stat().st_size) if _rotated(p)),
        None,
    )
    if found is None:
        pytest.skip("no rotated clip among the samples")
    first = next(iter(frames(found)))
    assert first.pixels is not None
    with (tmp_path / "out.mp4").open("w+b") as handle:
        restore_clip(found, handle, ".mp4", lambda pixels, _: pixels)
    again = next(iter(frames(tmp_path / "out.mp4")))
    assert again.pixels is not None
    assert again.warnings == ()
    assert again.pixels.shape == first.pixels.shape
    assert np.abs(again.pixels.astype(int) - first.pixels).mean() < 6
    assert len(survey(tmp_path / "out.mp4").times_s) == len(survey(found).times_s)


def _rotated(path: Path) -> bool:
    try:
        return path.stat().st_size < 1_000_000 and "rotated" in next(iter(frames(path))).warnings
    except ImageError:
        return False
