"""Clips of one content and two lengths: memory must not grow with length, and what a frame costs.

`DBGAN_BENCH_FRAMES` (300): frames of the shorter 720p clip; the longer one has four times as many. One of eight frames
is taken, so that decoding is what is measured; and windows of eleven frames, averaged.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FRAMES = int(os.environ.get("DBGAN_BENCH_FRAMES", "300"))


def run() -> None:
    """Print seconds, frames per second and peak memory of each part, every part in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        for count in (FRAMES, 4 * FRAMES):
            _make(Path(folder) / str(count) / "clip.mp4", count)
            for layout in ("video", "frames"):
                environment = {**os.environ, "DBGAN_STATE": str(Path(folder) / f"state-{layout}-{count}")}
                command = [sys.executable, "-m", "benchmarks.video", layout, folder, str(count)]
                subprocess.run(command, check=True, env=environment)


def _make(path: Path, count: int) -> None:
    import av
    import numpy as np

    path.parent.mkdir(parents=True)
    y, x = np.mgrid[:720, :1280]
    wide = (127 + 60 * np.sin(x / 23) * np.cos(y / 31))[..., None] + np.array([0, 20, -20])
    picture = np.clip(wide + np.random.default_rng(0).normal(0, 6, (720, 1280, 1)), 0, 255).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=60, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 3 * number, axis=1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _ingest(layout: str, folder: Path, count: int) -> None:
    import contextlib
    import io

    from dbgan.ingest import ingest
    from dbgan.params import IngestParams

    own = {"take": "sharp", "every": 8} if layout == "video" else {"window": 11, "stride": 44}
    params = IngestParams.model_validate({"layout": layout, "quality": False, **own})
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        report = ingest("clip", params, folder / str(count), folder / f"out-{layout}-{count}")
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{layout}: {count} frames of 720p H.264, {report.samples} samples: {seconds:.1f} s, "
        f"{count / seconds:.0f} frames/s read, peak {peak:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    _ingest(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
