"""What z changes is told apart from what the frame changes, and repeated noise is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dbgan.corpus import Corpus
from dbgan.evaluate.audit import features
from dbgan.evaluate.audit.diversity import components, diversity, repeated_z
from dbgan.params import AuditParams, FeatureParams
from tests.tiny_corpora import Tiny, lineage, moved, scene, write

NET, _ = features.network(FeatureParams(weights="random", width=4))
PARAMS = AuditParams(real=["x"], crop=64, crops_per_image=2)


def corpus(path: Path, lengths: list[list[int]], noise: float | None = None) -> Corpus:
    """A frame for each entry, a variant for each of its lengths of motion; `noise`: the same z for all."""
    made = []
    for frame, own in enumerate(lengths):
        sharp = scene(frame)
        for v, length in enumerate(own):
            z = (10.0 * frame + v if noise is None else noise, 0.0, 0.0, 0.0)
            pair = {"blur": moved(sharp, length), "sharp": sharp}
            made.append(Tiny(f"a/{frame}-v{v}", pair, lineage=lineage("gopro", f"a/{frame}", v, z)))
    return write(path, "paired", made)


def test_variance_components_by_hand_and_by_simulation() -> None:
    # MSW = (0.5 + 0.5) / 2; MSB = 2 * 2 * 2^2 / 1 = 16; between = (16 - 0.5) / 2
    spread, share = components([[1.0, 2.0], [5.0, 6.0]])
    assert spread == pytest.approx(np.sqrt(0.5))
    assert share == pytest.approx(0.5 / (0.5 + 7.75))
    rng = np.random.default_rng(0)
    groups = [rng.normal(frame, 1.0, int(rng.integers(2, 5))).tolist() for frame in rng.normal(0, 2.0, 2000)]
    assert components(groups)[1] == pytest.approx(1 / 5, abs=0.02)
    assert components([]) == (None, None)
    assert components([[3.0, 3.0], [3.0, 3.0]])[1] is None


def test_a_z_that_decides_the_strength_has_a_large_share_and_one_that_repeats_itself_none(tmp_path: Path) -> None:
    decides = diversity(corpus(tmp_path / "z", [[3, 15]] * 6), NET, PARAMS)
    frame = diversity(corpus(tmp_path / "frame", [[n, n] for n in (3, 5, 7, 9, 11, 15)]), NET, PARAMS)
    assert decides is not None
    assert frame is not None
    assert decides.z_share is not None
    assert decides.z_share > 0.8
    assert decides.feature_distance > 0
    assert (frame.z_share, frame.z_sensitivity, frame.feature_distance) == (0.0, 0.0, 0.0)
    assert frame.to_sharp > 0
    assert diversity(corpus(tmp_path / "one", [[3]] * 3), NET, PARAMS) is None


def test_one_repeated_z_is_counted(tmp_path: Path) -> None:
    assert repeated_z(corpus(tmp_path / "same", [[3], [5], [7]], noise=0.25)) == (3, 3)
    assert repeated_z(corpus(tmp_path / "other", [[3], [5], [7]])) == (0, 3)


def test_the_feature_distance_is_that_of_unit_features_by_hand() -> None:
    a, b = scene(1, 32, 32), moved(scene(1, 32, 32), 5)
    (found,) = features.distance(NET, [a], [b])
    expected = 0.0
    maps = [NET(torch.from_numpy(p).permute(2, 0, 1)[None].float() / 255) for p in (a, b)]
    for x, y in zip(*maps, strict=True):
        unit = [m[0].numpy() / np.linalg.norm(m[0].numpy(), axis=0, keepdims=True).clip(1e-8) for m in (x, y)]
        expected += float(((unit[0] - unit[1]) ** 2).sum(axis=0).mean())
    assert found == pytest.approx(expected, rel=1e-3)
