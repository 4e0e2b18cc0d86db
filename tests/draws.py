"""Random numbers of tests: each test begins with the same ones, whichever tests ran before it."""

from __future__ import annotations

import numpy as np

RNG = np.random.default_rng(0)
_BEGIN = RNG.bit_generator.state


def begin() -> None:
    RNG.bit_generator.state = _BEGIN
