"""The other networks train as the paper's do: nafnet from the L1 stage on, judged by patches through two layers."""

from __future__ import annotations

from pathlib import Path

import torch

from dbgan.networks import load_weights
from dbgan.networks.nafnet import NafNet
from dbgan.params import AdversarialParams, DbganCommon, PretrainParams
from dbgan.train.dbgan import pretrain, train_adversarial


def test_nafnet_trains_against_patches_through_two_layers(common: DbganCommon, datasets: Path, tmp_path: Path) -> None:
    changes = {
        "generator": {"network": "nafnet", "width": 4, "nafnet": {"encoder": [1], "decoder": [1], "pooling": 48}},
        "discriminator": {"kind": "patch", "width": 4},
        "perceptual": {"weights": "random", "width": 4, "taps": {"conv2_2": 0.1, "relu3_1": 1.0}},
    }
    common = DbganCommon.model_validate({**common.model_dump(), **changes})
    first = PretrainParams.model_validate({"schedule": {"steps": 2, "lr": 1e-3}})
    second = AdversarialParams.model_validate({"beta": 0.1, "schedule": {"steps": 2, "lr": 1e-3}})
    pretrain(common, first, datasets, tmp_path / "l1")
    weights = tmp_path / "l1" / "weights.safetensors"
    train_adversarial("base", common, second, weights, datasets, tmp_path / "base")
    before, after = load_weights(weights), load_weights(tmp_path / "base" / "weights.safetensors")
    assert isinstance(after, NafNet)
    assert any(not torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True))
    last = (tmp_path / "base" / "curves.csv").read_text().splitlines()[-1]
    assert "nan" not in last
