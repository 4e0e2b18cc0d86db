"""Evidence that training learns: a small network overfits four real GOPRO pairs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from dbgan.networks import generator
from dbgan.params import ScheduleParams, TrainingParams
from dbgan.train.gauges import psnr
from dbgan.train.learner import Learner
from dbgan.train.losses import content
from dbgan.train.numerics import Numerics

SIDE = 32
STEPS = 400


def four_pairs(folder: Path) -> tuple[Tensor, Tensor]:
    """Centres of four real blurry/sharp patches, NCHW in [0, 1]."""
    names = sorted(p.name for p in (folder / "blur").glob("*.png"))[:4]
    assert len(names) == 4
    corner = (128 - SIDE) // 2
    fields = []
    for field in ("blur", "sharp"):
        pictures = [cv2.imread(str(folder / field / name)) for name in names]
        crops = [p[corner : corner + SIDE, corner : corner + SIDE, ::-1] for p in pictures]
        fields.append(torch.from_numpy(np.stack(crops).copy()).permute(0, 3, 1, 2).float() / 255.0)
    return fields[0], fields[1]


def overfitted(blur: Tensor, sharp: Tensor, steps: int) -> tuple[float, float]:
    """PSNR (before, after) of `steps` steps on the same pairs, dB."""
    numerics = Numerics("cpu", bf16=False, threads=1)
    schedule = ScheduleParams(steps=steps, lr=3e-3, lr_end=1e-5, ramp=50)
    with numerics.active():
        network = generator("dbgan", block="plain", blocks=4, width=32, init="zero_last", seed=0)
        learner = Learner(network, training=TrainingParams(clip_gradient=0.5), numerics=numerics, memory={})
        before = float(psnr(learner.infer(numerics, blur), sharp).mean())
        for step in range(steps):
            terms = {"loss": content(learner.network(blur), sharp, "l1")}
            learner.learn(terms, phase="content", within=step, schedule=schedule)
        return before, float(psnr(learner.infer(numerics, blur), sharp).mean())


@pytest.mark.slow
def test_a_small_plain_network_overfits_four_real_pairs_to_over_38_db(shared_data: Path) -> None:
    before, after = overfitted(*four_pairs(shared_data / "gopro-patches" / "train" / "GOPR0372_07_00"), STEPS)
    assert before < 30.0
    assert after > 38.0
