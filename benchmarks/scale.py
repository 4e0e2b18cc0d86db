"""Large corpora: time and memory to fold, open, search, check and plan them; memory of ingest beside its input's size.

Every part runs in a process of its own, so that its peak memory is its own. Sizes, by environment variable:

- `DBGAN_BENCH_ROWS` (5,000,000): rows of the corpus. Its tables are real, its shards are absent (2 GB of space).
- `DBGAN_BENCH_FILES` (1,000,000): known input files to plan. They are empty; the digest cache says what they hold.
- `DBGAN_BENCH_INGEST` (96): 720p pairs to ingest, and four times as many, in shards of `SHARD_SAMPLES`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

ROWS = int(os.environ.get("DBGAN_BENCH_ROWS", "5_000_000"))
FILES = int(os.environ.get("DBGAN_BENCH_FILES", "1_000_000"))
PAIRS = int(os.environ.get("DBGAN_BENCH_INGEST", "96"))
IN_SEQUENCE, IN_SHARD = 1000, 100
SHARD_SAMPLES = 16
FRAMES_OF_CLIP = 500


def run() -> None:
    """Print lines of what was done, its seconds, and the peak memory of its process so far."""
    with tempfile.TemporaryDirectory() as folder:
        for part in PARTS:
            print(f"{part}:", flush=True)
            environment = {**os.environ, "DBGAN_STATE": str(Path(folder) / "state")}
            subprocess.run([sys.executable, "-m", "benchmarks.scale", part, folder], check=True, env=environment)


def _fold(folder: Path) -> None:
    """A first build's fold of every shard, then one shard more into the finished tables."""
    from dbgan.corpus import fold, tables
    from dbgan.corpus.header import Header
    from dbgan.corpus.layout import Finished, Receipt
    from dbgan.corpus.receipts import finished

    corpus = folder / "corpus"
    corpus.mkdir()
    header = Header("paired", "png", "scale", {}, {})
    schema = tables.manifest_schema("paired", False)
    with _measured(f"fold {ROWS:,} rows of {ROWS // IN_SHARD:,} shards"):
        firsts = range(0, ROWS, IN_SHARD)
        runs = (fold.Run(_names(start)["key"], partial(_rows, schema, start)) for start in firsts)
        tally = fold.Tally(flags=("blur_kept", "sharp_kept"))
        merged = tally.passing(fold.merged(runs, tables.ROW_GROUP, corpus))
        fold.write(corpus / tables.MANIFEST, schema, merged, tables.ROW_GROUP)
    shards = [_names(start) | {"start": start} for start in range(0, ROWS, IN_SHARD)]
    done = [
        Finished(s["shard"], s["sequence"], "recipe", 1, "0" * 64, min(IN_SHARD, ROWS - s["start"]), 0, s["key"], True)
        for s in shards
    ]
    with _measured("tables of a corpus whose manifest is finished"):
        tables.finish(corpus, header, done)
    rows = _rows(schema, ROWS).slice(0, 1).to_pylist()
    new = Receipt(rows[0]["shard"], rows[0]["sequence"], "recipe", 1, "0" * 64, tuple(rows), ())
    with _measured("one shard more: what is finished"):
        known = finished(corpus)
    with _measured("one shard more: fold"):
        tables.finish(corpus, header, [*known.values(), new])


