"""A tiny project to train on: one paired source, one of captures, one synthetic corpus, and toy parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from dbgan import seeds
from dbgan.corpus.header import Header
from dbgan.corpus.layout import EncodedSample, Kind, Plan, empty_meta, origin_digest, pixel_digest
from dbgan.corpus.selection import write_selection
from dbgan.corpus.tables import finish
from dbgan.corpus.write import write_shard
from dbgan.image.codec import encode
from dbgan.params import BganParams, DbganCommon

Picture = NDArray[np.uint8]
SIDE = (48, 40)
"""Width and height of every picture, px."""

TRAINING = {
    "crop": 32,
    "batch": 2,
    "threads": 1,
    "evaluate_every": 3,
    "checkpoint_every": 2,
    "precision": "fp32",
    "prefetch": 0,
}
NETWORKS = {
    "discriminator": {"width": 4},
    "perceptual": {"weights": "random", "width": 4},
    "training": TRAINING,
}


def sharp_picture(key: str) -> Picture:
    """Coloured rectangles: something with edges to blur."""
    draw = seeds.generator(0, "test-picture", key)
    picture = np.full((SIDE[1], SIDE[0], 3), draw.integers(40, 200, 3), np.uint8)
    for _ in range(12):
        left, top = (int(draw.integers(0, side)) for side in SIDE)
        width, height = (int(v) for v in draw.integers(3, 16, 2))
        picture[top : top + height, left : left + width] = draw.integers(0, 256, 3)
    return picture


def blurred(picture: Picture) -> Picture:
    return np.asarray(cv2.blur(picture, (5, 3)), np.uint8)


def sample(key: str, images: dict[str, Picture], synthesized: bool) -> EncodedSample:
    sequence, frame = key.split("/")
    lineage: dict[str, Any] = {}
    if synthesized:
        names = ("source_corpus", "source_key", "method", "parameters", "generator")
        lineage = {**dict.fromkeys(names, ""), "variant": 0, "noise": [0.0]}
    height, width = next(iter(images.values())).shape[:2]
    identity = {"width": width, "height": height}
    meta = {"key": key, "sequence": sequence, "frame": frame, **identity, **empty_meta(), "origin": origin_digest(key)}
    columns: dict[str, Any] = {**identity, **empty_meta(), "origin": origin_digest(key), **lineage}
    columns |= {f"{field}_pixels_sha256": pixel_digest(image) for field, image in images.items()}
    fields = {field: encode(image, "png") for field, image in images.items()}
    return EncodedSample(key=key, fields=fields, meta={**meta, **lineage}, columns=columns)


def write_corpus(
    folder: Path, kind: Kind, pictures: dict[str, dict[str, Picture]], *, synthesized: bool = False
) -> None:
    """A finished corpus: one shard per sequence."""
    receipts = []
    for sequence in sorted({key.split("/")[0] for key in pictures}):
        keys = [key for key in sorted(pictures) if key.startswith(f"{sequence}/")]
        plan = Plan(shard=f"{sequence}-000", sequence=sequence, recipe="0" * 64, items=tuple(keys))
        samples = [sample(key, pictures[key], synthesized) for key in keys]
        receipts.append(write_shard(folder, plan, kind, "png", samples))
    header = Header(kind, "png", folder.name, {}, {}, synthesized=synthesized, quality=False)
    finish(folder, header, receipts)


def select(folder: Path, splits: dict[str, str]) -> None:
    """Keep every sample; `splits` says which sequence is in which split."""
    rows = []
    for sequence, split in splits.items():
        for frame in FRAMES:
            rows.append(
                {"key": f"{sequence}/{frame}", "sequence": sequence, "split": split, "keep": True, "rule": ""}
                | {"measure": "", "value": 0.0, "limit": 0.0, "reason": "kept"}
            )
    write_selection(folder.parent / f"{folder.name}.selection.parquet", rows)


FRAMES = ("000001", "000002", "000003")


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """datasets/train/{pairs,phones} with selections, and datasets/synthetic/toy."""
    root = tmp_path_factory.mktemp("datasets")
    keys = [f"{sequence}/{frame}" for sequence in ("A", "B", "V") for frame in FRAMES]
    sharp = {key: sharp_picture(key) for key in keys}
    pairs = {key: {"blur": blurred(picture), "sharp": picture} for key, picture in sharp.items()}
    phones = {f"P{key}": {"blur": blurred(blurred(sharp_picture(f"phone {key}")))} for key in keys}
    write_corpus(root / "train" / "pairs", "paired", pairs)
    write_corpus(root / "train" / "phones", "blurry", phones)
    write_corpus(
        root / "synthetic" / "toy", "paired", {f"{k}-v0": v for k, v in pairs.items() if k[0] == "A"}, synthesized=True
    )
    select(root / "train" / "pairs", {"A": "train", "B": "train", "V": "val"})
    select(root / "train" / "phones", {"PA": "train", "PB": "train", "PV": "val"})
    return root


@pytest.fixture
def common() -> DbganCommon:
    generator = {"block": "plain", "blocks": 1, "width": 8, "init": "zero_last"}
    return DbganCommon.model_validate({"pairs": ["pairs"], "generator": generator, **NETWORKS})


@pytest.fixture
def bgan_params() -> BganParams:
    return BganParams.model_validate(
        {
            "sharp": ["pairs"],
            "synthetic": ["pairs"],
            "real": ["phones"],
            "generator": {"block": "plain", "blocks": 1, "width": 8},
            "warmup": {"max_steps": 3, "accuracy": 1.0},
            "phase_synthetic": {"steps": 3, "lr": 1e-3},
            "phase_real": {"steps": 3, "lr": 1e-3},
            **NETWORKS,
        }
    )
