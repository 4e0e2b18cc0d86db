"""Clips of video to upright HWC uint8 RGB frames, one after the other; the only place where video is decoded.

Rules, one each:
- containers: MP4, MOV (and their kin), AVI, Matroska and WebM, told by content. No other demuxer is ever tried, so that
  no playlist can name further files or addresses. The first video stream that is not a cover picture is read;
- colours: ffmpeg's own conversion (its `scale` filter) with the matrix and range that the stream is tagged with
  (untagged: BT.601, limited range). The transfer is left as tagged: HDR (PQ, HLG) is not mapped to
  another tone, and said;
- more than 8 bits per sample are reduced to 8 in that conversion;
- rotation: the container's display matrix, as ffmpeg applies it;
- order: that of presentation, counted from 0; times in seconds since the first frame, as stored (no frame is repeated
  or dropped for a constant rate);
- damage: what cannot be decoded as coded ends the clip. Nothing is concealed: guessed pixels teach nothing;
- privacy: make, model and the local time of capture. Position, serial numbers, software, owner, telemetry tracks and
  all other tags of the container are never read.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from dbgan.corpus.layout import empty_meta
from dbgan.errors import ImageError, require
from dbgan.image.containers import HEAD, missing_bytes, sniff
from dbgan.image.metadata import device_name, printable

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_PIXELS = 200_000_000
VIDEOS = frozenset({".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".3gp", ".qt"})
"""Extensions that promise a video (in lower case)."""

_HDR = (16, 18)
"""ITU-T H.273 transfer characteristics: PQ (SMPTE ST 2084) and HLG (ARIB STD-B67)."""
_LOCAL_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")
_MAKE = ("com.apple.quicktime.make", "com.android.manufacturer", "make")
_MODEL = ("com.apple.quicktime.model", "com.android.model", "model")
_MATRIX_BYTES = 36


class ClipError(ImageError):
    """A clip cannot be decoded any further. `frames` could be before; `time_s` is where the last of them is."""

    def __init__(self, reason: str, detail: str, frames: int = 0, time_s: float = 0.0) -> None:
        super().__init__(reason, detail)
        self.frames = frames
        self.time_s = time_s


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """One frame.

    Attributes:
        index: in order of presentation, from 0. time_s: since the first frame.
        pixels: HWC uint8 RGB, upright; None where the reader did not ask for this frame.
        warnings: of `layout.WARNINGS`: `rotated`, `tone_kept`, `interlaced`.
    """

    index: int
    time_s: float
    pixels: NDArray[np.uint8] | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clip:
    """What a whole reading of a clip found.

    Attributes:
        times_s: of every frame that can be decoded, in order of presentation, since the first.
        reason, broken: why and where it ends early (`layout.REJECT_REASONS`, a sentence); empty for whole clips.
        meta: the keys of `layout.empty_meta()`; `captured_at` is that of the first frame.
    """

    times_s: tuple[float, ...]
    reason: str
    broken: str
    meta: dict[str, Any]


def is_video(path: str) -> bool:
    """Whether the extension promises a video."""
    return Path(path).suffix.lower() in VIDEOS


def survey(path: Path, *, max_pixels: int = MAX_PIXELS) -> Clip:
    """Decode a whole clip without converting a frame: how many there are, when, and where it breaks.

    Raises:
        ClipError: not even one frame can be decoded; with one of `layout.REJECT_REASONS`.
    """
    times: list[float] = []
    try:
        for frame in frames(path, wanted=lambda index: False, max_pixels=max_pixels):
            times.append(frame.time_s)
    except ClipError as error:
        if not times:
            raise
        return Clip(tuple(times), error.reason, error.detail, metadata(path))
    if not times:
        raise ClipError("unreadable", "video: the clip has no frame that can be decoded")
    return Clip(tuple(times), "", "", metadata(path))


def frames(
    path: Path, *, wanted: Callable[[int], bool] = lambda index: True, max_pixels: int = MAX_PIXELS
) -> Iterator[ClipFrame]:
    """Frames of a clip in order of presentation. Memory does not grow with the clip's length.

    Args:
        path: the clip.
        wanted: which frames are converted to pixels, by index; all are decoded.
        max_pixels: frames that promise more are refused.

    Raises:
        ClipError: after the last frame before the damage, or at once where the file is no clip. Never another
            exception for what is in the file.
    """
    import av

    index, last, convert = 0, 0.0, _Converter()
    start: float | None = None
    try:
        with open_clip(path) as container:
            stream = _stream(container)
            for frame in _decoded(container, stream, missing_bytes(path), max_pixels):
                time = _time(frame, stream, index)
                start = time if start is None else start
                last = time - start
                pixels, warnings = _upright(frame, convert) if wanted(index) else (None, ())
                yield ClipFrame(index, last, pixels, warnings)
                index += 1
    except _BreakError as error:
        raise ClipError(error.reason, _where(index, last, error.detail), index, last) from None
    except ClipError:
        raise
    except Exception as error:  # libav and its wrapper raise a dozen kinds on hostile bytes; all mean the same here
        reason = "truncated" if isinstance(error, av.EOFError) else "unreadable"
        raise ClipError(reason, _where(index, last, _said(error)), index, last) from None


def metadata(path: Path) -> dict[str, Any]:
    """The allow-listed metadata of a clip: exactly the keys of `layout.empty_meta()`.

    `captured_at` is filled only from a tag that names local time; `creation_time` is UTC and says no zone.
    """
    meta = empty_meta()
    try:
        with open_clip(path) as container:
            tags = {key.lower(): value for key, value in container.metadata.items()}
    except Exception:  # as above: a damaged container has no tags
        return meta
    meta["make"] = printable(next((tags[key] for key in _MAKE if key in tags), ""))
    meta["model"] = printable(next((tags[key] for key in _MODEL if key in tags), ""))
    local = _LOCAL_TIME.match(tags.get("com.apple.quicktime.creationdate", ""))
    meta["captured_at"] = local[1] if local else ""
    meta["device"] = device_name(meta["make"], meta["model"])
    return meta


def moment(captured_at: str, time_s: float) -> str:
    """Local time of a frame `time_s` after `captured_at`, ISO 8601 to the second; empty without a start.

    >>> moment("2020-01-31T23:59:59", 1.5)
    '2020-02-01T00:00:00'
    """
    if not captured_at:
        return ""
    try:
        begin = datetime.datetime.fromisoformat(captured_at)
        return (begin + datetime.timedelta(seconds=int(time_s))).isoformat()
    except (ValueError, OverflowError):
        return ""


class _BreakError(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


def _where(frames: int, time_s: float, detail: str) -> str:
    if not frames:
        return f"video: breaks before its first frame: {detail}"
    return f"video: breaks after frame {frames - 1} at {time_s:.3f} s: {detail}"


def _said(error: Exception) -> str:
    """libav's words without what differs between two runs (the name of the file object)."""
    return str(getattr(error, "strerror", "") or type(error).__name__)


