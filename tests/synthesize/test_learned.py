"""BGAN as a blur: noise, tiles, rounding, and what happens to its weights."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from dbgan.blur.response import from_linear, to_linear
from dbgan.corpus import Corpus
from dbgan.corpus.motion import encode
from dbgan.errors import DbganError, WeightsError
from dbgan.networks import generator, load_weights, save_weights
from dbgan.networks.motion import Fields, path_points, per_pixel
from dbgan.params import SynthesizeParams
from dbgan.synthesize import BganBlur, make_like, synthesize
from dbgan.synthesize.learned import draw_noise
from tests.synthesize.tiny import sharp_frame


@pytest.fixture
def weights(models: Path) -> Path:
    return models / "bgan/g/weights.safetensors"


def test_noise_is_a_function_of_seed_key_and_variant_alone() -> None:
    first = draw_noise(7, "street/001", 0)
    draw_noise(7, "street/002", 0)
    assert draw_noise(7, "street/001", 0) == first
    others = [draw_noise(8, "street/001", 0), draw_noise(7, "street/002", 0), draw_noise(7, "street/001", 1)]
    assert len({first, *others}) == 4


def test_noise_is_standard_normal_and_survives_float32() -> None:
    z = np.array([draw_noise(0, f"s/{n}", n % 3) for n in range(5000)])
    assert z.shape == (5000, 4)
    assert np.abs(z.mean(axis=0)).max() < 0.05
    assert np.abs(np.cov(z.T) - np.eye(4)).max() < 0.06
    assert np.array_equal(z, z.astype(np.float32).astype(np.float64))


def test_the_blur_is_the_generators_output_rounded(weights: Path) -> None:
    sharp = sharp_frame("a/1")
    blurry, record = BganBlur(weights)(sharp, seed=1, key="a/1", variant=2)
    network = load_weights(weights).double()
    image = torch.from_numpy(sharp.transpose(2, 0, 1)[None] / 255.0)
    with torch.no_grad():
        expected = network(image, torch.tensor([draw_noise(1, "a/1", 2)], dtype=torch.float64))
    expected = expected.clamp(0, 1).numpy()[0].transpose(1, 2, 0) * 255
    assert np.abs(blurry - expected).max() < 0.501  # nearest level, up to float32's rounding
    assert record.noise == draw_noise(1, "a/1", 2)
    assert record.method == "bgan"


def test_variants_differ_and_one_is_the_same_again(weights: Path) -> None:
    sharp, blur = sharp_frame("a/1"), BganBlur(weights)
    first, again, other = (blur(sharp, seed=1, key="a/1", variant=v)[0] for v in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_tiles_equal_the_whole_picture(weights: Path) -> None:
    sharp = np.tile(sharp_frame("a/1"), (4, 4, 1))
    z = draw_noise(0, "a/1", 0)
    assert np.array_equal(BganBlur(weights, tile=64).blur(sharp, z), BganBlur(weights, tile=4096).blur(sharp, z))


def test_what_shapes_the_picture_is_described(weights: Path, tmp_path: Path) -> None:
    described = BganBlur(weights).describe()
    assert BganBlur(weights, tile=64).describe() != described
    assert BganBlur(weights, precision="bf16").describe() != described
    save_weights(tmp_path / "other.safetensors", generator("bgan", blocks=1, width=8, seed=4))
    assert BganBlur(tmp_path / "other.safetensors").describe() != described
    (tmp_path / "moved.safetensors").write_bytes(weights.read_bytes())
    assert BganBlur(tmp_path / "moved.safetensors").describe() == described


def test_a_used_blur_is_pickled_without_its_network(weights: Path) -> None:
    sharp, blur = sharp_frame("a/1"), BganBlur(weights)
    before, _ = blur(sharp, seed=1, key="a/1", variant=0)
    data = pickle.dumps(blur)
    assert len(data) < 1000
    after, _ = pickle.loads(data)(sharp, seed=1, key="a/1", variant=0)
    assert np.array_equal(before, after)


def test_weights_that_change_under_way_are_refused(weights: Path) -> None:
    blur = BganBlur(weights)
    save_weights(weights, generator("bgan", blocks=1, width=8, seed=4))
    with pytest.raises(DbganError, match="it changed during the build"):
        blur(sharp_frame("a/1"), seed=1, key="a/1", variant=0)


def test_a_deblurring_generator_is_refused(tmp_path: Path) -> None:
    save_weights(tmp_path / "w.safetensors", generator("dbgan", blocks=1, width=8))
    with pytest.raises(DbganError, match="expected the weights of a bgan generator"):
        BganBlur(tmp_path / "w.safetensors")


def test_damaged_weights_are_refused_before_the_first_shard(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=r"weights\.safetensors: expected a safetensors file(.|\n)*Next: "):
        BganBlur(weights)


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(DbganError, match=r"w\.safetensors: no such weight file"):
        BganBlur(tmp_path / "w.safetensors")


@pytest.fixture
def moving(models: Path) -> Path:
    """Weights of a trajectory generator, models/bgan/moving."""
    path = models / "bgan/moving/weights.safetensors"
    path.parent.mkdir()
    save_weights(path, generator("bgan", head="trajectory", blocks=1, width=8, seed=3))
    return path


def test_the_motion_told_is_what_blurred_the_picture(moving: Path) -> None:
    """From the stored float16 cells and the sharp picture alone, by the documented formula, the blurry one follows."""
    sharp = np.tile(sharp_frame("a/1"), (2, 2, 1))[:45, :71]
    blurry, record = BganBlur(moving, motion=True)(sharp, seed=1, key="a/1", variant=0)
    motion = record.motion
    assert motion is not None
    assert motion.covers(45, 71)
    assert np.abs(motion.velocity).max() > 0.5
    stored = [torch.from_numpy(v.astype(np.float32))[None] for v in (motion.velocity, motion.acceleration)]
    fields = Fields(stored[0], stored[1], torch.from_numpy(motion.defocus.astype(np.float32))[None, None])
    image = torch.from_numpy(sharp.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    v_x, v_y, a_x, a_y, radius = per_pixel(fields, image)[0].double().numpy()
    light, rows, columns = to_linear(sharp / 255.0), *np.mgrid[:45, :71].astype(float)
    total = np.zeros_like(light)
    samples = load_weights(moving).architecture["samples"]
    for t, bend, disk_x, disk_y in zip(*(p[0].tolist() for p in path_points(samples, torch.float64)), strict=True):
        place = [rows + v_y * t + a_y * bend + radius * disk_y, columns + v_x * t + a_x * bend + radius * disk_x]
        total += np.stack([map_coordinates(light[..., c], place, order=1, mode="nearest") for c in range(3)], axis=2)
    assert np.abs(from_linear(total / samples) * 255 - blurry).max() < 3


def test_motion_of_a_reduced_picture_is_in_px_of_the_whole(moving: Path) -> None:
    """The same picture twice as large moves twice as far, and so does the motion that is told."""
    small = np.ascontiguousarray(sharp_frame("a/1"))
    large = small.repeat(2, axis=0).repeat(2, axis=1)
    z = (1.0, -0.5, 0.3, 0.8)
    alone, told = (BganBlur(moving, motion=True, fields_side=side) for side in (0, 40))
    first, second = alone.blur_and_motion(small, z)[1], told.blur_and_motion(large, z)[1]
    assert first is not None
    assert second is not None
    assert second.covers(48, 80)
    assert np.allclose(2 * first.velocity.mean((1, 2)), second.velocity.mean((1, 2)), rtol=0.02, atol=0.02)
    assert not np.array_equal(alone.blur(large, z), told.blur(large, z))
    assert np.array_equal(alone.blur(small, z), told.blur(small, z))  # not larger: nothing is reduced


def test_motion_is_stored_verified_and_made_again(datasets: Path, models: Path, moving: Path, tmp_path: Path) -> None:
    values = {"sharp": ["city"], "generator": "moving", "threads": 1, "shard_samples": 2, "camera": "default"}
    out = datasets / "synthetic/syn"
    synthesize("syn", SynthesizeParams.model_validate({**values, "motion": True}), datasets, models, out)
    corpus = Corpus.open(out)
    assert corpus.verify() == []
    assert corpus.header.arrays == ("motion",)
    key = corpus.keys[0]
    again = BganBlur(moving, motion=True).blur_and_motion(corpus[key].images["sharp"], tuple(corpus[key].meta["noise"]))
    assert again[1] is not None
    assert corpus.encoded(key, "motion") == encode(again[1])
    assert make_like(out, key).equal
    synthesize("syn", SynthesizeParams.model_validate(values), datasets, models, tmp_path / "without")
    without = Corpus.open(tmp_path / "without")
    assert without.header.arrays == ()
    assert without.encoded(key, "blur") == corpus.encoded(key, "blur")


def test_a_generator_that_paints_knows_no_motion(weights: Path) -> None:
    with pytest.raises(DbganError, match=r"need a trajectory generator, found 'generator'(.|\n)*Next: leave them out"):
        BganBlur(weights, motion=True)
    with pytest.raises(ValueError, match="name no model beside bgan"):
        SynthesizeParams(sharp=["city"], model="kernel", motion=True)
