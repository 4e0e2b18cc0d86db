"""Freed memory stays."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys, threading
import numpy as np
if sys.argv[1] == "kept":
    from dbgan.engine.memory import keep_freed_memory
    keep_freed_memory()
size, count, thread = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "thread"
def work():
    for _ in range(5):
        kept = [np.ones(size, np.uint8) for _ in range(count)]
        for _ in range(5):  # as layers follow each other
            block = np.ones(size, np.uint8)
            block = np.ones(size, np.uint8)
        del kept, block
def faults():
    work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    work()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
if thread:
    threading.Thread(target=faults).start()
else:
    faults()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc")
@pytest.mark.parametrize(
    ("size", "count", "thread"),
    [
        (2_700_000, 12, "first"),  # decoded pictures of 720p
        (17_000_000, 2, "first"),  # what layers make of tiles of 360 px
        (17_000_000, 2, "thread"),
        (46_000_000, 2, "first"),  # and of 600 px
        (46_000_000, 2, "thread"),
    ],
)
def test_freed_memory_comes_again_without_page_faults(size: int, count: int, thread: str) -> None:
    def faults(how: str) -> int:
        arguments = [sys.executable, "-c", SCRIPT, how, str(size), str(count), thread]
        return int(subprocess.run(arguments, capture_output=True, check=True, text=True).stdout)

    assert faults("kept") < 100 < 1000 < faults("given back")
