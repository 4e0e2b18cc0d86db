"""Clips: colours as ffmpeg converts them, upright, times as stored, and nothing guessed where data is damaged."""

from __future__ import annotations

import gc
import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dbgan.corpus.layout import REJECT_REASONS, empty_meta
from dbgan.image import video

av: Any = pytest.importorskip("av")


def picture(seed: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """A smooth picture that differs from frame to frame."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin((x + 3 * seed) / 9 + k) + np.cos((y + seed) / 7 + k) for k in range(3)]
    return (127.5 + 60 * np.stack(waves, -1)).astype(np.uint8)


def write_clip(
    path: Path,
    pictures: list[NDArray[np.uint8]],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times_ms: list[int] | None = None,
    tags: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
    colour: tuple[int, int] = (1, 1),
    transfer: int = 1,
) -> Path:
    """A clip by libav's own encoder; `colour` is matrix and range as H.273 counts them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    muxer = {"movflags": "faststart+use_metadata_tags"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=muxer) as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.colorspace, stream.codec_context.color_range = colour
        stream.codec_context.color_trc = transfer
        container.metadata.update(tags or {})
        for number, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame = frame.reformat(format=pix_fmt, dst_colorspace=colour[0], dst_color_range=colour[1])
            frame.pts = times_ms[number] if times_ms else 40 * number
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def ffmpeg_frames(path: Path, count: int) -> list[NDArray[np.uint8]]:
    """The first frames as ffmpeg's filters make RGB of them, in its own filter graph with its own defaults."""
    turns = {0: (), -90: (("transpose", "clock"),), -180: (("hflip", ""), ("vflip", ""))}
    made = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        graph = None
        for frame in itertools.islice(container.decode(stream), count):
            if graph is None:
                graph = av.filter.Graph()
                chain = [graph.add_buffer(template=stream)]
                chain += [graph.add(name, argument or None) for name, argument in turns[frame.rotation]]
                chain += [graph.add("scale", "out_range=pc"), graph.add("format", "rgb24"), graph.add("buffersink")]
                graph.link_nodes(*chain).configure()
            graph.push(frame)
            made.append(graph.pull().to_ndarray())
    return made


CLIPS = (
    "android-720p-location.mp4",
    "bigbuckbunny.mp4",
    "bikes.mp4",
    "bottle-detection.mp4",
    "canon-mjpeg-640x480.avi",
    "car-turn.mp4",
    "gopro-hero5-karma.mp4",
    "ipad-mini-hevc.mov",
    "iphone6-with-gps.mov",
    "nasa_13013.mp4",
    "rotation/video_0.mov",
    "rotation/video_180.mov",
    "rotation/video_90.mov",
)


@pytest.mark.parametrize("name", CLIPS)
def test_frames_are_those_of_ffmpeg_to_two_of_255(shared_data: Path, name: str) -> None:
    path = shared_data / "sharp-video" / name
    ours = list(itertools.islice(video.frames(path), 3))
    theirs = ffmpeg_frames(path, 3)
    assert len(ours) == len(theirs) == 3
    for mine, other in zip(ours, theirs, strict=True):
        assert mine.pixels is not None
        assert mine.pixels.shape == other.shape
        assert np.abs(mine.pixels.astype(int) - other).max() <= 2


@pytest.mark.parametrize("limited", [True, False])
@pytest.mark.parametrize("matrix", [1, 5])
def test_flat_colours_come_out_by_the_formula_of_their_tags(tmp_path: Path, matrix: int, limited: bool) -> None:
    """Y'CbCr by hand (ITU-R BT.601 and BT.709), with the tag deciding: the same numbers, another colour."""
    y, cb, cr = 120, 90, 170
    kr, kb = (0.2126, 0.0722) if matrix == 1 else (0.299, 0.114)
    luma, chroma = ((y - 16) * 255 / 219, 255 / 224) if limited else (float(y), 1.0)
    red, blue = luma + 2 * (1 - kr) * chroma * (cr - 128), luma + 2 * (1 - kb) * chroma * (cb - 128)
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    path = tmp_path / "flat.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 1 if limited else 2
        frame = av.VideoFrame(32, 16, "yuv420p")
        for plane, value in zip(frame.planes, (y, cb, cr), strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.colorspace, frame.color_range = matrix, 1 if limited else 2
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    pixels = next(video.frames(path)).pixels
    assert pixels is not None
    assert np.ptp(pixels, axis=(0, 1)).max() == 0
    assert np.abs(pixels[0, 0] - np.array([red, green, blue])).max() <= 2


def test_ten_bit_hevc_is_reduced_to_eight_as_ffmpeg_does(tmp_path: Path) -> None:
    made = [picture(k) for k in range(3)]
    options = {"x265-params": "log-level=none", "preset": "ultrafast", "crf": "4"}
    path = write_clip(tmp_path / "ten.mp4", made, codec="libx265", pix_fmt="yuv420p10le", options=options)
    for mine, other, true in zip(video.frames(path), ffmpeg_frames(path, 3), made, strict=True):
        assert mine.pixels is not None
        assert np.abs(mine.pixels.astype(int) - other).max() <= 2
        assert np.abs(mine.pixels.astype(int) - true).mean() < 3


def test_hdr_keeps_its_transfer_and_is_said(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "hlg.mkv", [picture(0)], colour=(9, 1), transfer=18)
    assert next(video.frames(path)).warnings == ("tone_kept",)


def test_every_display_matrix_puts_pixels_where_it_says() -> None:
    """Brute force over the eight orientations: each corner goes where the matrix sends it."""
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    for (a, b), (c, d) in [((s, 0), (0, t)) for s in (1, -1) for t in (1, -1)] + [
        ((0, s), (t, 0)) for s in (1, -1) for t in (1, -1)
    ]:
        turned = video._turned(pixels, np.array([[a, b], [c, d]], np.int32) * 65536)
        places = {(x, y): (a * x + c * y, b * x + d * y) for x in range(3) for y in range(2)}
        left, top = (min(place[i] for place in places.values()) for i in (0, 1))
        for (x, y), (to_x, to_y) in places.items():
            assert np.array_equal(turned[to_y - top, to_x - left], pixels[y, x])


def test_a_turned_clip_is_upright_and_said(shared_data: Path) -> None:
    for name, shape in (("video_0", (320, 568, 3)), ("video_90", (568, 320, 3)), ("video_180", (320, 568, 3))):
        frame = next(video.frames(shared_data / "sharp-video" / "rotation" / f"{name}.mov"))
        assert frame.pixels is not None
        assert frame.pixels.shape == shape
        assert frame.warnings == (() if name == "video_0" else ("rotated",))


def test_times_of_a_variable_rate_are_those_stored(tmp_path: Path) -> None:
    times = [0, 40, 50, 300, 310, 1000]
    path = write_clip(tmp_path / "vfr.mp4", [picture(k) for k in range(6)], times_ms=times)
    assert [frame.time_s for frame in video.frames(path)] == pytest.approx([t / 1000 for t in times])
    assert video.survey(path).times_s == pytest.approx(tuple(t / 1000 for t in times))


def test_only_wanted_frames_become_pixels(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", [picture(k) for k in range(5)])
    taken = list(video.frames(path, wanted=lambda index: index % 2 == 1))
    assert [frame.pixels is not None for frame in taken] == [False, True, False, True, False]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".avi"])
def test_a_cut_off_clip_gives_the_frames_before_and_says_where(tmp_path: Path, suffix: str) -> None:
    coded: dict[str, Any] = {"options": {"g": "10", "crf": "10"}}
    if suffix == ".avi":
        coded = {"codec": "mjpeg", "pix_fmt": "yuvj420p", "colour": (5, 2)}
    whole = write_clip(tmp_path / f"whole{suffix}", [picture(k) for k in range(40)], **coded)
    assert video.survey(whole).broken == ""
    cut = tmp_path / f"cut{suffix}"
    data = whole.read_bytes()
    begin = max(data.find(b"mdat"), data.find(b"movi"), 0)
    cut.write_bytes(data[: begin + (len(data) - begin) // 2])
    found = video.survey(cut)
    assert 5 < len(found.times_s) < 40
    assert found.reason in REJECT_REASONS
    assert f"after frame {len(found.times_s) - 1} at {found.times_s[-1]:.3f} s" in found.broken
    reading = video.frames(cut)
    for want in itertools.islice(video.frames(whole), len(found.times_s)):
        got = next(reading)
        assert (got.index, got.time_s) == (want.index, want.time_s)
        assert np.array_equal(got.pixels, want.pixels)
    with pytest.raises(video.ClipError, match=r"breaks after frame"):
        next(reading)


def test_damage_ends_the_clip_and_nothing_is_concealed(shared_data: Path) -> None:
    """The broken clip of the real samples: ffmpeg's own default goes on and paints over."""
    found = video.survey(shared_data / "malformed" / "corrupted.mp4")
    assert found.broken.startswith("video: breaks after frame 27 at 2.700 s")
    assert len(found.times_s) == 28


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a video at all",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
        b"ffconcat version 1.0\nfile /etc/hostname\n",
        b"RIFF\x00\x00\x00\x00AVI LIST",
        b"\x00\x00\x00\x18ftypisom" + bytes(64),
        b"\x1a\x45\xdf\xa3" + bytes(40),
    ],
)
def test_what_is_no_clip_is_refused_with_a_reason(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    with pytest.raises(video.ClipError) as caught:
        video.survey(path)
    assert caught.value.reason in REJECT_REASONS


def test_of_a_containers_tags_only_the_allow_list_is_read(tmp_path: Path, shared_data: Path) -> None:
    private = {"location": "+52.3693+006.6761/", "artist": "Anna Owner", "com.apple.quicktime.software": "SERIAL-4711"}
    mine = write_clip(tmp_path / "clip.mov", [picture(0)], tags={**private, "com.apple.quicktime.make": "Maker"})
    for path in (mine, shared_data / "sharp-video" / "iphone6-with-gps.mov"):
        meta = video.metadata(path)
        assert meta.keys() == empty_meta().keys()
        assert not any(word in str(meta) for word in ("+", "Anna", "4711", "12.3"))
    assert video.metadata(mine)["make"] == "Maker"
    phone = video.metadata(shared_data / "sharp-video" / "iphone6-with-gps.mov")
    assert (phone["device"], phone["captured_at"]) == ("Apple iPhone 6", "2019-07-24T11:25:40")


def test_frames_that_promise_too_many_pixels_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", [picture(0)])
    with pytest.raises(video.ClipError) as caught:
        next(video.frames(path, max_pixels=1000))
    assert caught.value.reason == "too_large"


def test_frames_are_let_go_as_they_are_read(tmp_path: Path) -> None:
    """Without the collector's help: what a frame of PyAV refers to must not refer back to it."""
    path = write_clip(tmp_path / "clip.mp4", [picture(k) for k in range(40)])
    gc.collect()
    gc.disable()
    try:
        for frame in video.frames(path):
            last = frame.index
        alive = sum(isinstance(thing, av.VideoFrame) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert (last, alive <= 3) == (39, True)
