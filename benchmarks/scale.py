"""A corpus of 5 million pairs: time and memory to open it, to read four columns, and to find a sample by its key.

The manifest is written here directly, without shards (2 GB of temporary space, about a minute).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from dbgan.corpus import fold, tables
from dbgan.corpus.header import Header

ROWS = 5_000_000
IN_SEQUENCE, IN_SHARD = 1000, 100

READ = """
import resource, sys, time
from dbgan.corpus import Corpus
def said(what, started):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{what:<28}{(time.perf_counter() - started) * 1e3:9.1f} ms   peak {peak:5.0f} MB", flush=True)
started = time.perf_counter(); corpus = Corpus.open(sys.argv[1]); said("open", started)
for number, what in ((1234, "first look-up by key"), (4321, "look-up in another group"), (4321, "the same again")):
    started = time.perf_counter()
    corpus._index.place(corpus._row(f"S{number:06d}/000456"), "blur")
    said(what, started)
started = time.perf_counter(); corpus.table(["key", "shard", "blur_offset", "blur_size"])
said("table, 4 columns", started)
"""


def run() -> None:
    """Print a line per step; the reader runs in a process of its own, so that its memory is its own."""
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder)
        schema = tables.manifest_schema("paired", False)
        fold.write(corpus / tables.MANIFEST, schema, _rows(schema), tables.ROW_GROUP)
        header = Header("paired", "png", "scale", {}, {})
        (corpus / tables.CORPUS).write_text(json.dumps({**header.to_json(), "counts": {}}))
        subprocess.run([sys.executable, "-c", READ, folder], check=True)


def _rows(schema: pa.Schema) -> Iterator[pa.Table]:
    rng = np.random.default_rng(0)
    for start in range(0, ROWS, tables.ROW_GROUP):
        numbers = range(start, min(start + tables.ROW_GROUP, ROWS))
        yield pa.table({field.name: _column(field, numbers, rng) for field in schema}, schema=schema)


def _column(field: pa.Field, numbers: range, rng: np.random.Generator) -> pa.Array:
    count = len(numbers)
    if field.name in ("key", "sequence", "frame", "shard"):
        parts = [(f"S{n // IN_SEQUENCE:06d}", f"{n % IN_SEQUENCE:06d}", n % IN_SEQUENCE // IN_SHARD) for n in numbers]
        made = {"key": "{0}/{1}", "sequence": "{0}", "frame": "{1}", "shard": "{0}-{2:03d}"}[field.name]
        return pa.array([made.format(*part) for part in parts])
    if field.type == pa.binary(32):
        return pa.FixedSizeBinaryArray.from_buffers(field.type, count, [None, pa.py_buffer(rng.bytes(32 * count))])
    if field.type == pa.float64():
        return pa.array(rng.random(count))
    if pa.types.is_integer(field.type):
        return pa.array(rng.integers(0, 3_000_000, count), field.type)
    if field.type == pa.bool_():
        return pa.array(np.zeros(count, bool))
    return pa.array([rng.bytes(32).hex() if field.name == "origin" else ""] * count)
