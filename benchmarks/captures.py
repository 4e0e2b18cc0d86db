"""Many photos in nested folders: time and memory to scan, cut into sessions, plan and ingest them, and to do it again.

The photos are tiny, of 16 different contents with a capture time each; `DBGAN_BENCH_CAPTURES` (100,000): how many. A
quarter of that number is done first: memory beside it says what a photo costs.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COUNT = int(os.environ.get("DBGAN_BENCH_CAPTURES", "100_000"))
IN_FOLDER, CONTENTS = 250, 16


def run() -> None:
    """Print seconds and peak memory of each part, every part in a process of its own."""
    for count in (COUNT // 4, COUNT):
        with tempfile.TemporaryDirectory() as folder:
            _make(Path(folder) / "raw", count)
            for part in ("first", "again"):
                environment = {**os.environ, "DBGAN_STATE": str(Path(folder) / "state")}
                command = [sys.executable, "-m", "benchmarks.captures", part, folder, str(count)]
                subprocess.run(command, check=True, env=environment)


def _make(root: Path, count: int) -> None:
    """Folders of three levels; photos of one folder are ten seconds apart, with an hour between each fifty."""
    import io

    import numpy as np
    from PIL import Image

    bodies = []
    for seed in range(CONTENTS):
        buffer = io.BytesIO()
        pixels = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(buffer, "JPEG")
        bodies.append(buffer.getvalue())
    for number in range(count):
        folder, place = divmod(number, IN_FOLDER)
        path = root / f"phone-{folder % 4}" / f"{folder // 40:03d}" / f"{folder:05d}" / f"IMG_{place:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        second = place * 10 + place // 50 * 3600
        path.write_bytes(_timed(bodies[number % CONTENTS], second))


def _timed(body: bytes, second: int) -> bytes:
    """The JPEG with an EXIF block that holds nothing but DateTimeOriginal."""
    from PIL import Image

    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = f"2023:05:01 {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    block = exif.tobytes()
    return body[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + body[2:]


def _ingest(part: str, folder: Path, count: int) -> None:
    import contextlib
    import io

    from dbgan.ingest import ingest
    from dbgan.params import IngestParams

    params = IngestParams(layout="captures", image="jpg", session_gap_min=30, quality=False, shard_samples=500)
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        report = ingest("captures", params, folder / "raw", folder / "corpus")
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count:,} photos, {part}: {seconds:.1f} s, peak {peak:.0f} MB; {report.built} shards built, "
        f"{report.reused} reused, {report.samples:,} samples",
        flush=True,
    )


if __name__ == "__main__":
    _ingest(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
