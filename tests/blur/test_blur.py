"""The package as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

import dbgan.blur

HIDING = """
import sys
for name in ("ray", "dvc", "webdataset", "pillow_heif", "torch", "pydantic", "scipy"):
    sys.modules[name] = None  # importing it raises ImportError
import numpy as np
from dbgan.blur import AverageBlur, Blur, CameraBlur, KernelBlur, Record, Sensor, again, apply_kernel
from dbgan.blur import average_frames, camera, make, run
image = np.zeros((32, 32, 3), np.uint8)
print(CameraBlur(KernelBlur(grid=2))(image, seed=0, key="a/b", variant=0)[1].method, average_frames([image]).shape)
"""


def test_blurs_work_without_ray_dvc_webdataset_pillow_heif_torch_and_pydantic() -> None:
    done = subprocess.run([sys.executable, "-c", HIDING], capture_output=True, text=True, check=False)

    assert done.stdout.split() == ["kernel", "(32,", "32,", "3)"], done.stderr


def test_an_unknown_name_is_an_attribute_error_that_lists_what_there_is() -> None:
    with pytest.raises(AttributeError, match=r"has no attribute 'blurr'; it has .*KernelBlur"):
        dbgan.blur.blurr  # noqa: B018
