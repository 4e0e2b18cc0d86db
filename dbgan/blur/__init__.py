"""Blur models: averaging (Eqs. 2 and 4), kernels (Eq. 3), the camera after them, and one interface for all.

The names below are loaded when they are first used, so that `import dbgan.blur` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbgan.blur.average import average_frames as average_frames
    from dbgan.blur.kernel_blur import KernelBlur as KernelBlur
    from dbgan.blur.kernels import apply_kernel as apply_kernel
    from dbgan.blur.model import Blur as Blur
    from dbgan.blur.model import Record as Record
    from dbgan.blur.sensor import Sensor as Sensor
    from dbgan.blur.sensor import camera as camera

_HOMES = {
    "average_frames": "dbgan.blur.average",
    "KernelBlur": "dbgan.blur.kernel_blur",
    "apply_kernel": "dbgan.blur.kernels",
    "Blur": "dbgan.blur.model",
    "Record": "dbgan.blur.model",
    "Sensor": "dbgan.blur.sensor",
    "camera": "dbgan.blur.sensor",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    return getattr(importlib.import_module(_HOMES[name]), name)
