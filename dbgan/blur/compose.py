"""From parameters to a blur, and from a record back to its picture: what a corpus builder calls.

`make(model, params, learned)` composes the whole blur: the model of that name, seen by the camera of
`params.camera`. `window_of`, `stride_of` and `run` of `dbgan.blur.model` then serve it, whatever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.average_blur import AverageBlur, average_of
from dbgan.blur.calibration import read_calibration
from dbgan.blur.camera_blur import Camera, CameraBlur, photograph, photograph_again
from dbgan.blur.frames import Interpolator, interpolator_of
from dbgan.blur.kernel_blur import KernelBlur, blur_again
from dbgan.blur.model import Blur, LightBlur, Record
from dbgan.errors import ParamsError

if TYPE_CHECKING:
    # Only named: pydantic is not needed to blur.
    from dbgan.params.synthesis import SynthesizeParams


def make(model: str, params: SynthesizeParams, learned: Blur | None = None) -> Blur:
    """The blur that parameters describe.

    Args:
        model: `kernel`, `average`, or `bgan`, which needs `learned`.
        params: `kernel`, `average` and `camera` are read.
        learned: the trained generator as a blur (`dbgan.synthesize.learned.BganBlur`); it lives above this package.

    Raises:
        ParamsError: another model, or `bgan` without `learned`.
        DbganError: the file of camera constants is missing or damaged; there is no such interpolator.
    """
    inner: Blur
    if model == "kernel":
        inner = KernelBlur(**params.kernel.model_dump())
    elif model == "average":
        settings = params.average.model_dump(exclude={"interpolator"})
        inner = AverageBlur(**settings, interpolator=interpolator_of(params.average.interpolator))
    elif model == "bgan" and learned is not None:
        inner = learned
    else:
        raise ParamsError(f"blur model {model!r}: expected kernel, average, or bgan with a trained generator.")
    cameras = _cameras(params)
    return CameraBlur(inner, cameras) if cameras else inner


def again(
    record: Record,
    frames: Sequence[NDArray[np.uint8]],
    paint: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None,
    interpolator: Interpolator | None = None,
) -> NDArray[np.uint8]:
    """Make a picture again from its record alone, bit-exact under the same codec and numpy versions.

    Args:
        record: its parameters may have been through JSON.
        frames: the sharp picture alone, or the window of an average.
        paint: for methods other than kernel and average: the trained generator under the record's noise.
        interpolator: of an average that was made with one that is not built in.

    Returns:
        HWC uint8 RGB.

    Raises:
        ValueError: the method needs `paint`, or another interpolator.
    """
    photographed = record.parameters.get("camera")
    if record.method in ("kernel", "average"):
        average = average_of(record.parameters, interpolator) if record.method == "average" else None
        if photographed:
            light: LightBlur = average or KernelBlur()
            return photograph(light, frames, record.parameters)
        if average is not None:
            return average.of_frames(frames, seed=0, key="", variant=0)[0]
        return blur_again(frames[0], record.parameters)
    if paint is None:
        raise ValueError(f"method {record.method!r} needs the generator that painted the picture")
    picture = paint(frames[0])
    return photograph_again(picture, photographed) if photographed else picture


def _cameras(params: SynthesizeParams) -> tuple[tuple[str, Camera], ...]:
    named = params.camera
    if not isinstance(named, str):
        return (("given", Camera(**named.model_dump())),)
    if named == "none":
        return ()
    if named == "default":
        return (("default", Camera()),)
    return tuple((name, constants.camera()) for name, constants in sorted(read_calibration(Path(named)).items()))