def open_clip(path: Path) -> InputContainer:
    """The container of a clip, told by its content; no other demuxer or protocol is tried.

    Raises:
        ClipError: it is none.
    """
    require("av", "reading video", distribution="av")
    import av

    with path.open("rb") as handle:
        container = sniff(handle.read(HEAD))
    if not container:
        raise ClipError("not_a_video", "video: unknown file type, expected MP4, MOV, AVI, MKV or WebM")
    # `file` only: whatever a container names, no other protocol is opened, and `mov` follows no reference by default.
    opened: InputContainer = av.open(
        str(path.resolve()), format=container, options={"protocol_whitelist": "file"}, metadata_errors="replace"
    )
    return opened


def _stream(container: InputContainer) -> VideoStream:
    from av.stream import Disposition

    for stream in container.streams.video:
        if stream.codec_context is None:
            raise ClipError("unreadable", "video: its codec is not known here")
        if not stream.disposition & Disposition.attached_pic:
            # One thread: with several, what comes out around damage depends on timing.
            stream.codec_context.thread_count = 1
            stream.codec_context.options = {"err_detect": "explode"}
            return stream
    raise ClipError("not_a_video", "video: the container has no video stream")


def _decoded(container: InputContainer, stream: VideoStream, missing: int, max_pixels: int) -> Iterator[VideoFrame]:
    """Frames until the end or the first damage, which raises after all frames that surely come before it.

    Args:
        missing: bytes that the file lacks at its end.
    """
    import av

    whole_to: int | None = None
    try:
        for packet in container.demux(stream):
            if not packet.size and missing:
                raise _BreakError("truncated", f"the file ends {missing} bytes before its container does")
            if packet.size and packet.is_corrupt:
                raise _BreakError("truncated", "its data ends within a frame")
            for frame in packet.decode():
                _check(frame, max_pixels)
                yield frame
            whole_to = packet.dts
    except (_BreakError, av.FFmpegError) as error:
        yield from _rest(stream, whole_to, max_pixels)
        raise error


