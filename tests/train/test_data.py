"""Crops are a pure function of (seed, step, index), whatever was read before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dbgan.corpus import Corpus
from dbgan.corpus.selection import read_selection, write_selection
from dbgan.errors import CorpusError
from dbgan.train.batches import Batches, centre_crops, epoch_order
from dbgan.train.data import RECENT, Cache, TrainingSet, open_set, open_synthetic
from dbgan.train.mix import MixedBatches
from tests.train.conftest import FRAMES, SIDE, blurred, sharp_picture

FIELDS = ("blur", "sharp")


def pairs(datasets: Path, *, cache: Cache = "memory") -> TrainingSet:
    return open_set(datasets, ["pairs"], FIELDS, "train", cache=cache)


def batches(samples: TrainingSet, **changes: int) -> Batches:
    values = {"seed": 5, "crop": 32, "batch": 4} | changes
    return Batches(samples, purpose="pairs", **values)


def test_only_kept_samples_of_the_split_are_read(datasets: Path) -> None:
    assert [pairs(datasets).key(i) for i in range(6)] == [f"pairs:{s}/{f}" for s in "AB" for f in FRAMES]
    assert len(open_set(datasets, ["pairs"], FIELDS, "val", cache="memory")) == 3


def test_every_epoch_sees_every_sample_once_in_another_order(datasets: Path) -> None:
    first, second = (epoch_order(5, "pairs", epoch, 6) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(6))
    assert first.tolist() != second.tolist()
    cut = batches(pairs(datasets))
    seen = [cut.index(step, i) for step in range(3) for i in range(4)]  # 12 crops: two epochs of 6
    assert seen == [*first, *second]


def test_the_order_depends_on_the_seed(datasets: Path) -> None:
    orders = {tuple(epoch_order(seed, "pairs", 0, 6).tolist()) for seed in range(8)}
    assert len(orders) > 4


@pytest.mark.parametrize("cache", ["memory", "none", "device"])
def test_a_batch_is_the_same_whatever_was_read_before(datasets: Path, cache: Cache) -> None:
    fresh = batches(pairs(datasets, cache=cache))(7)
    used = batches(pairs(datasets))
    for step in (9, 3, 8):
        used(step)
    for expected, found in zip(fresh, used(7), strict=True):
        assert torch.equal(expected, found)


def test_blur_and_sharp_are_cut_and_flipped_alike(datasets: Path) -> None:
    cut = batches(pairs(datasets))
    flips = set()
    for step in range(6):
        blur, sharp = cut(step)
        assert blur.shape == sharp.shape == (4, 3, 32, 32)
        assert blur.dtype == torch.float32
        for i in range(4):
            key = cut.samples.key(cut.index(step, i)).removeprefix("pairs:")
            window = cut.window(step, i, SIDE[1], SIDE[0])
            flips.add((window.horizontal, window.vertical))
            whole = sharp_picture(key)
            area = np.s_[window.top : window.top + 32, window.left : window.left + 32]
            for found, picture in ((sharp, whole), (blur, blurred(whole))):
                expected = picture[area]
                expected = expected[:, ::-1] if window.horizontal else expected
                expected = expected[::-1] if window.vertical else expected
                assert np.array_equal((found[i] * 255).round().numpy().astype(np.uint8), expected.transpose(2, 0, 1))
    assert len(flips) == 4


def test_batches_lie_in_memory_as_channels_last(datasets: Path) -> None:
    assert batches(pairs(datasets))(0)[0].is_contiguous(memory_format=torch.channels_last)


def test_the_mix_replaces_samples_with_its_probability_and_leaves_the_others_alone(datasets: Path) -> None:
    real = batches(pairs(datasets))
    synthetic = Batches(
        open_synthetic(datasets, "toy", FIELDS, cache="memory"), seed=5, purpose="synthetic", crop=32, batch=4
    )
    mixed = MixedBatches(real, {"toy": synthetic}, 0.3)
    drawn = [bool(mixed.corpus(step, i)) for step in range(500) for i in range(4)]
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.04)  # 4 standard deviations of 2000 draws
    for step in range(4):
        plain, other, both = real(step)[1], synthetic(step)[1], mixed(step)[1]
        for i in range(4):
            assert torch.equal(both[i], other[i] if mixed.corpus(step, i) else plain[i])


def test_without_a_mix_the_control_sees_the_real_pairs_alone(datasets: Path) -> None:
    real = batches(pairs(datasets))
    assert torch.equal(MixedBatches(real, {"toy": real}, 0.0)(3)[0], real(3)[0])


def test_digests_are_those_of_the_pixels_used(datasets: Path) -> None:
    rows = pairs(datasets).digests()
    assert [row[:2] for row in rows] == [["pairs", f"{s}/{f}"] for s in "AB" for f in FRAMES]
    table = Corpus.open(datasets / "train" / "pairs").table(columns=["key", "sharp_pixels_sha256"])
    by_key = {key: digest.hex() for key, digest in zip(table["key"], table["sharp_pixels_sha256"], strict=True)}
    assert all(row[3] == by_key[row[1]] for row in rows)


def test_a_picture_smaller_than_the_crop_is_named(datasets: Path) -> None:
    with pytest.raises(CorpusError, match=r"pairs:A/000001: 48x40 px is smaller than the training crop of 64 px"):
        pairs(datasets).require_side(64)


def test_real_captures_are_reduced_to_the_long_side(datasets: Path) -> None:
    reduced = open_set(datasets, ["phones"], ("blur",), "train", cache="memory", long_side=24)
    assert reduced.images(0)[0].shape == (20, 24, 3)
    with pytest.raises(CorpusError, match="24x20 px"):
        reduced.require_side(32)


def test_centre_crops_shrink_to_the_picture(datasets: Path) -> None:
    blur, sharp = centre_crops(pairs(datasets), 100, 4)
    assert blur.shape == sharp.shape == (4, 3, 40, 40)
    expected = sharp_picture("A/000001")[:, 4:44]
    assert np.array_equal((sharp[0] * 255).round().numpy().astype(np.uint8), expected.transpose(2, 0, 1))


def test_frames_on_the_device_give_the_bytes_of_memory_with_jpeg_as_well(datasets: Path) -> None:
    kept = [pairs(datasets, cache=cache) for cache in ("memory", "device")]
    for jpeg in (0, 80):
        memory, device = (Batches(s, seed=5, purpose="p", crop=32, batch=4, jpeg=jpeg) for s in kept)
        for step in range(6):  # all four turns of a crop occur
            for expected, found in zip(memory(step), device(step), strict=True):
                assert torch.equal(expected, found)
                assert found.is_contiguous(memory_format=torch.channels_last)


def test_several_crops_of_a_picture_decode_it_once(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    samples = pairs(datasets, cache="none")
    real = samples._decoded
    monkeypatch.setattr(samples, "_decoded", lambda index: decoded.append(index) or real(index))
    cut = Batches(samples, seed=5, purpose="pairs", crop=32, batch=4, per_image=4)
    first = [cut(step) for step in range(6)]
    assert len(decoded) == len(samples) == 6  # one epoch: 24 crops
    assert decoded == epoch_order(5, "pairs", 0, 6).tolist()
    assert len({tuple(first[0][1][i].flatten().tolist()) for i in range(4)}) > 1  # of other places
    again = Batches(pairs(datasets), seed=5, purpose="pairs", crop=32, batch=4, per_image=4)
    assert torch.equal(again(3)[0], first[3][0])


def test_without_a_cache_memory_does_not_grow_with_the_pictures_read(datasets: Path) -> None:
    samples = pairs(datasets, cache="none")
    samples.load()
    assert samples._pictures == {}
    for index in range(len(samples)):
        samples.images(index)
        assert len(samples._pictures) <= RECENT < len(samples)


def test_a_cache_is_filled_before_it_is_asked(datasets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cache in ("memory", "device"):
        samples = pairs(datasets, cache=cache)
        samples.load()
        monkeypatch.setattr(samples, "_decoded", None)
        assert batches(samples)(0)[0].shape == (4, 3, 32, 32)


def test_jpeg_coding_changes_crops_a_little(datasets: Path) -> None:
    samples = pairs(datasets)
    plain = batches(samples)(0)[1]
    coded = Batches(samples, seed=5, purpose="pairs", crop=32, batch=4, jpeg=80)(0)[1]
    assert 0.0 < float((plain - coded).abs().mean()) < 0.1


def test_a_missing_selection_says_which_stage_makes_it(datasets: Path) -> None:
    with pytest.raises(CorpusError, match="dvc repro curate@nowhere"):
        open_set(datasets, ["nowhere"], FIELDS, "train", cache="memory")


def test_captures_cannot_be_trained_on_as_pairs(datasets: Path) -> None:
    with pytest.raises(CorpusError, match="needs sharp as well"):
        open_set(datasets, ["phones"], FIELDS, "train", cache="memory")


def test_nothing_to_train_on_is_an_error(datasets: Path, tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "pairs").symlink_to(datasets / "train" / "pairs")
    rows = read_selection(datasets / "train" / "pairs.selection.parquet")
    rows["keep"] = False
    write_selection(tmp_path / "train" / "pairs.selection.parquet", rows)
    with pytest.raises(CorpusError, match="no kept sample of split 'train'"):
        open_set(tmp_path, ["pairs"], FIELDS, "train", cache="memory")
