"""What a camera does to light after the blur: saturation, shot and read noise, white balance, mosaic, tone, JPEG.

The order is RSBlur's (Rim et al., ECCV 2022), whose ablation on real blur gives averaging 30.12 dB, with noise 31.77,
with saturation 31.83, with Poisson noise and ISP 32.06: the chain matters more than better averaging.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.blur.response import Response, check_image, from_linear, linear_table, to_uint8

Mosaic = Literal["", "RGGB", "BGGR", "GRBG", "GBRG"]
BAND = 64
"""Rows that are worked on at a time: of 12 megapixels each copy in float64 takes 290 MB. Even, as Bayer patterns are;
no byte depends on it."""
HALO = 2
"""Rows around them that demosaicing looks at."""
SATURATED = 250
"""Stored values from here on may have been brighter than the picture can say."""


@dataclass(frozen=True, slots=True)
class Sensor:
    """Constants of one camera. The defaults are RSBlur's.

    Attributes:
        shot: a of the noise variance a x + b, of raw signal x in [0, 1]; 8.9e-5 in daylight, 1e-3 at high ISO.
        read: b of it; 2.9e-5 in daylight.
        white_balance: gains of R, G, B, each at least 1; RSBlur draws R from 1.9 to 2.4 and B from 1.5 to 1.9.
        saturation: light added where the picture is clipped (full well = 1), before the sensor clips again; RSBlur
            draws from 0.25 to 1.75. 0 switches it off.
        mosaic: Bayer pattern, sampled and interpolated again; "" for none.
        tone: strength of an S-shaped tone curve on the stored values, 0 (none) to 1.
        jpeg_quality: 1 to 100; 0 for none. 4:2:0 chroma, as phones write.
        response: the curve of the picture.
    """

    shot: float = 8.9e-5
    read: float = 2.9e-5
    white_balance: tuple[float, float, float] = (2.0, 1.0, 1.7)
    saturation: float = 0.0
    mosaic: Mosaic = ""
    tone: float = 0.0
    jpeg_quality: int = 0
    response: Response = "srgb"

    def __post_init__(self) -> None:
        if self.shot < 0 or self.read < 0 or self.saturation < 0:
            raise ValueError(f"shot, read and saturation are at least 0: {self}")
        if min(self.white_balance) < 1:
            raise ValueError(f"white balance gains are at least 1, found {self.white_balance}")
        if self.mosaic not in ("", "RGGB", "BGGR", "GRBG", "GBRG"):
            raise ValueError(f"mosaic {self.mosaic!r} is not one of '', RGGB, BGGR, GRBG, GBRG")
        if not 0 <= self.tone <= 1 or not 0 <= self.jpeg_quality <= 100:
            raise ValueError(f"tone is 0 to 1 and jpeg_quality 0 to 100: {self}")


def camera(image: NDArray[np.uint8], sensor: Sensor, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The picture that `sensor` would have taken of the light in `image`.

    Blur made from light (`expose` and an average or a kernel in between) should call `sense` with that light
    instead: highlights spread only if they are restored before the blur.

    Args:
        image: HWC uint8 RGB.
        sensor: the camera's constants.
        rng: all randomness.

    Returns:
        HWC uint8 RGB, same size.

    Raises:
        ValueError: `image` is not HWC uint8 RGB.
    """
    return sense(expose(image, sensor), sensor, rng)


def expose(image: NDArray[np.uint8], sensor: Sensor) -> NDArray[np.float64]:
    """Light behind a stored picture, HWC float64, with `saturation` given back to pixels clipped in every channel."""
    check_image(image)
    light = linear_table(sensor.response)[image]
    if sensor.saturation > 0:
        light[clipped(image)] += sensor.saturation
    return light


