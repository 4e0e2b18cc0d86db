"""A photograph of 12 megapixels by tiles through a whole corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dbgan.corpus import Corpus
from dbgan.image.codec import encode
from dbgan.ingest import ingest
from dbgan.networks import generator, save_weights
from dbgan.params import IngestParams
from dbgan.synthesize import BganBlur, blur_corpus

HEIGHT, WIDTH = 3024, 4032


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """One photograph, as a paired corpus: random blocks of 8 px, so that an error of a pixel anywhere is seen."""
    cells = np.random.default_rng(0).integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8)
    data = encode(cells.repeat(8, axis=0).repeat(8, axis=1), "png")
    for half in ("blur", "sharp"):
        path = tmp_path / "raw/GOPR0001_11_00" / half / "000001.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    params = IngestParams(layout="gopro", blur="blur", quality=False)
    ingest("large", params, tmp_path / "raw", tmp_path / "datasets/large")
    return tmp_path / "datasets/large"


@pytest.mark.slow
def test_twelve_megapixels_by_tiles_are_the_whole_picture(source: Path, tmp_path: Path) -> None:
    weights = tmp_path / "g/weights.safetensors"
    save_weights(weights, generator("bgan", blocks=1, width=8, seed=3))
    settings = {"tile": 512, "quality": False}

    blur_corpus(source, tmp_path / "datasets/out", weights=weights, settings=settings)

    corpus = Corpus.open(tmp_path / "datasets/out")
    pair = corpus["GOPR0001_11_00/000001-v0"]
    assert pair.images["blur"].shape == (HEIGHT, WIDTH, 3)
    assert corpus.verify() == []
    whole = BganBlur(weights, tile=8192).blur(pair.images["sharp"], tuple(pair.meta["noise"]))
    assert np.array_equal(pair.images["blur"], whole)
    assert (whole != pair.images["sharp"]).mean() > 0.5
