"""Freed memory stays with the process: pages that go back to the system and come again cost more than hashing."""

from __future__ import annotations

import contextlib
import ctypes
import functools

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h."""
_KEPT = 512 << 20
_MAPPED = 32 << 20
"""The largest that glibc takes: larger blocks come from the system, one by one."""


@functools.cache
def keep_freed_memory() -> None:
    """Have glibc's malloc keep up to 512 MB of freed memory, and take blocks of up to 32 MB from what it keeps.

    A decoded 720p picture is 700 pages. Given back and taken again for every picture, each page costs a fault (3 ms a
    picture in a virtual machine, in which the threads wait for each other), though the peak is the same. Changes no
    byte. Elsewhere (musl, macOS) nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _MAPPED)
