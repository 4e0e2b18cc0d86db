"""GPU nodes often lack ray, dvc, webdataset and pillow-heif: networks and what trains them import without."""

from __future__ import annotations

import subprocess
import sys

ABSENT = ("ray", "dvc", "webdataset", "pillow_heif")


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_networks_import_without_packages_that_gpu_nodes_lack() -> None:
    block = "".join(f"sys.modules[{name!r}] = None\n" for name in ABSENT)
    out = run(
        f"import sys\n{block}import dbgan.networks.weights, dbgan.networks.features, dbgan.networks.tiles\n"
        "import dbgan.train.losses, dbgan.evaluate.metrics, dbgan.restore\n"
        "print(dbgan.networks.generator('bgan', blocks=1, width=4).kind)"
    )
    assert out == "bgan\n"


def test_importing_the_package_alone_leaves_torch_aside() -> None:
    code = "import sys, dbgan.networks, dbgan.train, dbgan.evaluate\nprint('torch' in sys.modules)"
    assert run(code) == "False\n"


def test_every_public_name_is_found_and_others_are_not() -> None:
    import dbgan.networks as networks

    assert all(callable(getattr(networks, name)) or name == "NOISE_CHANNELS" for name in networks.__all__)
    assert set(networks.__all__) == set(networks._HOMES)
    assert not hasattr(networks, "nothing")
