"""A project with one ingested source of blurry pictures, small enough to be made in a moment."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.conftest import PROJECT
from tests.tiny_corpora import Tiny, moved, scene, write

SOURCE = "phones"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Its root: params.yaml with a comment, and the corpus of two devices, three sequences, twelve pictures."""
    return make_project(tmp_path, 12)


def make_project(root: Path, count: int) -> Path:
    """A project whose source has `count` pictures, each blurrier than the one before it."""
    samples = []
    for i in range(count):
        picture = moved(scene(i % 40), 1 + i % 24)
        picture[:2, :8] = [i % 256, i // 256, 7]  # no two are equal
        device = "Pixel 8" if i % 3 else "iPhone XS"
        samples.append(Tiny(f"walk-{i % 3}/{i:05d}", {"blur": picture}, device))
    write(root / "datasets" / "train" / SOURCE, "blurry", samples)
    params = yaml.safe_load((PROJECT / "params.yaml").read_text())
    text = (
        "# what people wrote here stays\n"
        "sources:\n"
        f"  {SOURCE}:\n"
        "    use: train\n"
        f"    root: datasets/raw/{SOURCE}\n"
        "    ingest: {layout: captures}\n"
        "    curate:\n"
        "      min_side: 64 # px\n"
        "      val_fraction: 0.0\n"
        "  walks: {use: test, root: datasets/raw/walks, ingest: {layout: captures}, curate: {}}\n"
    )
    for model in params["bgan"].values():
        model |= {"sharp": [SOURCE], "synthetic": [SOURCE], "real": [SOURCE]}
    for made in params["synthesize"].values():
        made["sharp"] = [SOURCE]
    for audit in params["audit"].values():
        audit |= {"real": [SOURCE], "pairs": [SOURCE]}
    params["dbgan"]["common"]["pairs"] = [SOURCE]
    rest = {k: v for k, v in params.items() if k not in ("sources", "samples")}
    (root / "params.yaml").write_text(text + yaml.safe_dump(rest))
    return root
