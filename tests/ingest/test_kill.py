"""Ingest killed at any of its file operations, and run again: the bytes of an undisturbed run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dbgan.ingest import ingest

from .conftest import GOPRO

PROJECT = Path(__file__).resolve().parent.parent.parent

# The child counts its renames and syncs (each ends a step that a killed run may stop at) and kills itself at the n-th.
CHILD = """
import os, signal, sys
from pathlib import Path

left = int(sys.argv[3])

def counted(function):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)
    return call

for name in ("rename", "replace", "fsync"):
    setattr(os, name, counted(getattr(os, name)))

from dbgan.ingest import ingest
from tests.ingest.conftest import GOPRO

ingest("toy", GOPRO, Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.parametrize("operation", [0, 1, 3, 6, 11])
def test_killed_ingest_is_finished_by_the_next_run(
    operation: int, gopro_root: Path, tmp_path: Path, snapshot: Callable[[Path], dict[str, bytes]]
) -> None:
    ingest("toy", GOPRO, gopro_root, tmp_path / "undisturbed")
    out = tmp_path / "killed"
    child = [sys.executable, "-c", CHILD, str(gopro_root), str(out), str(operation)]
    killed = subprocess.run(child, cwd=PROJECT, env=dict(os.environ), capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (out / "corpus.json").exists()
    report = ingest("toy", GOPRO, gopro_root, out)
    assert report.built + report.reused == len(list(out.glob("*.tar")))
    assert snapshot(out) == snapshot(tmp_path / "undisturbed")
