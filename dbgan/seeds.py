"""Counter-based random numbers: every draw is a function of (seed, purpose, key, variant or step) and of nothing else.

No global state, no worker count, no order: two machines that ask for the same draw get the same numbers.
"""

from __future__ import annotations

import hashlib

import numpy as np


def digest_seed(seed: int, purpose: str, *parts: str | int) -> int:
    """A 64-bit seed from (seed, purpose, parts). Strings and integers are kept apart, so `1` and `"1"` differ."""
    text = "\x1f".join([str(int(seed)), purpose, *(f"{type(p).__name__}:{p}" for p in parts)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def generator(seed: int, purpose: str, *parts: str | int) -> np.random.Generator:
    """A numpy generator (Philox, counter-based) for one purpose and key.

    >>> float(generator(7, "noise", "SEQ/000001", 0).standard_normal()) == float(
    ...     generator(7, "noise", "SEQ/000001", 0).standard_normal())
    True
    """
    return np.random.Generator(np.random.Philox(key=digest_seed(seed, purpose, *parts)))
