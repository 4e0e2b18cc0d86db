"""Freed memory stays."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
if sys.argv[1] == "kept":
    from dbgan.engine.memory import keep_freed_memory
    keep_freed_memory()
def work():
    for _ in range(20):
        [np.ones(2_700_000, np.uint8) for _ in range(12)]
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc")
def test_freed_memory_comes_again_without_page_faults() -> None:
    def faults(how: str) -> int:
        return int(
            subprocess.run([sys.executable, "-c", SCRIPT, how], capture_output=True, check=True, text=True).stdout
        )

    assert faults("kept") < 100 < 1000 < faults("given back")