def _rest(stream: VideoStream, whole_to: int | None, max_pixels: int) -> Iterator[VideoFrame]:
    """What the decoder held back for the order of presentation when the damage came.

    No frame is shown before it is decoded, so a lost one is shown after `whole_to`, when the last whole packet was to
    be decoded: frames up to there have no gap before them.
    """
    import av

    try:
        for frame in stream.codec_context.decode(None):
            if whole_to is None or frame.pts is None or frame.pts > whole_to:
                return
            _check(frame, max_pixels)
            yield frame
    except (_BreakError, av.FFmpegError):
        return


def _check(frame: VideoFrame, max_pixels: int) -> None:
    if frame.is_corrupt:
        raise _BreakError("truncated", "a frame whose data is incomplete")
    if frame.width * frame.height > max_pixels:
        raise _BreakError("too_large", f"{frame.width}x{frame.height} px, over the limit of {max_pixels} px")


def _time(frame: VideoFrame, stream: VideoStream, index: int) -> float:
    """Presentation time in seconds; by the rate where the container has none."""
    if frame.pts is not None and frame.time_base:
        return float(frame.pts * frame.time_base)
    return index / float(stream.average_rate) if stream.average_rate else float(index)


class _Converter:
    """ffmpeg's `scale` filter to full-range RGB: its defaults, with the tags of each frame. One graph serves a clip."""

    def __init__(self) -> None:
        self._made_for: tuple[Any, ...] = ()
        self._graph: Any = None
        self._matrices: dict[int, NDArray[np.int32] | None] = {}

    def matrix(self, frame: VideoFrame) -> NDArray[np.int32] | None:
        """The frame's display matrix (`_matrix`), read from the first frame of each angle of rotation.

        Whoever looks at a frame's side data makes PyAV keep the frame in a cycle, until the garbage is collected:
        hundreds of megabytes where it is done for each.
        """
        angle = int(frame.rotation)
        if angle not in self._matrices:
            self._matrices[angle] = _matrix(frame)
        return self._matrices[angle]

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """HWC uint8 RGB, not turned."""
        tags = (frame.width, frame.height, frame.format.name, int(frame.colorspace), int(frame.color_range))
        if tags != self._made_for:
            self._graph, self._made_for = _rgb_graph(*tags), tags
        self._graph.push(frame)
        return np.asarray(self._graph.pull().to_ndarray(), np.uint8)


def _rgb_graph(width: int, height: int, pix_fmt: str, colorspace: int, color_range: int) -> Any:
    import av.filter

    graph: Any = av.filter.Graph()
    graph.threads = 1
    source = f"video_size={width}x{height}:pix_fmt={pix_fmt}:time_base=1/1000:pixel_aspect=1/1"
    nodes = [graph.add("buffer", f"{source}:colorspace={colorspace}:range={color_range}")]
    nodes += [graph.add("scale", "out_range=pc:flags=bicubic+bitexact"), graph.add("format", "rgb24")]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    return graph


def _upright(frame: VideoFrame, convert: _Converter) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    pixels = convert(frame)
    warnings = []
    turned = _turned(pixels, convert.matrix(frame))
    if turned is not pixels:
        warnings.append("rotated")
    if int(frame.color_trc) in _HDR:
        warnings.append("tone_kept")
    if frame.interlaced_frame:
        warnings.append("interlaced")
    return np.ascontiguousarray(turned), tuple(warnings)


def _matrix(frame: VideoFrame) -> NDArray[np.int32] | None:
    """The display matrix's upper left part, 2x2 of 16.16 fixed point (ISO/IEC 14496-12, 8.2.2); None without one."""
    for data in cast("Any", frame.side_data):
        if data.type.name == "DISPLAYMATRIX" and len(bytes(data)) >= _MATRIX_BYTES:
            whole = np.frombuffer(bytes(data)[:_MATRIX_BYTES], np.int32).reshape(3, 3)
            return whole[:2, :2]
    return None


def _turned(pixels: NDArray[np.uint8], matrix: NDArray[np.int32] | None) -> NDArray[np.uint8]:
    """A pixel at (x, y) goes to (a x + c y, b x + d y); only quarter turns and mirrors are applied."""
    if matrix is None:
        return pixels
    (a, b), (c, d) = matrix.tolist()
    if not b and not c and a and d:
        turned = pixels[:, ::-1] if a < 0 else pixels
        return turned[::-1] if d < 0 else turned
    if not a and not d and b and c:
        turned = pixels.transpose(1, 0, 2)
        turned = turned[:, ::-1] if c < 0 else turned
        return turned[::-1] if b < 0 else turned
    return pixels
