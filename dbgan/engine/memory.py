"""Freed memory stays with the process: pages that go back to the system and come again cost more than hashing."""

from __future__ import annotations

import contextlib
import ctypes
import functools

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
"""M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_MAX of malloc.h."""
_KEPT = 512 << 20
_HEAP = 64 << 20
"""Heaps of all threads but the first are of this size. With as much padding, none is given back when it is empty."""


@functools.cache
def keep_freed_memory() -> None:
    """Have glibc's malloc keep up to 512 MB of freed memory in each thread, and take large blocks from what it keeps.

    A decoded 720p picture is 700 pages; what a layer of 64 channels makes of a tile is 4,000 to 12,000. Given back and
    taken again, each costs a fault: 3 ms a picture, and a fifth of a network's time. Changes no byte. Elsewhere (musl,
    macOS) nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_TOP_PAD, _HEAP)
        mallopt(_MMAP_MAX, 0)
