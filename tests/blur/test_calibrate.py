"""Noise constants planted in captures are found again."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from dbgan.blur import Sensor
from dbgan.blur.calibrate import Points, calibrate, estimate, fit_line, measure
from dbgan.blur.sensor import sense
from dbgan.errors import CorpusError, DbganError
from dbgan.seeds import generator
from tests.tiny_corpora import Tiny, write


def scene(number: int, height: int = 320, width: int = 448) -> np.ndarray:
    """Light of a made-up scene: smooth shades of every brightness, its right half textured, one corner blown out."""
    rng = np.random.default_rng(number)
    shades = cv2.resize(rng.random((4, 5, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    light = np.clip(shades, 0.02, 0.95) ** 2
    light[:, width // 2 :] *= 1 + 0.8 * cv2.GaussianBlur(rng.standard_normal((height, width // 2, 3)), (0, 0), 1.5)
    light = np.clip(light, 0, 1)
    light[:32, :48] = 1.5
    return light


def captured(count: int, first: int = 0, **constants: float) -> list[np.ndarray]:
    return [
        sense(scene(n), Sensor(**constants), generator(n, "test"))  # type: ignore[arg-type]
        for n in range(first, first + count)
    ]


@pytest.mark.parametrize(("shot", "read"), [(4e-4, 2e-5), (8.9e-5, 2.9e-5), (1e-3, 1e-4), (2e-3, 2e-4)])
def test_planted_constants_are_recovered_within_15_percent(shot: float, read: float) -> None:
    found = estimate(measure(picture) for picture in captured(6, shot=shot, read=read))

    assert found is not None
    assert found.shot == pytest.approx(shot, rel=0.15)
    assert found.read == pytest.approx(read, rel=0.15, abs=2e-6)
    assert found.gain == pytest.approx((1.0, 1.0), abs=0.1)


def test_the_line_passes_through_the_true_variance_at_every_brightness() -> None:
    found = estimate(measure(picture) for picture in captured(6, shot=4e-4, read=2e-5))

    assert found is not None
    for x in (0.02, 0.1, 0.5):
        assert found.shot * x + found.read == pytest.approx(4e-4 * x + 2e-5, rel=0.12)


def test_pictures_of_other_sensitivity_widen_the_gain() -> None:
    quiet, loud = captured(4, shot=2e-4, read=2e-5), captured(4, first=4, shot=6e-4, read=6e-5)

    found = estimate(measure(picture) for picture in quiet + loud)

    assert found is not None
    assert found.gain[1] / found.gain[0] == pytest.approx(3.0, rel=0.15)


def test_the_typical_picture_has_gain_1() -> None:
    """However its noise departs from a line: here one of four brightnesses is mostly texture."""
    light = np.array([0.05, 0.2, 0.4, 0.8])
    variance = (3e-4 * light + 2e-5) * np.array([1.0, 1.0, 1.0, 6.0])
    pictures = [Points(light, variance * factor, np.full(4, 50), 0.0) for factor in (0.5, 1.0, 2.0)]

    found = estimate(pictures)

    assert found is not None
    assert found.gain == pytest.approx((0.6, 1.8))
    ratio = variance / (found.shot * light + found.read)
    assert np.median(ratio) == pytest.approx(1.0)


def test_clipped_highlights_are_counted() -> None:
    found = estimate(measure(picture) for picture in captured(3, shot=4e-4, read=2e-5))

    assert found is not None
    assert found.clipped_pictures == 1.0
    assert found.clipped_share == pytest.approx(32 * 48 / (320 * 448), rel=0.1)


def test_outliers_do_not_move_the_line() -> None:
    light = np.linspace(0.01, 0.9, 40)
    variance = 3e-4 * light + 2e-5
    variance[::6] *= 20.0  # texture mistaken for noise

    assert fit_line(light, variance) == pytest.approx((3e-4, 2e-5), rel=0.02)


def test_constants_never_fall_below_zero() -> None:
    light = np.linspace(0.1, 0.9, 20)

    assert fit_line(light, 1e-4 - 5e-5 * light)[0] == 0.0
    assert fit_line(light, np.maximum(3e-4 * light - 2e-5, 0))[1] == 0.0


def phones(tmp_path: Path) -> Path:
    samples = [Tiny(f"a/{n}", {"blur": p}, "Acme P1") for n, p in enumerate(captured(3, shot=4e-4, read=2e-5))]
    samples += [Tiny(f"b/{n}", {"blur": p}, "Acme P2") for n, p in enumerate(captured(3, 3, shot=2e-3, read=1e-4))]
    write(tmp_path / "phones", "blurry", samples, measured=False)
    return tmp_path / "phones"


def test_each_device_of_a_corpus_gets_its_own_constants(tmp_path: Path) -> None:
    corpus = phones(tmp_path)

    found, left_out = calibrate(corpus)

    assert left_out == []
    assert list(found) == ["Acme P1", "Acme P2"]
    assert found["Acme P1"].shot == pytest.approx(4e-4, rel=0.2)
    assert found["Acme P2"].shot == pytest.approx(2e-3, rel=0.2)
    assert list(calibrate(corpus, device="Acme P2")[0]) == ["Acme P2"]
    assert calibrate(corpus, pictures=2)[0]["Acme P1"].pictures == 2


def test_an_unknown_device_and_pictures_too_small_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"expected pictures of 'Acme P3', found those of: Acme P1, Acme P2"):
        calibrate(phones(tmp_path), device="Acme P3")
    write(tmp_path / "small", "blurry", [Tiny("a/0", {"blur": np.zeros((64, 64, 3), np.uint8)})])
    with pytest.raises(DbganError, match=r"expected 20 unclipped blocks .* of unknown[\s\S]*Next: give more"):
        calibrate(tmp_path / "small")
