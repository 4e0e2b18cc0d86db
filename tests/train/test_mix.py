"""The mix of stage 2: corpora by weight, and a camera model drawn for each crop."""

from __future__ import annotations

import collections
from pathlib import Path

import numpy as np
import pytest
import torch

from dbgan.params import CameraParams, FinetuneParams, TrainingParams
from dbgan.train.batches import Batches, Crop
from dbgan.train.data import open_set, open_synthetic
from dbgan.train.mix import MixedBatches
from dbgan.train.pairs import DbganData, batches

FIELDS = ("blur", "sharp")
STEPS = {"schedule": {"steps": 3}}


def cut(datasets: Path, purpose: str) -> Batches:
    samples = (
        open_set(datasets, ["pairs"], FIELDS, "train") if purpose == "real" else open_synthetic(datasets, "toy", FIELDS)
    )
    return Batches(samples, seed=5, purpose=purpose, crop=32, batch=4)


def test_corpora_are_drawn_by_their_weights(datasets: Path) -> None:
    synthetic = {"a": cut(datasets, "synthetic-a"), "b": cut(datasets, "synthetic-b")}
    mixed = MixedBatches(cut(datasets, "real"), synthetic, 0.6, weights={"a": 2.0, "b": 1.0})
    drawn_names = collections.Counter(mixed.corpus(step, i) for step in range(500) for i in range(4))
    shares = {name: count / 2000 for name, count in drawn_names.items()}
    assert shares == pytest.approx({"": 0.4, "a": 0.4, "b": 0.2}, abs=0.045)  # 4 standard deviations
    for step in range(5):
        batch = mixed(step)
        for i in range(4):
            name = mixed.corpus(step, i)
            expected = (synthetic[name] if name else mixed.real)(step)
            assert all(torch.equal(batch[f][i], expected[f][i]) for f in range(2))


@pytest.mark.parametrize("everywhere", [False, True])
def test_the_camera_changes_blur_alone_and_only_where_it_is_asked(datasets: Path, everywhere: bool) -> None:
    real, synthetic = cut(datasets, "real"), {"toy": cut(datasets, "synthetic")}
    plain = MixedBatches(real, synthetic, 0.5)
    taken = MixedBatches(real, synthetic, 0.5, sensors=CameraParams(), all_crops=everywhere)
    for step in range(4):
        before, after = plain(step), taken(step)
        assert torch.equal(before[1], after[1])
        for i in range(4):
            changed = not torch.equal(before[0][i], after[0][i])
            assert changed == (everywhere or bool(plain.corpus(step, i)))
    other = MixedBatches(real, synthetic, 0.5, sensors=CameraParams(), all_crops=everywhere)
    assert torch.equal(other(3)[0], taken(3)[0])  # whatever was made before


class OneCrop(Batches):
    """Whatever is asked for, the same crop."""

    def crops(self, step: int, i: int) -> Crop:
        return super().crops(0, 0)


def test_every_crop_has_a_camera_of_its_own(datasets: Path) -> None:
    real = cut(datasets, "real")
    same = OneCrop(real.samples, seed=5, purpose="real", crop=32, batch=2)
    taken = MixedBatches(same, {}, 0.0, sensors=CameraParams(), all_crops=True)
    blurs = [taken(step)[0][i].numpy().tobytes() for step in range(2) for i in range(2)]
    assert len(set(blurs)) == 4


def test_params_reach_the_mix(datasets: Path) -> None:
    values = {"corpora": {"a": 3.0, "b": 1.0}, "mix": 0.5, "reads": "datasets/synthetic", **STEPS}
    values |= {"camera": {}, "camera_on": "all"}
    pairs, toy = open_set(datasets, ["pairs"], FIELDS, "train"), open_synthetic(datasets, "toy", FIELDS)
    data, training = DbganData(pairs, pairs, {"a": toy, "b": toy}), TrainingParams(crop=32, prefetch=0)
    mixed = batches("finetune", training, FinetuneParams.model_validate(values), data)
    assert isinstance(mixed, MixedBatches)
    drawn = collections.Counter(mixed.corpus(step, i) for step in range(500) for i in range(4))
    assert {name: count / 2000 for name, count in drawn.items()} == pytest.approx(
        {"": 0.5, "a": 0.375, "b": 0.125}, abs=0.045
    )
    places = [(step, i) for step in range(4) for i in range(4) if not mixed.corpus(step, i)]
    assert places
    assert not any(np.array_equal(mixed.crops(*place)[0], mixed.real.crops(*place)[0]) for place in places)


def test_dvc_watches_what_is_mixed_in() -> None:
    one = FinetuneParams.model_validate({"corpora": {"a": 1.0}, "mix": 0.5, "reads": "datasets/synthetic/a", **STEPS})
    several = {"corpora": {"a": 1.0, "b": 2.0}, "mix": 0.5, **STEPS}
    assert one.mixed == {"a": 1.0}
    assert FinetuneParams.model_validate({**several, "reads": "datasets/synthetic"}).mixed == {"a": 1.0, "b": 2.0}
    with pytest.raises(ValueError, match="reads must be 'datasets/synthetic'"):
        FinetuneParams.model_validate({**several, "reads": "datasets/synthetic/a"})
    with pytest.raises(ValueError, match="not both"):
        FinetuneParams.model_validate({**several, "corpus": "a", "reads": "datasets/synthetic"})


def test_a_camera_for_crops_that_there_are_none_of_is_refused() -> None:
    with pytest.raises(ValueError, match="camera_on: all"):
        FinetuneParams.model_validate({"camera": {}, **STEPS})
    assert FinetuneParams.model_validate({"camera": {}, "camera_on": "all", **STEPS}).camera is not None
