"""Fixtures: a project with a source, and one with trained weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgan.networks import generator, save_weights
from tests.synthesize.tiny import make_source

FRAMES = {"street": [f"{n:03d}" for n in range(1, 6)], "park": ["001", "002", "drop3"], "held": ["001"]}


@pytest.fixture
def datasets(tmp_path: Path) -> Path:
    """`datasets/` with the source `city`: 7 train frames in 2 sequences, a dropped frame, a val sequence."""
    make_source(tmp_path / "datasets", "city", FRAMES, splits={"held": "val"})
    return tmp_path / "datasets"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """`models/` with the weights of a tiny BGAN called `g`."""
    network = generator("bgan", blocks=1, width=8, seed=3)
    save_weights(tmp_path / "models/bgan/g/weights.safetensors", network)
    return tmp_path / "models"
