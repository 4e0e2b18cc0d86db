"""Batches from shards in sequence: every sample once a pass, windows by (seed, step, index), honest about resume."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dbgan.params import DbganCommon, PretrainParams, TrainingParams
from dbgan.train.data import open_set
from dbgan.train.dbgan import pretrain
from dbgan.train.feed import crops_of
from dbgan.train.stream import StreamedBatches
from tests.train.conftest import FRAMES, sharp_picture

pytest.importorskip("webdataset")

TRAINING = TrainingParams(crop=32, batch=2, loader="stream", cache="none", shuffle_buffer=4)


def streamed(datasets: Path, **changes: int) -> StreamedBatches:
    samples = open_set(datasets, ["pairs"], ("blur", "sharp"), "train", cache="none")
    made = crops_of(samples, TRAINING.model_copy(update=changes), "pairs")
    assert isinstance(made, StreamedBatches)
    return made


def keys(found: StreamedBatches, count: int) -> list[str]:
    whole = {sharp_picture(f"{s}/{f}").tobytes(): f"{s}/{f}" for s in "AB" for f in FRAMES}
    return [whole[np.ascontiguousarray(found.images(*divmod(n, 2))[1]).tobytes()] for n in range(count)]


def test_every_pass_has_every_sample_of_the_split_once_in_another_order(datasets: Path) -> None:
    seen = keys(streamed(datasets), 12)
    assert sorted(seen[:6]) == sorted(seen[6:]) == [f"{s}/{f}" for s in "AB" for f in FRAMES]
    assert seen[:6] != seen[6:]


def test_from_the_start_the_order_is_a_function_of_the_seed(datasets: Path) -> None:
    used = streamed(datasets)
    first = [used(step) for step in range(4)]
    again = [used(step) for step in range(4)]  # asked for step 0 once more, it begins anew
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a[0], b[0])
    assert len({tuple(keys(streamed(datasets, seed=seed), 6)) for seed in range(6)}) > 2


def test_several_crops_of_a_streamed_picture(datasets: Path) -> None:
    seen = keys(streamed(datasets, crops_per_image=3), 18)
    assert seen[::3] == seen[1::3] == seen[2::3]
    assert len(set(seen)) == 6


def test_the_summary_says_what_a_stream_does_not_promise(
    datasets: Path, common: DbganCommon, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = common.training.model_copy(update={"loader": "stream", "cache": "none", "shuffle_buffer": 4})
    params = PretrainParams.model_validate({"schedule": {"steps": 3, "lr": 1e-3}})
    pretrain(common.model_copy(update={"training": training}), params, datasets, tmp_path)
    (note,) = json.loads((tmp_path / "summary.json").read_text())["notes"]
    assert "exact resume is promised with loader: random only" in note
    assert note in capsys.readouterr().out


def test_a_stream_cannot_be_cached() -> None:
    with pytest.raises(ValueError, match="set cache: none"):
        TrainingParams(loader="stream")
