"""`python -m tests.fuzz --seconds N [--seed S]`: damage pictures, clips, tars and corpora until time is up.

The first escape ends it with exit code 1. What escaped is printed with its seed and edits, enough to make a test of it.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.mutate import KINDS, Edit, mutated
from tests.fuzz.targets import build, containers, pictures, read_container, read_corpus, read_picture


def main() -> int:
    """Run until the time is up; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    end, runs = time.monotonic() + options.seconds, 0
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["DBGAN_STATE"] = f"{scratch}/state"
        folder = Path(scratch) / "tiny"
        whole, files, holders = build(folder), pictures(), containers(Path(scratch))
        while time.monotonic() < end:
            edits = [(draw.choice(KINDS), draw.random(), draw.randrange(256)) for _ in range(draw.randint(1, 8))]
            kind = draw.random()
            if kind < 0.2:
                name = draw.choice(sorted(holders))
                path = Path(scratch) / f"damaged{name}"
                path.write_bytes(mutated(holders[name], edits))
                escaped = _escaped(lambda path=path: read_container(path))  # type: ignore[misc]
            elif kind < 0.8:
                name = draw.choice(sorted(files))
                hurt = mutated(files[name], edits)
                escaped = _escaped(lambda hurt=hurt: read_picture(hurt))  # type: ignore[misc]
            else:
                name = draw.choice(sorted(whole))
                (folder / name).write_bytes(mutated(whole[name], edits))
                escaped = _escaped(lambda: read_corpus(folder))
                (folder / name).write_bytes(whole[name])
            runs += 1
            if escaped:
                return _report(name, edits, escaped)
    print(f"{runs} damaged inputs, seed {options.seed}: nothing but the package's own errors")
    return 0


def _escaped(run: Callable[[], object]) -> str:
    try:
        run()
    except Exception:  # whatever it is, it should not have come out
        return traceback.format_exc()
    return ""


def _report(name: str, edits: list[Edit], escaped: str) -> int:
    print(f"{escaped}\n{name} with the edits {edits}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
