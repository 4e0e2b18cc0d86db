"""Kurtosis, smear and spectrum follow formulas by hand and known blur."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kurtosis

from dbgan.evaluate.audit import boxes, texture
from tests.tiny_corpora import moved, scene


def test_the_kurtosis_of_noise_is_three_and_falls_with_blur() -> None:
    noise = np.random.default_rng(0).normal(0.5, 0.1, (160, 160)).astype(np.float32)
    found = texture.log_kurtosis(noise)
    assert found == pytest.approx(np.log10(3), abs=0.02)
    y = boxes.luma(scene(1, 160, 160))
    dx, dy = texture._gradients(y, 1.0)
    pooled = np.concatenate([(dx - dx.mean()).ravel(), (dy - dy.mean()).ravel()])
    # scipy also takes the joint mean away, which is nearly zero
    assert texture.log_kurtosis(y) == pytest.approx(np.log10(kurtosis(pooled, fisher=False)), abs=1e-3)
    told = [texture.log_kurtosis(boxes.luma(moved(scene(1, 160, 160), n))) for n in (1, 5, 11)]
    assert told == sorted(told, reverse=True)  # type: ignore[type-var]
    assert texture.log_kurtosis(np.full((64, 64), 0.5, np.float32)) is None


def test_the_smear_lies_along_the_motion() -> None:
    for horizontal, expected in ((True, 0.0), (False, 90.0)):
        found = texture.smear_deg(boxes.luma(moved(scene(2, 160, 160), 13, horizontal=horizontal)))
        assert found is not None
        assert min(abs(found - expected), 180 - abs(found - expected)) < 10
    # stripes at 30 degrees: gradients are across, the smear is along
    x, y = np.meshgrid(np.arange(128), np.arange(128))
    stripes = 0.5 + 0.3 * np.sin((np.cos(np.pi / 6) * y - np.sin(np.pi / 6) * x) / 3)
    assert texture.smear_deg(stripes.astype(np.float32)) == pytest.approx(30, abs=1)


def test_white_noise_has_a_flat_spectrum_whatever_its_contrast() -> None:
    noise = np.random.default_rng(0).normal(0.5, 0.1, (12, 192, 192)).astype(np.float32)
    found = [texture.spectrum_db(one) for one in noise]
    assert np.abs(np.mean(np.stack([f for f in found if f is not None]), axis=0)).max() < 0.5
    assert texture.spectrum_db(0.3 + 0.2 * noise[0]) == pytest.approx(found[0], abs=0.01)


def test_a_box_takes_away_what_its_sinc_says() -> None:
    noise = np.random.default_rng(0).normal(0.5, 0.1, (256, 256)).astype(np.float32)
    rows = np.cumsum(np.pad(noise, ((0, 0), (5, 0)), mode="wrap"), axis=1)
    before, after = texture.spectrum_db(noise), texture.spectrum_db((rows[:, 5:] - rows[:, :-5]) / 5)
    assert before is not None
    assert after is not None
    fx, fy = np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256))
    response = (np.sin(5 * np.pi * fx) / np.where(fx == 0, 1, 5 * np.sin(np.pi * fx))) ** 2
    response[fx == 0] = 1
    ring = np.digitize(np.hypot(fx, fy), texture.edges())
    means = np.array([response[ring == i].mean() for i in range(1, texture.BANDS + 1)])
    assert after - before == pytest.approx(10 * np.log10(means[1:] / means[0]), abs=0.7)


def test_a_flat_crop_has_no_texture() -> None:
    flat = np.full((64, 64), 0.5, np.float32)
    assert texture.spectrum_db(flat) is None
    assert texture.smear_deg(flat) is None
