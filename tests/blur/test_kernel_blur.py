"""Eq. 3 as a blur model."""

from __future__ import annotations

import hashlib
import json
import math
import pickle

import numpy as np
import pytest

from dbgan.blur import Blur, KernelBlur, Record
from dbgan.blur.kernel_blur import KINDS, blur_again, kernel_of
from dbgan.blur.kernels import convolve
from dbgan.blur.response import Response, from_linear, linear_table
from dbgan.blur.varying import node_positions
from dbgan.params.blur import KernelParams


def picture() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def only(kind: str, **settings: object) -> KernelBlur:
    return KernelBlur(weights={kind: 1.0}, **settings)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("grid", [1, 3])
def test_the_record_makes_the_image_again_after_a_trip_through_json(kind: str, grid: int) -> None:
    blurry, record = only(kind, grid=grid)(picture(), seed=1, key="SEQ/000001", variant=2)

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


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("response", ["srgb", "gamma", "stored"])
def test_without_noise_the_blur_is_the_kernel_alone_to_a_fiftieth_of_a_level(kind: str, response: Response) -> None:
    """Against float64 and the curve itself; the picture has black, white and a step between them."""
    sharp = np.concatenate([picture(), np.zeros((9, 64, 3), np.uint8), np.full((9, 64, 3), 255, np.uint8)])

    blurry, record = only(kind, noise=(0.0, 0.0), response=response)(sharp, seed=1, key="a/b", variant=0)

    light = convolve(linear_table(response)[sharp], kernel_of(record.parameters))
    assert light.dtype == np.float64
    assert np.abs(blurry - 255 * from_linear(light, response)).max() <= 0.5 + 0.02


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
    settings = [KernelBlur(), KernelBlur(length=(4.0, 31.0)), KernelBlur(response="gamma"), KernelBlur(grid=2)]

    texts = {json.dumps(blur.describe(), sort_keys=True) for blur in settings}

    assert len(texts) == 4


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"weights": {"motion": 1.0}}, "motion"),
        ({"weights": {"disk": 0.0}}, "not all 0"),
        ({"length": (9.0, 5.0)}, r"length is a range .* found \(9.0, 5.0\)"),
        ({"radius": (0.0, 5.0)}, "start above 0"),
        ({"grid": 0}, "grid is at least 1"),
        ({"tilt": (0.0, 1.0)}, "tilt ends below 1"),
    ],
)
def test_wrong_settings_are_refused_at_once(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KernelBlur(**wrong)


def test_bytes_are_those_of_this_revision() -> None:
    """A changed digest means that KernelBlur.revision must be raised. A disk within a pixel: any CPU agrees."""
    parameters = {
        "kind": "disk",
        "radius": 0.4,
        "noise_sigma": 0.02,
        "noise_seed": 11,
        "response": "srgb",
        "grid": 1,
    }

    assert np.array_equal(kernel_of(parameters), [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    digest = hashlib.sha256(blur_again(picture(), parameters).tobytes()).hexdigest()

    assert KernelBlur.revision == 4
    assert digest == "6abbfb2c0e5e27b528b775628741048631c102e0cbb7a8f96cda6a08246888f2"


@pytest.mark.parametrize("kind", KINDS)
def test_a_grid_that_nothing_varies_over_is_the_uniform_blur(kind: str) -> None:
    still = {"noise": (0.0, 0.0), "roll": (0.0, 0.0), "tilt": (0.0, 0.0)}

    uniform, _ = only(kind, **still)(picture(), seed=1, key="a/b", variant=0)
    varying, record = only(kind, grid=4, **still)(picture(), seed=1, key="a/b", variant=0)

    assert record.parameters["grid"] == 4
    assert np.abs(varying.astype(int) - uniform).max() <= 1  # a sum in another order may round the other way
    assert (varying != uniform).mean() < 1e-3


def test_rolling_lengthens_the_paths_of_corners_and_leaves_the_centre_alone() -> None:
    record = only("linear", grid=3, length=(8.0, 8.0), roll=(2.0, 2.0)).draw(seed=1, key="a/b", variant=0)
    plain = {name: value for name, value in record.items() if name != "roll"}

    assert np.array_equal(kernel_of(record, (0.0, 0.0)), kernel_of(plain))
    assert _spread(kernel_of(record, (0.8, 0.6))) > 1.2 * _spread(kernel_of(plain))


def test_a_tilted_focal_plane_changes_the_radius_from_edge_to_edge() -> None:
    record = only("disk", grid=3, radius=(4.0, 4.0), tilt=(0.5, 0.5)).draw(seed=1, key="a/b", variant=0)
    x, y = math.cos(record["tilt_angle"]), math.sin(record["tilt_angle"])

    spreads = [_spread(kernel_of(record, place)) for place in ((-x, -y), (0.0, 0.0), (x, y))]

    # The variance of a disk of radius r is r^2 / 4 along each axis, that of the pixels it is sampled by 1 / 12.
    assert spreads == pytest.approx([radius**2 / 2 + 1 / 6 for radius in (2.0, 4.0, 6.0)], rel=0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_kernels_of_every_node_are_centred(kind: str) -> None:
    record = only(kind, grid=3).draw(seed=1, key="a/b", variant=0)
    for x, y in node_positions(3, 48, 64).reshape(-1, 2):
        kernel = kernel_of(record, (x, y))
        down, along = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - kernel.shape[0] // 2

        assert kernel.sum() == pytest.approx(1.0, abs=1e-12)
        assert [(kernel * along).sum(), (kernel * down).sum()] == pytest.approx([0.0, 0.0], abs=1e-9)


def _spread(kernel: np.ndarray) -> float:
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]] - kernel.shape[0] // 2
    return float((kernel * (x**2 + y**2)).sum())


def test_the_defaults_of_params_are_those_of_the_model() -> None:
    assert KernelBlur(**KernelParams().model_dump()) == KernelBlur()


def test_no_byte_depends_on_the_bands_it_is_stored_in(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, record = only("disk", noise=(0.01, 0.01))(picture(), seed=1, key="a/b", variant=0)

    monkeypatch.setattr("dbgan.blur.levels.BAND", 7)

    assert np.array_equal(whole, blur_again(picture(), record.parameters))
