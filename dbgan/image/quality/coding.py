"""What JPEG did to a picture: the quality of its file, and the blocks that can be seen."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

# ITU-T T.81, table K.1 (luminance), in zigzag order.
_STANDARD = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
    60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113,
    121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip
_STEP = 8
_SKIPPED = {0x01, *range(0xD0, 0xD8)}


def jpeg_quality(data: bytes) -> float | None:
    """Quality 1 to 100 of a JPEG file on libjpeg's scale; None for anything else, or without a luminance table.

    The quality whose scaled standard table (T.81 K.1, libjpeg's `jpeg_quality_scaling`) is nearest to the file's first
    quantisation table in mean relative difference. Exact for files of libjpeg; cameras with their own tables get the
    nearest.
    """
    table = _luma_table(data)
    if table is None:
        return None
    differences = (np.abs(_scaled() - table) / _scaled()).sum(axis=1)
    return float(int(np.argmin(differences)) + 1)


def blocking(luma: NDArray[np.uint8]) -> float:
    """How much larger the steps between 8x8 blocks are than those inside: 1.0 where there are no blocks.

    Per axis, the mean absolute step at every eighth border over that at the other seven, the largest of all eight
    phases (turned and cropped pictures start anywhere); the mean of both axes. As B of Wang, Sheikh and Bovik,
    "No-reference perceptual quality assessment of JPEG compressed images" (2002), over its activity. Integers, exact.
    1.0 for pictures with a side under 32 px.
    """
    if min(luma.shape) < 4 * _STEP:
        return 1.0
    across = cv2.reduce(cv2.absdiff(luma[:, 1:], luma[:, :-1]), 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
    down = cv2.reduce(cv2.absdiff(luma[1:], luma[:-1]), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel()
    return (_ratio(across.astype(np.int64)) + _ratio(down.astype(np.int64))) / 2


def _ratio(steps: NDArray[np.int64]) -> float:
    whole = steps[: steps.size // _STEP * _STEP].reshape(-1, _STEP)
    phases = whole.sum(axis=0)
    total = int(phases.sum())
    highest = int(phases.max())
    others = total - highest
    return (_STEP - 1) * highest / others if others else 1.0


@functools.cache
def _scaled() -> NDArray[np.int64]:
    """libjpeg's luminance tables of the qualities 1 to 100, (100, 64)."""
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    return np.asarray(np.clip((np.array(_STANDARD) * scale[:, None] + 50) // 100, 1, 255), dtype=np.int64)


def _luma_table(data: bytes) -> NDArray[np.int64] | None:
    """The first quantisation table with the id 0, 64 values in zigzag order."""
    position = 2
    while data.startswith(b"\xff\xd8") and position + 4 <= len(data) and data[position] == 0xFF:
        code = data[position + 1]
        if code == 0xFF or code in _SKIPPED:
            position += 1 if code == 0xFF else 2
            continue
        if code in (0xD9, 0xDA):
            return None
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        payload = data[position + 4 : position + 2 + length]
        while code == 0xDB and payload:
            size = 1 + 64 * (1 + (payload[0] >> 4))
            if payload[0] & 15 == 0 and len(payload) >= size:
                kind = ">u2" if payload[0] >> 4 else "u1"
                return np.frombuffer(payload[1:size], dtype=kind).astype(np.int64)
            payload = payload[size:]
        position += 2 + max(2, length)
    return None