def clipped(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(H, W): where every channel of an HWC uint8 RGB picture may have been brighter than it can say."""
    # Channel by channel: numpy reduces an axis of three at a twentieth of the speed.
    darkest = np.minimum(np.minimum(image[..., 0], image[..., 1]), image[..., 2])
    return np.asarray(darkest >= SATURATED)


def sense(
    light: NDArray[np.float32] | NDArray[np.float64], sensor: Sensor, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """From light to the stored picture: the second half of `camera`.

    Args:
        light: HWC float32 or float64, at least 0; 1 is the full well after white balance.
        sensor: the camera's constants.
        rng: all randomness.
    """
    gains = np.asarray(sensor.white_balance, np.float64)
    signal = np.empty(light.shape[:2] if sensor.mosaic else light.shape)
    # Convolutions of black by Fourier transform end some 1e-17 below it.
    if sensor.mosaic:
        for place, colour in enumerate(sensor.mosaic):
            sites, channel = np.s_[place // 2 :: 2, place % 2 :: 2], "RGB".index(colour)
            signal[sites] = np.maximum(light[..., channel][sites], 0.0) / gains[channel]
    else:
        for rows in _bands(len(light)):
            signal[rows] = np.maximum(light[rows], 0.0) / gains
    noisy = shot_read_noise(signal, sensor.shot, sensor.read, rng)
    picture = np.empty(light.shape, np.uint8)
    for rows in _bands(len(light)):
        stored = from_linear(_balanced(noisy, rows, sensor.mosaic, gains), sensor.response)
        if sensor.tone:
            stored = stored + sensor.tone * (stored * stored * (3.0 - 2.0 * stored) - stored)
        picture[rows] = to_uint8(stored)
    return jpeg_round_trip(picture, sensor.jpeg_quality) if sensor.jpeg_quality else picture


def _bands(height: int) -> Iterator[slice]:
    return (slice(top, min(top + BAND, height)) for top in range(0, height, BAND))


def _balanced(
    noisy: NDArray[np.float64], rows: slice, mosaic: Mosaic, gains: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Rows of the raw picture as RGB light after clipping and white balance."""
    if not mosaic:
        return np.asarray(np.clip(noisy[rows], 0.0, 1.0) * gains)
    top = max(rows.start - HALO, 0)
    sampled = np.clip(noisy[top : rows.stop + HALO], 0.0, 1.0)
    # Balanced before it is interpolated: the gradients that correct one colour by another must be on one scale.
    rgb = demosaic(sampled * gains[bayer_channels(sampled.shape, mosaic)], mosaic)
    return rgb[rows.start - top : rows.stop - top]


def shot_read_noise(
    signal: NDArray[np.float64], shot: float, read: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Raw signal x with Poisson shot noise and Gaussian read noise: mean x, variance `shot` x + `read`.

    Args:
        signal: at least one axis, float64, at least 0, 1 is the full well.
        shot: signal per electron; 0 for none.
        read: variance of the read noise; 0 for none.
        rng: all randomness.
    """
    noisy = np.array(signal, np.float64)
    for rows in _bands(len(noisy)) if shot > 0 else ():
        noisy[rows] = shot * rng.poisson(noisy[rows] / shot)
    for rows in _bands(len(noisy)) if read > 0 else ():
        noisy[rows] += np.sqrt(read) * rng.standard_normal(noisy[rows].shape)
    return noisy


def bayer_channels(shape: tuple[int, ...], mosaic: Mosaic) -> NDArray[np.intp]:
    """Which channel (0 R, 1 G, 2 B) each pixel of an (H, W) mosaic senses."""
    tile = np.array(["RGB".index(c) for c in mosaic], np.intp).reshape(2, 2)
    return np.tile(tile, (shape[0] // 2 + 1, shape[1] // 2 + 1))[: shape[0], : shape[1]]


# Malvar, He and Cutler (ICASSP 2004): bilinear, corrected by the Laplacian of the colour that was sensed. In eighths.
_GREEN = [[0, 0, -1, 0, 0], [0, 0, 2, 0, 0], [-1, 2, 4, 2, -1], [0, 0, 2, 0, 0], [0, 0, -1, 0, 0]]
_ROW = [[0, 0, 0.5, 0, 0], [0, -1, 0, -1, 0], [-1, 4, 5, 4, -1], [0, -1, 0, -1, 0], [0, 0, 0.5, 0, 0]]
_DIAGONAL = [[0, 0, -1.5, 0, 0], [0, 2, 0, 2, 0], [-1.5, 0, 6, 0, -1.5], [0, 2, 0, 2, 0], [0, 0, -1.5, 0, 0]]


def demosaic(sampled: NDArray[np.float64], mosaic: Mosaic) -> NDArray[np.float64]:
    """RGB from a Bayer mosaic by Malvar, He and Cutler's linear filters; exact on constant colours.

    Args:
        sampled: (H, W) float64.
        mosaic: its pattern, not "".

    Returns:
        (H, W, 3) float64, not clipped: the filters overshoot at edges.
    """
    channels = bayer_channels(sampled.shape, mosaic)
    green_at_other, along_row, diagonal = (
        cv2.filter2D(sampled, cv2.CV_64F, np.array(k) / 8.0, borderType=cv2.BORDER_REFLECT_101)
        for k in (_GREEN, _ROW, _DIAGONAL)
    )
    along_column = cv2.filter2D(sampled, cv2.CV_64F, np.array(_ROW).T / 8.0, borderType=cv2.BORDER_REFLECT_101)
    rgb = np.empty((*sampled.shape, 3))
    rgb[..., 1] = np.where(channels == 1, sampled, green_at_other)
    for colour, opposite in ((0, 2), (2, 0)):
        row_has_colour = (channels == colour).any(axis=1, keepdims=True)
        at_green = np.where(row_has_colour, along_row, along_column)
        rgb[..., colour] = np.where(channels == colour, sampled, np.where(channels == opposite, diagonal, at_green))
    return rgb


def jpeg_round_trip(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """HWC uint8 RGB through a baseline 4:2:0 JPEG at `quality` and back."""
    encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)
