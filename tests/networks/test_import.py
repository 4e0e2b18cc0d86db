"""What importing the package brings along, and what it offers."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_package_alone_leaves_torch_aside() -> None:
    code = "import sys, dbgan.networks, dbgan.train, dbgan.evaluate\nprint('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_every_public_name_is_found_and_others_are_not() -> None:
    import dbgan.networks as networks

    assert all(callable(getattr(networks, name)) or name == "NOISE_CHANNELS" for name in networks.__all__)
    assert set(networks.__all__) == set(networks._HOMES)
    assert not hasattr(networks, "nothing")
