"""Gauges against numbers computed another way, and the warnings they lead to."""

from __future__ import annotations

import math
import re

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from dbgan import seeds
from dbgan.blur.response import to_linear
from dbgan.train.critic import relativistic_accuracy
from dbgan.train.gauges import (
    CHANCE,
    bgan_gauges,
    bgan_warnings,
    discriminator_warnings,
    laplacian_variance,
    low_frequencies,
    psnr,
)


def pictures(name: str) -> torch.Tensor:
    drawn = seeds.generator(1, "test-gauges", name).random((2, 3, 24, 20), dtype=np.float32)
    return torch.from_numpy(drawn)


def test_psnr_is_scikit_images() -> None:
    first, second = pictures("first"), pictures("second")
    expected = [
        peak_signal_noise_ratio(a.numpy(), b.numpy(), data_range=1.0) for a, b in zip(first, second, strict=True)
    ]
    assert psnr(first, second).tolist() == pytest.approx(expected, rel=1e-5)
    assert psnr(first, first).tolist() == [100.0, 100.0]


def test_laplacian_variance_is_opencvs() -> None:
    picture = pictures("laplacian")
    expected = []
    for rgb in picture:
        luma = np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), rgb.numpy(), 1)
        expected.append(np.var(cv2.Laplacian(luma, cv2.CV_32F)[1:-1, 1:-1], ddof=1))
    assert laplacian_variance(picture).tolist() == pytest.approx(expected, rel=1e-4)


def test_z_gauges_tell_tint_from_structure() -> None:
    sharp = pictures("sharp")
    z1, z2 = torch.zeros(2, 4), torch.ones(2, 4)

    def tints(x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return x + 0.1 * z[:, :1, None, None]

    gauges = bgan_gauges(tints, sharp, z1, z2)
    assert gauges["z_sensitivity"] == pytest.approx(0.1, rel=1e-5)
    assert gauges["z_tint"] == pytest.approx(0.1, rel=1e-5)
    assert gauges["psnr_to_sharp"] == 100.0


def test_z_gauges_tell_low_frequencies_from_high_ones() -> None:
    sharp = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2
    stripes = (torch.arange(96) % 2 * 2 - 1).float()

    def both(x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return x + z[:, :1, None, None] * 0.05 + z[:, 1:2, None, None] * 0.02 * stripes

    gauges = bgan_gauges(both, sharp, torch.ones(1, 4), torch.zeros(1, 4))
    assert gauges["z_low"] == pytest.approx(0.05, rel=1e-4)
    assert gauges["z_high"] == pytest.approx(0.02, rel=1e-4)
    before, after = (to_linear(p.double().numpy()) for p in (sharp, both(sharp, torch.ones(1, 4))))
    expected = np.abs((after - before).mean(axis=(2, 3))).mean()
    assert gauges["colour_shift"] == pytest.approx(expected, rel=1e-3)


def test_low_frequencies_are_means_of_squares_smaller_at_the_edge() -> None:
    picture = torch.arange(40.0 * 33).view(1, 1, 40, 33)
    low = low_frequencies(picture)
    assert torch.allclose(low[..., :32, :32], picture[..., :32, :32].mean())
    assert torch.allclose(low[..., 32:, 32:], picture[..., 32:, 32:].mean())


def row(**changes: float | str) -> dict[str, float | str]:
    healthy = {"phase": "real", "psnr_to_sharp": 27.0, "z_sensitivity": 0.01, "laplacian": 0.003}
    healthy |= {"z_low": 0.001, "z_high": 0.009, "colour_shift": 0.0}
    return {**healthy, "laplacian_sharp": 0.007, "d_loss": 1.2, "d_accuracy": 0.7, **changes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"psnr_to_sharp": 41.0}, r"BGAN returns its input \(PSNR 41.0 dB"),
        ({"z_sensitivity": 0.0}, "z has no visible effect"),
        ({"z_low": 0.02}, "z tints more than it blurs"),
        ({"colour_shift": 0.02}, "BGAN tints \\(its mean light is 2.0 %"),
        ({"laplacian": 0.01}, "BGAN sharpens"),
        ({"layers_still": 0.9}, r"open over what stands still \(by 0.90"),
        ({"d_loss": 1.386, "d_accuracy": 0.5}, "at chance"),
        ({"d_loss": 0.001, "d_accuracy": 1.0}, "wins outright"),
    ],
)
def test_each_warning_has_its_words(changes: dict[str, float], words: str) -> None:
    (warning,) = bgan_warnings(row(**changes))
    assert re.search(words, warning)


def test_a_healthy_row_warns_of_nothing() -> None:
    assert bgan_warnings(row()) == []
    assert discriminator_warnings({"phase": "content", "psnr": 30.0}) == []


def test_chance_is_twice_ln_2() -> None:
    assert pytest.approx(2 * math.log(2)) == CHANCE


def test_accuracy_counts_both_sides() -> None:
    # real 1, 3 against the fakes' mean 0: both right; fakes -2, 2 against the reals' mean 2: one right (2 < 2 is not).
    real, fake = torch.tensor([[1.0], [3.0]]), torch.tensor([[-2.0], [2.0]])
    assert float(relativistic_accuracy(real, fake)) == 0.75
