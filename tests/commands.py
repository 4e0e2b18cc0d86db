"""`dbgan` called as a user calls it, and small inputs for its verbs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner, Result

from dbgan import cli


def dbgan(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def texture(seed: int, height: int = 40, width: int = 48) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def gopro_folder(root: Path) -> Path:
    """Two sequences of two pairs in GOPRO's layout, and a blurry frame without its twin."""
    for number, sequence in enumerate(("GOPR0001_07_00", "GOPR0002_07_00")):
        for frame in (1, 2):
            for half in ("blur", "sharp"):
                save(root / sequence / half / f"{frame:06d}.png", texture(10 * number + frame + len(half)))
    save(root / "GOPR0002_07_00" / "blur" / "000003.png", texture(99))
    return root


def ingested_corpus(raw: Path, out: Path) -> Path:
    """The corpus that `dbgan ingest` makes of `gopro_folder`."""
    done = dbgan("ingest", raw, out, "--layout", "gopro", "--set", "blur=blur", "--set", "max_reject_fraction=0.5")
    assert done.exit_code == 0, done.output
    return out


def identity_weights(path: Path) -> Path:
    """An untrained network that returns its input: its last layer is zero."""
    from dbgan.networks import generator, save_weights

    save_weights(path, generator("dbgan", block="plain", blocks=1, width=4, init="zero_last"))
    return path
