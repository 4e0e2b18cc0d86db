"""A machine without memory is no fault of a picture: nothing that is fine becomes a reject."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dbgan.errors import ImageError
from dbgan.image import codec
from tests.conftest import PROJECT

CODE = """
import resource
import sys
from pathlib import Path

import numpy as np

from dbgan.errors import MemoryShortageError
from dbgan.image.codec import decode

data = Path(sys.argv[1]).read_bytes()
decode(data)  # everything is loaded and has its threads
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (4 << 20), used + (4 << 20)))
try:
    print(decode(data).shape)
except MemoryShortageError as error:
    print("told:", error)
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits an address space by RLIMIT_AS and reads /proc")
def test_a_picture_that_does_not_fit_into_memory_is_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((6000, 6000, 3), np.uint8))[1].tobytes())
    done = subprocess.run([sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, cwd=PROJECT)
    assert done.stdout.startswith("told: not enough memory to decode a picture of 6000x6000 px"), (
        done.stdout + done.stderr
    )


def test_a_decoder_that_asks_for_more_than_there_is_reason_for_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()

    def greedy(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(codec.cv2, "imdecode", greedy)
    with pytest.raises(ImageError, match="too_large: png: its decoder asks for more memory"):
        codec.decode(data, min_side=1)