def _open(folder: Path) -> None:
    from dbgan.corpus import Corpus

    with _measured("open"):
        corpus = Corpus.open(folder / "corpus")
    middle = _names(ROWS // 2)["key"]
    for what in ("first look-up by key", "the same again"):
        with _measured(what):
            corpus._index.place(corpus._row(middle), "blur")
    with _measured(f"table, 4 columns of {len(corpus):,} rows"):
        corpus.table(["key", "shard", "blur_offset", "blur_size"])


def _verify(folder: Path) -> None:
    from dbgan.corpus.verify import verify

    with _measured("verify --quick"):
        problems = verify(folder / "corpus", quick=True)
    print(f"  ({len(problems):,} problems: the shards are absent)")


def _plan(folder: Path) -> None:
    """Everything that `ingest` does before it reads the first picture."""
    from dbgan.ingest import _layouts
    from dbgan.ingest.digests import DigestCache
    from dbgan.ingest.plan import make_plans
    from dbgan.params import IngestParams

    params = IngestParams(layout="gopro", blur="blur")
    raw = (folder / "known").resolve()
    _known(raw)
    with _measured(f"scan {FILES:,} files"):
        scan = _layouts()["gopro"].scan(raw, params)
    with _measured("their digests, from the cache"), DigestCache() as cache:
        inputs = [path for frame in scan.frames for path in frame.paths.values()]
        states = cache.states(raw, inputs, "digests")
    with _measured("plans"):
        planned = make_plans(scan, states, params)
    print(f"  ({len(planned.plans):,} shards of {len(inputs):,} files)")
    shutil.rmtree(raw)


def _known(raw: Path) -> None:
    """`FILES` empty files in the layout `gopro`, and a digest cache that knows them."""
    from dbgan.ingest.digests import DigestCache

    rows = []
    digest = hashlib.sha256(b"").hexdigest()
    for clip in range(-(-FILES // (2 * FRAMES_OF_CLIP))):
        for which in ("blur", "sharp"):
            below = raw / f"GOPR{clip:04d}_11_00" / which
            below.mkdir(parents=True)
            for number in range(FRAMES_OF_CLIP):
                path = os.path.join(below, f"{number:06d}.png")
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
                status = os.stat(path)
                rows.append((os.fsencode(path), 0, status.st_mtime_ns, digest, status.st_ctime_ns))
        if len(rows) > 50_000 or (clip + 1) * 2 * FRAMES_OF_CLIP >= FILES:
            with DigestCache() as cache:
                cache._remember(rows)
            rows = []


def _ingest(times: int, folder: Path) -> None:
    from benchmarks.ingest import raw_pairs
    from dbgan.ingest import ingest
    from dbgan.params import IngestParams

    raw = raw_pairs(folder / f"raw-{times}", times * PAIRS)
    params = IngestParams(layout="gopro", blur="blur", shard_samples=SHARD_SAMPLES)
    silent = contextlib.redirect_stdout(io.StringIO())
    with _measured(f"ingest {times * PAIRS} pairs, about {SHARD_SAMPLES} a shard"), silent:
        ingest("scale", params, raw, folder / f"ingested-{times}")
    shutil.rmtree(raw)


PARTS: dict[str, Callable[[Path], None]] = {
    "fold": _fold,
    "open": _open,
    "verify": _verify,
    "plan": _plan,
    "ingest": partial(_ingest, 1),
    "ingest 4 times as much": partial(_ingest, 4),
}


@contextlib.contextmanager
def _measured(what: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    print(f"  {what:<52}{seconds:10.3f} s   peak {_peak() / 1e6:6.0f} MB", flush=True)


def _peak() -> int:
    """Peak resident memory of this process, bytes. `getrusage` would count what its parent held when it was started."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def _names(number: int) -> dict[str, str]:
    """Key, its parts and the shard of one row."""
    sequence, frame = f"S{number // IN_SEQUENCE:06d}", f"{number % IN_SEQUENCE:06d}"
    shard = f"{sequence}-{number % IN_SEQUENCE // IN_SHARD:03d}"
    return {"key": f"{sequence}/{frame}", "sequence": sequence, "frame": frame, "shard": shard}


def _rows(schema: pa.Schema, start: int) -> pa.Table:
    """The manifest rows of one shard; digests and measures are random, so that they compress as real ones do."""
    draw = np.random.default_rng(start)
    names = [_names(number) for number in range(start, min(start + IN_SHARD, max(ROWS, start + 1)))]
    return pa.table([_column(field, names, draw) for field in schema], schema=schema)


def _column(field: pa.Field, names: list[dict[str, str]], draw: np.random.Generator) -> pa.Array:
    count = len(names)
    if field.name in names[0]:
        return pa.array([name[field.name] for name in names])
    if field.type == pa.binary(32):
        return pa.FixedSizeBinaryArray.from_buffers(field.type, count, [None, pa.py_buffer(draw.bytes(32 * count))])
    if field.type == pa.float64():
        return pa.array(draw.random(count))
    if field.name in ("width", "height"):
        return pa.array([{"width": 1280, "height": 720}[field.name]] * count, field.type)
    if pa.types.is_integer(field.type):
        return pa.array(draw.integers(0, 3_000_000, count), field.type)
    if field.type == pa.bool_():
        return pa.array(np.zeros(count, bool))
    return pa.array([draw.bytes(32).hex() if field.name == "origin" else ""] * count)


if __name__ == "__main__":
    PARTS[sys.argv[1]](Path(sys.argv[2]))
