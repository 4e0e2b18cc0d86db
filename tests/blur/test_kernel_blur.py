"""Eq. 3 as a blur model."""

from __future__ import annotations

import hashlib
import json
import math
import pickle

import numpy as np
import pytest

from dbgan.blur import Blur, KernelBlur, Record, Sensor, apply_kernel
from dbgan.blur.kernel_blur import KINDS, blur_again, kernel_of


def picture() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def only(kind: str, **settings: object) -> KernelBlur:
    return KernelBlur(weights={kind: 1.0}, **settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sensor", [None, Sensor(mosaic="GRBG", jpeg_quality=90, saturation=1.0)])
def test_the_record_makes_the_image_again_after_a_trip_through_json(kind: str, sensor: Sensor | None) -> None:
    blurry, record = only(kind, sensor=sensor)(picture(), seed=1, key="SEQ/000001", variant=2)

    again = blur_again(picture(), json.loads(json.dumps(record.parameters)))

    assert np.array_equal(blurry, again)
    assert record == Record("kernel", (), record.parameters)
    assert blurry.dtype == np.uint8
    assert blurry.shape == picture().shape


def test_seed_key_and_variant_each_change_the_blur_and_nothing_else_does() -> None:
    blur: Blur = KernelBlur()
    base, _ = blur(picture(), seed=1, key="SEQ/000001", variant=0)

    repeated, _ = pickle.loads(pickle.dumps(blur))(picture(), seed=1, key="SEQ/000001", variant=0)
    others = [
        blur(picture(), seed=2, key="SEQ/000001", variant=0)[0],
        blur(picture(), seed=1, key="SEQ/000002", variant=0)[0],
        blur(picture(), seed=1, key="SEQ/000001", variant=1)[0],
    ]

    assert np.array_equal(base, repeated)
    assert all(not np.array_equal(base, other) for other in others)


def test_without_noise_the_blur_is_the_kernel_alone() -> None:
    blurry, record = only("linear", noise=(0.0, 0.0))(picture(), seed=1, key="a/b", variant=0)

    assert np.array_equal(blurry, apply_kernel(picture(), kernel_of(record.parameters), response="srgb"))


def test_noise_of_eq_3_has_the_recorded_deviation() -> None:
    grey = np.full((128, 128, 3), 128, np.uint8)

    blurry, record = only("disk", noise=(0.03, 0.03))(grey, seed=1, key="a/b", variant=0)

    assert record.parameters["noise_sigma"] == 0.03
    assert (blurry / 255.0).std() == pytest.approx(math.hypot(0.03, 1 / 255 / math.sqrt(12)), rel=0.02)


def test_draws_stay_in_their_ranges_and_kinds_come_by_weight() -> None:
    blur = KernelBlur(weights={"shake": 3.0, "disk": 1.0}, length=(5.0, 9.0), radius=(2.0, 3.0))
    drawn = [blur.draw(seed=0, key="a/b", variant=v) for v in range(400)]

    shakes = [d for d in drawn if d["kind"] == "shake"]
    disks = [d for d in drawn if d["kind"] == "disk"]
    assert len(shakes) + len(disks) == 400
    assert len(shakes) == pytest.approx(300, abs=40)
    assert all(5.0 <= d["length"] <= 9.0 for d in shakes)
    assert all(2.0 <= d["radius"] <= 3.0 for d in disks)


def test_the_description_is_json_and_changes_with_every_setting() -> None:
    settings = [KernelBlur(), KernelBlur(length=(4.0, 31.0)), KernelBlur(response="gamma"), KernelBlur(sensor=Sensor())]

    texts = {json.dumps(blur.describe(), sort_keys=True) for blur in settings}

    assert len(texts) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"weights": {"motion": 1.0}}, "motion"),
        ({"weights": {"disk": 0.0}}, "not all 0"),
        ({"length": (9.0, 5.0)}, r"length is a range .* found \(9.0, 5.0\)"),
        ({"radius": (0.0, 5.0)}, "start above 0"),
        ({"sensor": Sensor(response="gamma")}, "'gamma' is not the blur's 'srgb'"),
    ],
)
def test_wrong_settings_are_refused_at_once(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KernelBlur(**wrong)


def test_bytes_are_those_of_this_revision() -> None:
    """A changed digest means that KernelBlur.revision must be raised. Kernels of exact pixels, so any CPU agrees."""
    parameters = {
        "kind": "disk",
        "radius": 1.5,
        "noise_sigma": 0.02,
        "noise_seed": 11,
        "response": "stored",
        "sensor": {},
    }

    digest = hashlib.sha256(blur_again(picture(), parameters).tobytes()).hexdigest()

    assert KernelBlur.revision == 1
    assert digest == "18a9630afaaf053e647fe42782e93b89f3886680b7b007ae5a84a832eebda6a3"
