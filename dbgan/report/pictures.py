"""Pictures for the page: shrunk, coded as WebP or kept as PNG, whichever is smaller, and embedded as data URIs."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.errors import ImageError
from dbgan.image.codec import decode, encode_to_show
from dbgan.report.inputs import Inputs, Root


@dataclass(frozen=True, slots=True)
class Fit:
    """How much the pictures may weigh.

    Attributes:
        quality: of WebP.
        side: longest, px.
        scenes: most test scenes, and most real captures, that are shown.
        sheets: whether contact sheets of corpora and samples of restorers are shown.
    """

    quality: int
    side: int
    scenes: int = 1000
    sheets: bool = True

    @property
    def weight(self) -> float:
        """About how many bytes a large picture takes, of those at the first step of the ladder."""
        return QUALITIES[self.quality] * (self.side / LADDER[0].side) ** 2


QUALITIES = {92: 1.0, 86: 0.68, 80: 0.52, 72: 0.4, 60: 0.32, 50: 0.27}
"""Quality of WebP -> bytes of a photograph, of those at 92."""


LADDER = (
    Fit(92, 1600),
    Fit(86, 1280),
    Fit(80, 960),
    Fit(72, 640),
    Fit(60, 400),
    Fit(60, 400, 16, sheets=False),
    Fit(50, 320, 4, sheets=False),
)
"""Tried in this order until the page fits its limit of bytes."""


def following(fit: Fit, size: int, limit: int) -> Fit | None:
    """The next step of the ladder after one whose page has `size` bytes, without those that cannot be enough; None
    after the last."""
    left = LADDER[LADDER.index(fit) + 1 :]
    promising = (step for step in left if size * step.weight / fit.weight <= limit)
    return next(promising, left[-1] if left else None)


CRISP = 4
"""A PNG of so many times the bytes of its WebP is no drawing."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture on the page.

    Attributes:
        uri: `data:` URI.
        alt: what it shows, in words.
        width, height: px of the embedded picture, so that the page does not jump while it loads.
    """

    uri: str
    alt: str
    width: int
    height: int


def embed(pixels: NDArray[np.uint8], alt: str, fit: Fit, *, png: bytes | None = None) -> Picture:
    """A picture as a `Picture`.

    Args:
        pixels: HWC uint8 RGB.
        alt: what it shows.
        fit: limits.
        png: the PNG file that holds these pixels, if there is one. It is kept where it need not be shrunk and is not
            `CRISP` times its WebP: drawn figures stay crisp, photographs become WebP.
    """
    height, width = pixels.shape[:2]
    scale = fit.side / max(height, width)
    if scale < 1:
        png = None
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    coded = encode_to_show(pixels, fit.quality)
    kind, chosen = ("png", png) if png is not None and len(png) < CRISP * len(coded) else ("webp", coded)
    return Picture(f"data:image/{kind};base64,{base64.b64encode(chosen).decode()}", alt, width, height)


@dataclass
class Album:
    """Reads and embeds pictures below `reports`, all at one `fit`; notes those that are absent or damaged."""

    inputs: Inputs
    fit: Fit

    def pixels(self, relative: str, stage: str, root: Root = "reports") -> NDArray[np.uint8] | None:
        """HWC uint8 RGB of the picture at `root/relative`, or None, noted among the missing inputs."""
        data = self.inputs.data(root, relative, stage)
        return None if data is None else self._decoded(data, relative, stage, root)

    def embedded(self, pixels: NDArray[np.uint8], alt: str) -> Picture:
        """Pixels as a picture of the page."""
        return embed(pixels, alt, self.fit)

    def figure(self, relative: str, alt: str, stage: str, root: Root = "reports") -> Picture | None:
        """The picture file at `root/relative`, or None, noted among the missing inputs."""
        data = self.inputs.data(root, relative, stage)
        pixels = None if data is None else self._decoded(data, relative, stage, root)
        if data is None or pixels is None:
            return None
        return embed(pixels, alt, self.fit, png=data if data.startswith(b"\x89PNG") else None)

    def sheet(self, relative: str, alt: str, stage: str, root: Root = "reports") -> Picture | None:
        """`figure`, or None where the fit leaves contact sheets and samples out."""
        return self.figure(relative, alt, stage, root) if self.fit.sheets else None

    def _decoded(self, data: bytes, relative: str, stage: str, root: Root = "reports") -> NDArray[np.uint8] | None:
        try:
            return decode(data)
        except ImageError as error:
            self.inputs.note(root, relative, f"cannot be read as a picture ({error})", stage)
            return None
