"""The interface of every blur: a sharp image and seeded parameters in, a blurry image and what was done out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Record:
    """What made one blurry image; it goes into the manifest.

    Attributes:
        method: the blur's name, such as "kernel" or "bgan".
        noise: BGAN's z; empty for blurs that have none.
        parameters: JSON-able, sufficient to make the image again from its sharp one.
    """

    method: str
    noise: tuple[float, ...]
    parameters: dict[str, Any]


class Blur(Protocol):
    """Anything that maps a sharp image to a blurry one. Picklable; weights are loaded by the builder, not here."""

    @property
    def name(self) -> str:
        """As in `Record.method`."""

    @property
    def revision(self) -> int:
        """Raised by hand when the bytes that the same settings give change; part of the recipe."""

    def describe(self) -> dict[str, Any]:
        """JSON-able settings that determine the output together with (seed, key, variant); part of the recipe."""

    def __call__(
        self, sharp: NDArray[np.uint8], *, seed: int, key: str, variant: int
    ) -> tuple[NDArray[np.uint8], Record]:
        """Blur one image.

        Args:
            sharp: HWC uint8 RGB.
            seed: of the corpus.
            key: `SEQUENCE/FRAME` of the sharp image.
            variant: index of the blurry version, from 0.

        Returns:
            The blurry image, same shape, and its record. Equal arguments give equal bytes.
        """
