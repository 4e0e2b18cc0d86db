"""A clip restored frame by frame into a clip: H.264 in the container it came in, frames at the times they had.

Frames stand upright, so no rotation is needed any more. Sound, position and all other tags are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dbgan.errors import ImageError
from dbgan.image.video import frames, open_clip

Pixels = NDArray[np.uint8]

TICKS = 90_000
"""Units of a second in which times are written: MPEG's."""

QUALITY = {"crf": "14", "preset": "medium"}
"""x264's: what differs from the restored frames cannot be seen."""

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_BT709 = 1
"""ITU-T H.273's number of BT.709, the same for primaries, transfer and matrix."""


def restore_clip(path: Path, handle: IO[bytes], suffix: str, restore: Callable[[Pixels, int], Pixels]) -> list[str]:
    """Write the restored version of the clip at `path` to an open file.

    Args:
        path: the clip.
        handle: seekable, open for writing.
        suffix: of `FORMATS`.
        restore: (frame, its index) -> restored frame of the same size.

    Returns:
        What the result lacks or has otherwise, in words.

    Raises:
        ImageError: the clip is damaged, or its frames change size: what was written is not whole.
    """
    import av

    said = ["its sound was left out"] if _has_sound(path) else []
    with av.open(handle, "w", format=FORMATS[suffix]) as made:
        stream: Any = None
        size: tuple[int, ...] = ()
        last = -1
        for frame in frames(path):
            assert frame.pixels is not None
            if stream is None:
                size = frame.pixels.shape
                stream = _stream(made, size)
                code = _coder(size, stream.pix_fmt)
                said += ["its tone (HDR) was kept, not mapped"] if "tone_kept" in frame.warnings else []
                said += ["interlaced: fields were taken for one picture"] if "interlaced" in frame.warnings else []
            if frame.pixels.shape != size:
                raise ImageError("unreadable", f"video: frame {frame.index} is of another size than those before")
            picture = code(restore(frame.pixels, frame.index))
            # Two frames of one moment, which some containers hold, are written one tick apart: no muxer takes them.
            last = max(last + 1, round(frame.time_s * TICKS))
            picture.pts, picture.time_base = last, Fraction(1, TICKS)
            made.mux(stream.encode(picture))
        if stream is None:
            raise ImageError("unreadable", "the clip has no frame that can be decoded")
        made.mux(stream.encode(None))
    return said


def _stream(made: Any, size: tuple[int, ...]) -> Any:
    """An H.264 stream that says how its colours are coded. Sides that are odd cannot share colours between pixels."""
    stream = made.add_stream("libx264", rate=Fraction(30), options=dict(QUALITY))
    stream.height, stream.width = size[0], size[1]
    stream.pix_fmt = "yuv420p" if size[0] % 2 == 0 and size[1] % 2 == 0 else "yuv444p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
    for name in ("colorspace", "color_primaries", "color_trc"):
        setattr(stream.codec_context, name, _BT709)
    stream.codec_context.color_range = 1  # 16 to 235
    return stream


def _coder(size: tuple[int, ...], pix_fmt: str) -> Callable[[Pixels], Any]:
    """RGB to the stream's colours by ffmpeg's `scale` filter, rounded: its faster way is a level too dark."""
    import av.filter
    from av.video.frame import VideoFrame

    graph: Any = av.filter.Graph()
    source = f"video_size={size[1]}x{size[0]}:pix_fmt=rgb24:time_base=1/1000:pixel_aspect=1/1"
    scale = "out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_inp+bitexact"
    nodes = [graph.add("buffer", source), graph.add("scale", scale), graph.add("format", pix_fmt)]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()

    def code(pixels: Pixels) -> Any:
        graph.push(VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24"))
        return graph.pull()

    return code


def estimate(path: Path) -> tuple[int, tuple[int, int] | None]:
    """About how many frames a clip has, and their height and width, as its container tells; (0, None) for no clip."""
    import av

    try:
        with open_clip(path) as container:
            stream = container.streams.video[0]
            seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
            frames = stream.frames or round(seconds * float(stream.average_rate or 0))
            return frames, (stream.codec_context.height, stream.codec_context.width)
    except (ImageError, av.FFmpegError, IndexError, OSError):
        return 0, None


def _has_sound(path: Path) -> bool:
    import av

    try:
        with open_clip(path) as container:
            return bool(container.streams.audio)
    except (ImageError, av.FFmpegError):
        return False
