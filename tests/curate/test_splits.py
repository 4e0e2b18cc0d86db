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


def test_test_is_taken_from_the_other_end_so_that_no_fraction_moves_what_the_other_holds_out() -> None:
    assigned = splits.assign(NAMES, CurateParams(val_fraction=0.2, test_fraction=0.3), "train", "x")
    assert 0.22 < sum(split == "test" for split in assigned.values()) / len(NAMES) < 0.38
    without = splits.assign(NAMES, CurateParams(val_fraction=0.2), "train", "x")
    assert {name for name, split in assigned.items() if split == "val"} == {
        name for name, split in without.items() if split == "val"
    }
    more = splits.assign(NAMES, CurateParams(val_fraction=0.4, test_fraction=0.3), "train", "x")
    assert {n for n, s in assigned.items() if s == "test"} == {n for n, s in more.items() if s == "test"}
    halves = splits.assign(NAMES, CurateParams(val_fraction=0.5, test_fraction=0.5), "train", "x")
    assert set(halves.values()) == {"val", "test"}
    assert "nothing of this source can be trained on" in splits.notes(halves, CurateParams())[0]
    with pytest.raises(ValueError, match="over 1 together"):
        CurateParams(val_fraction=0.6, test_fraction=0.5)


def test_clips_of_one_recording_are_in_one_split() -> None:
    clips = [f"GOPR{number:04d}_11_{part:02d}" for number in range(300, 380) for part in range(3)]
    assigned = splits.assign(clips, CurateParams(val_fraction=0.3), "train", "x")
    assert set(assigned.values()) == {"train", "val"}
    for number in range(300, 380):
        assert len({assigned[f"GOPR{number:04d}_11_{part:02d}"] for part in range(3)}) == 1


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
    assert splits.notes(assigned, params)[0].endswith(
        "It moves to val with a second sequence, unless it is pinned to train."
    )
    assert splits.assign(["020", "021"], params, "train", "x")["020"] == "val"
    assert "moves to" not in splits.notes(assigned, CurateParams(val_fraction=1.0, pinned={"020": "train"}))[0]


def test_notes_tell_when_a_split_is_missing() -> None:
    params = CurateParams(val_fraction=0.1)
    assert "nothing of this source can be trained on" in splits.notes({"a": "val", "b": "val"}, params)[0]
    assert "none of the 2 sequences" in splits.notes({"a": "train", "b": "train"}, params)[0]
    assert splits.notes({"a": "train", "b": "val"}, params) == []
    assert splits.notes({"a": "test"}, params) == []


def test_a_pin_on_no_sequence_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ParamsError, match="Did you mean 'walk-001'"):
        splits.assign(["walk-001", "run-002"], CurateParams(pinned={"walk-01": "val"}), "train", "sources.x.curate")
