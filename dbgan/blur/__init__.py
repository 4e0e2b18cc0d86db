"""Blur models: averaging (Eqs. 2 and 4), kernels (Eq. 3), the camera after them, and one interface for all.

The names below are loaded when they are first used, so that `import dbgan.blur` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbgan.blur.average import average_frames as average_frames
    from dbgan.blur.average_blur import AverageBlur as AverageBlur
    from dbgan.blur.camera_blur import Camera as Camera
    from dbgan.blur.camera_blur import CameraBlur as CameraBlur
    from dbgan.blur.compose import again as again
    from dbgan.blur.compose import make as make
    from dbgan.blur.kernel_blur import KernelBlur as KernelBlur
    from dbgan.blur.kernels import apply_kernel as apply_kernel
    from dbgan.blur.model import Blur as Blur
    from dbgan.blur.model import Record as Record
    from dbgan.blur.model import run as run
    from dbgan.blur.model import stride_of as stride_of
    from dbgan.blur.model import window_of as window_of
    from dbgan.blur.sensor import Sensor as Sensor
    from dbgan.blur.sensor import camera as camera

_HOMES = {
    "AverageBlur": "dbgan.blur.average_blur",
    "Blur": "dbgan.blur.model",
    "Camera": "dbgan.blur.camera_blur",
    "CameraBlur": "dbgan.blur.camera_blur",
    "KernelBlur": "dbgan.blur.kernel_blur",
    "Record": "dbgan.blur.model",
    "Sensor": "dbgan.blur.sensor",
    "again": "dbgan.blur.compose",
    "apply_kernel": "dbgan.blur.kernels",
    "average_frames": "dbgan.blur.average",
    "camera": "dbgan.blur.sensor",
    "make": "dbgan.blur.compose",
    "run": "dbgan.blur.model",
    "stride_of": "dbgan.blur.model",
    "window_of": "dbgan.blur.model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    return getattr(importlib.import_module(_HOMES[name]), name)
