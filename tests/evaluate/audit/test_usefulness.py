"""A corpus blurred as the test pairs are teaches more than one that is not blurred; nothing of the test is seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dbgan.corpus import Corpus
from dbgan.corpus.selection import write_selection
from dbgan.errors import CorpusError
from dbgan.evaluate.audit.probe import Probe
from dbgan.evaluate.audit.sets import open_pairs
from dbgan.evaluate.audit.usefulness import held_out, trained, training_sets, usefulness
from dbgan.params import AuditParams, UsefulnessParams
from tests.tiny_corpora import Tiny, lineage, moved, scene, write

HOW = UsefulnessParams(test=["city"], seeds=1, steps=60, crop=48, patches=24, images=6, width=12, test_images=3)
PARAMS = AuditParams(real=["x"], pairs=["own"], crop=64)


def kept(corpus: Corpus) -> None:
    rows = [
        {"key": key, "sequence": key[0], "split": "train", "keep": True}
        | {"rule": "", "measure": "", "value": 0.0, "limit": 0.0, "reason": ""}
        for key in corpus.keys
    ]
    write_selection(corpus.path.with_name(f"{corpus.path.name}.selection.parquet"), rows)


def pairs(path: Path, first: int, count: int, length: int) -> Corpus:
    made = {f"a/{i}": scene(first + i) for i in range(count)}
    corpus = write(path, "paired", [Tiny(k, {"blur": moved(p, length), "sharp": p}) for k, p in made.items()])
    kept(corpus)
    return corpus


def project(root: Path) -> tuple[Corpus, Path]:
    """Test pairs and synthetic ones move over 7 px, the paired source's own over 1 px: not at all."""
    pairs(root / "test" / "city", 200, 3, 7)
    pairs(root / "train" / "own", 100, 6, 1)
    made = [
        Tiny(f"a/{i}-v{v}", {"blur": moved(scene(i), 7), "sharp": scene(i)}, lineage=lineage("s", f"a/{i}", v))
        for i in range(6)
        for v in (0, 1)
    ]
    return write(root / "synthetic" / "demo", "paired", made), root


def test_the_right_blur_teaches_and_no_blur_teaches_nothing(tmp_path: Path) -> None:
    synthetic, root = project(tmp_path)
    sources = open_pairs(root, ["own"])
    found = usefulness(synthetic, sources, PARAMS, HOW, root)
    assert set(found.gains) == {"synthetic", "kernel", "pairs"}
    assert min(found.gains["synthetic"].gains) > 0.06
    assert max(abs(gain) for gain in found.gains["pairs"].gains) < 0.02
    assert found.images == 3
    assert {(gain.patches, gain.pictures) for gain in found.gains.values()} == {(24, 6)}


def test_the_same_seed_trains_the_same_probe_and_another_seed_another(tmp_path: Path) -> None:
    synthetic, _ = project(tmp_path)
    patches = training_sets(synthetic, [], PARAMS, HOW)["synthetic"]
    how = HOW.model_copy(update={"steps": 3})
    first, again, other = (trained(patches, how, seed, 1).last.weight for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    picture = torch.rand(1, 3, 24, 24)
    assert torch.equal(Probe(8, 0)(picture), picture)


def test_kernel_pairs_are_the_same_places_of_the_same_sharp_frames(tmp_path: Path) -> None:
    synthetic, _ = project(tmp_path)
    made = training_sets(synthetic, [], PARAMS, HOW)
    assert set(made) == {"synthetic", "kernel"}
    for ours, theirs in zip(made["synthetic"], made["kernel"], strict=True):
        assert np.array_equal(ours[1], theirs[1])
        assert not np.array_equal(ours[0], theirs[0])


def test_a_test_source_of_another_kind_is_refused(tmp_path: Path) -> None:
    corpus = write(tmp_path / "test" / "city", "blurry", [Tiny("a/0", {"blur": scene(1)})])
    kept(corpus)
    with pytest.raises(CorpusError, match="expected a paired corpus"):
        list(held_out(HOW, tmp_path))
