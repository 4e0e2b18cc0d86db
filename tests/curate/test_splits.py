"""Splits depend on sequence names alone."""

from __future__ import annotations

import pytest

from dbgan.curate import splits
from dbgan.errors import ParamsError
from dbgan.params import CurateParams

NAMES = [f"walk-{i:03d}" for i in range(400)]


def test_adding_sequences_moves_none() -> None:
    params = CurateParams(val_fraction=0.2)
    few, many = splits.assign(NAMES[:50], params, "train", "x"), splits.assign(NAMES, params, "train", "x")
    assert {name: many[name] for name in few} == few


def test_the_share_of_val_sequences_is_near_val_fraction() -> None:
    assigned = splits.assign(NAMES, CurateParams(val_fraction=0.2), "train", "x")
    assert 0.14 < sum(split == "val" for split in assigned.values()) / len(NAMES) < 0.26
    assert set(splits.assign(NAMES, CurateParams(val_fraction=0.0), "train", "x").values()) == {"train"}
    assert set(splits.assign(NAMES, CurateParams(val_fraction=1.0), "train", "x").values()) == {"val"}


def test_a_pin_wins_over_the_hash_and_takes_the_raw_folders_name() -> None:
    params = CurateParams(val_fraction=0.0, pinned={"Straße 1": "val"})
    assigned = splits.assign(["Strasse-1-4ed1be7d", "walk-001"], params, "train", "x")
    assert assigned == {"Strasse-1-4ed1be7d": "val", "walk-001": "train"}


def test_all_of_a_test_source_is_test() -> None:
    assert set(splits.assign(NAMES, CurateParams(val_fraction=0.5), "test", "x").values()) == {"test"}
    with pytest.raises(ParamsError, match="use: test"):
        splits.assign(NAMES, CurateParams(pinned={"walk-001": "val"}), "test", "x")


def test_the_only_sequence_trains_and_a_note_says_that_there_is_no_val_split() -> None:
    params = CurateParams(val_fraction=1.0)
    assigned = splits.assign(["020", "020"], params, "train", "x")
    assert assigned == {"020": "train"}
    assert "no val split" in splits.notes(assigned, params)[0]


def test_notes_tell_when_a_split_is_missing() -> None:
    params = CurateParams(val_fraction=0.1)
    assert "nothing of this source can be trained on" in splits.notes({"a": "val", "b": "val"}, params)[0]
    assert "none of the 2 sequences" in splits.notes({"a": "train", "b": "train"}, params)[0]
    assert splits.notes({"a": "train", "b": "val"}, params) == []
    assert splits.notes({"a": "test"}, params) == []


def test_a_pin_on_no_sequence_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ParamsError, match="Did you mean 'walk-001'"):
        splits.assign(["walk-001", "run-002"], CurateParams(pinned={"walk-01": "val"}), "train", "sources.x.curate")
