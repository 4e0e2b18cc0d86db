"""From parameters to a blur, and from a record back to its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dbgan.blur import AverageBlur, Camera, CameraBlur, KernelBlur, Record, again, make
from dbgan.blur.calibration import Constants, write_calibration
from dbgan.errors import DbganError, ParamsError
from dbgan.params import SynthesizeParams, validated


class Learned:
    name, revision = "bgan", 1

    def describe(self) -> dict[str, Any]:
        return {}

    def __call__(self, sharp: np.ndarray, *, seed: int, key: str, variant: int) -> tuple[np.ndarray, Record]:
        return sharp, Record("bgan", (0.0,) * 4, {})


def params(**values: Any) -> SynthesizeParams:
    return validated(SynthesizeParams, {"sharp": ["a"], "model": "kernel", **values}, "test")


def test_defaults_are_the_models_own_without_a_camera() -> None:
    learned = Learned()

    assert make("kernel", params()) == KernelBlur()
    assert make("average", params()) == AverageBlur()
    assert make("bgan", params(), learned) is learned


def test_settings_reach_the_model_and_its_camera() -> None:
    blur = make("kernel", params(kernel={"grid": 3, "length": [2, 9]}, camera={"shot": 0.001, "mosaics": [""]}))

    assert blur == CameraBlur(KernelBlur(grid=3, length=(2.0, 9.0)), (("given", Camera(shot=0.001, mosaics=("",))),))
    assert make("average", params(camera="default")) == CameraBlur(AverageBlur())


def test_a_file_of_constants_gives_one_camera_per_device(tmp_path: Path) -> None:
    found = Constants(2e-4, 3e-5, (0.7, 1.4), 12, 900, 0.5, 0.01)
    write_calibration(tmp_path / "phones.json", {"Acme P2": found, "Acme P1": found})

    blur = make("kernel", params(camera=str(tmp_path / "phones.json")))

    assert isinstance(blur, CameraBlur)
    assert [name for name, _ in blur.cameras] == ["Acme P1", "Acme P2"]
    assert blur.cameras[0][1] == Camera(shot=2e-4, read=3e-5, gain=(0.7, 1.4), mosaics=("",))


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="'bgan': expected kernel, average, or bgan with a trained generator"):
        make("bgan", params())
    with pytest.raises(DbganError, match=r"none\.json: no such file"):
        make("kernel", params(camera=str(tmp_path / "none.json")))


def test_a_plain_record_makes_its_picture_again() -> None:
    sharp = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    blurry, record = KernelBlur()(sharp, seed=3, key="a/b", variant=1)
    frames = [sharp, sharp // 2, sharp // 3]
    mean, mean_record = AverageBlur(frames=3).of_frames(frames, seed=3, key="a/b", variant=1)

    assert np.array_equal(again(record, [sharp]), blurry)
    assert np.array_equal(again(mean_record, frames), mean)
    with pytest.raises(ValueError, match="'bgan' needs the generator"):
        again(Record("bgan", (), {}), [sharp])
