"""The review's state, without a page."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dbgan.review.decisions import Decision, read_decisions, write_decisions
from dbgan.review.model import (
    ALL,
    BEYOND,
    BINS,
    BY_HAND_DROPPED,
    BY_HAND_KEPT,
    KEPT,
    STEPS,
    UNDECIDED,
    Axis,
    Band,
    Review,
    Table,
    beyond,
)

SHARPNESS = [0.5, np.nan, 0.1, 0.9, 0.1, 0.7]


@pytest.fixture
def review(tmp_path: Path) -> Review:
    table = Table(
        keys=np.array(["a/1", "a/2", "b/1", "b/2", "c/1", "c/2"]),
        sequences=np.array(["a", "a", "b", "b", "c", "c"]),
        devices=np.array(["X", "X", "X", "Y", "Y", "Y"]),
        measures={"sharpness": np.array(SHARPNESS), "width": np.arange(6.0)},
        rules=np.array(["", "duplicates", "", "limits", "", ""]),
        reasons=np.array(["", "the same pixels", "", "too sharp", "", ""]),
        curated=True,
    )
    return Review(table, tmp_path / "reviews" / "x.csv")


def shown(review: Review) -> list[str]:
    return review.table.keys[review.shown()].tolist()


def test_order_is_by_the_measure_then_by_key_and_missing_values_come_last_both_ways(review: Review) -> None:
    review.look(sort="sharpness")
    assert shown(review) == ["b/1", "c/1", "a/1", "c/2", "b/2", "a/2"]
    review.look(descending=True)
    assert shown(review) == ["b/2", "c/2", "a/1", "b/1", "c/1", "a/2"]
    review.look(sort="key")
    assert shown(review) == ["c/2", "c/1", "b/2", "b/1", "a/2", "a/1"]


def test_filters_are_combined(review: Review) -> None:
    review.look(device="Y")
    assert shown(review) == ["b/2", "c/1", "c/2"]
    review.look(sequence="c")
    assert shown(review) == ["c/1", "c/2"]
    review.decide(["c/2"], "drop")
    review.look(reason=BY_HAND_DROPPED)
    assert shown(review) == ["c/2"]


def test_reasons_are_counted_as_filters_show_them(review: Review) -> None:
    review.decide(["a/1", "a/2"], "drop")
    review.decide(["b/1"], "keep")
    review.set_band("sharpness", Band(0.2, 0.8))
    counts = review.reasons()
    assert counts == {
        UNDECIDED: 3,
        BY_HAND_DROPPED: 2,
        BY_HAND_KEPT: 1,
        BEYOND: 3,
        KEPT: 4,
        "duplicates": 1,
        "limits": 1,
    }
    for reason, count in counts.items():
        review.look(reason=reason)
        assert len(review.shown()) == count


def test_a_decision_is_on_disk_at_once_and_undo_takes_it_back_step_by_step(review: Review) -> None:
    review.decide(["a/1"], "drop", "blink")
    review.decide(["a/1", "b/1"], "keep")
    assert read_decisions(review.path) == {"a/1": Decision("keep", "blink"), "b/1": Decision("keep")}
    assert sorted(review.undo()) == ["a/1", "b/1"]
    assert read_decisions(review.path) == {"a/1": Decision("drop", "blink")}
    assert review.undo() == ["a/1"]
    assert review.path.read_bytes() == b"key,decision,note\n"
    assert review.undo() == []


def test_undoing_everything_gives_the_first_bytes_again(review: Review) -> None:
    write_decisions(review.path, {"a/1": Decision("keep", "mine"), "gone/1": Decision("drop")})
    before, rng = review.path.read_bytes(), random.Random(0)
    for _ in range(50):
        review.decide(rng.sample(review.table.keys.tolist(), 2), rng.choice(["keep", "drop"]), rng.choice(["", "n"]))
    assert review.path.read_bytes() != before
    while review.undo():
        pass
    assert review.path.read_bytes() == before


def test_decisions_of_another_review_and_of_absent_samples_stay(review: Review) -> None:
    other = Review(review.table, review.path)
    review.decide(["a/1"], "drop")
    other.decide(["b/1"], "keep")
    write_decisions(review.path, {**read_decisions(review.path), "gone/1": Decision("drop")})
    review.undo()
    assert read_decisions(review.path) == {"b/1": Decision("keep"), "gone/1": Decision("drop")}


def test_a_band_is_closed_and_does_not_judge_missing_values() -> None:
    values = np.array([0.1, 0.2, 0.3, np.nan])
    assert beyond(values, Band(0.2, 0.2)).tolist() == [True, False, True, False]
    assert not beyond(values, Band()).any()


def test_a_device_s_own_band_replaces_the_one_for_all(review: Review) -> None:
    review.set_band("sharpness", Band(None, 0.6))
    assert review.table.keys[review.dropped_by_limits()].tolist() == ["b/2", "c/2"]
    review.look(device="Y")
    review.set_band("sharpness", Band(0.2, None))
    assert review.limits == {ALL: {"sharpness": Band(None, 0.6)}, "Y": {"sharpness": Band(0.2, None)}}
    assert review.table.keys[review.dropped_by_limits()].tolist() == ["c/1"]


def test_what_a_limit_drops_is_what_curate_drops(review: Review) -> None:
    import pandas as pd

    from dbgan.curate import rules
    from dbgan.params import CurateParams, Limits

    table = review.table
    rows = pd.DataFrame({"key": table.keys, "device": table.devices, "sharpness": table.measures["sharpness"]})
    params = CurateParams(
        limits={"sharpness": Limits(min=0.1, max=0.6)}, devices={"Y": {"sharpness": Limits(min=0.5, max=None)}}
    )
    review.limits = {ALL: {"sharpness": Band(0.1, 0.6)}, "Y": {"sharpness": Band(0.5, None)}}
    dropped = table.keys[review.dropped_by_limits()].tolist()
    assert dropped == sorted(rules.limits(rules.Rows(rows, "blur"), params)) == ["c/1"]


def test_only_moved_limits_are_to_be_saved(review: Review) -> None:
    started = Review(review.table, review.path, {ALL: {"sharpness": Band(0.1, None)}})
    assert started.moved_limits() == {}
    started.set_band("width", Band(None, None))
    assert started.moved_limits() == {}
    started.set_band("width", Band(None, 3.0))
    assert started.moved_limits() == {ALL: {"width": Band(None, 3.0)}}
    started.limits_are_saved()
    assert started.moved_limits() == {}
    started.look(device="Y")
    started.set_band("width", Band())
    assert started.moved_limits() == {"Y": {"width": Band()}}


@pytest.mark.parametrize("spread", ["even", "decades", "equal", "none"])
def test_an_axis_counts_every_value_once_and_finds_its_positions_again(spread: str) -> None:
    rng = np.random.default_rng(0)
    values = {
        "even": rng.uniform(-3, 5, 999),
        "decades": 10 ** rng.uniform(-6, 2, 999),
        "equal": np.full(9, 0.25),
        "none": np.full(9, np.nan),
    }[spread]
    axis = Axis.of(values)
    assert axis.logarithmic == (spread == "decades")
    assert axis.counts(values).sum() == np.isfinite(values).sum()
    assert len(axis.counts(values)) == BINS
    if spread in ("even", "decades"):
        assert [axis.step(axis.value(step)) for step in range(0, STEPS + 1, 20)] == list(range(0, STEPS + 1, 20))
    assert axis.band(0, STEPS) == Band()
    assert not beyond(values, axis.band(0, STEPS)).any()


def test_the_cursor_stays_among_what_is_shown(review: Review) -> None:
    review.move(99, 6)
    assert review.view.cursor == 5
    review.move(-1, 6)
    assert review.view.cursor == 0
    review.move(3, 0)
    assert review.view.cursor == 0


def test_a_note_is_written_with_the_decision_and_undone_by_itself(review: Review) -> None:
    review.note("a/1", " dark ")
    assert read_decisions(review.path) == {}
    assert review.note_of("a/1") == "dark"
    review.decide(["a/1"], "drop")
    assert read_decisions(review.path) == {"a/1": Decision("drop", "dark")}
    review.note("a/1", "dark, and dust")
    review.note("a/1", "dark, and dust")
    assert read_decisions(review.path) == {"a/1": Decision("drop", "dark, and dust")}
    assert review.undo() == ["a/1"]
    assert review.note_of("a/1") == "dark"
    review.note("a/1", "")
    assert read_decisions(review.path) == {"a/1": Decision("drop")}


def test_an_axis_over_decades_takes_zeros_into_its_first_bar() -> None:
    values = np.array([0.0, 0.001, 0.002, 0.004, 1.0, np.nan])
    axis = Axis.of(values)
    assert (axis.low, axis.high, axis.logarithmic) == (0.001, 1.0, True)
    assert axis.counts(values)[0] == 2
    assert axis.counts(values).sum() == 5
    assert beyond(values, axis.band(1, STEPS)).tolist() == [True, True, False, False, False, False]
    assert not beyond(values, axis.band(0, STEPS)).any()
    assert not Axis.of(np.array([0.0, 0.0, 0.0, 5.0])).logarithmic


def test_measures_that_tell_blur_come_first_and_those_that_are_all_equal_have_no_slider(review: Review) -> None:
    table = replace(
        review.table,
        measures={
            "blur_contrast": np.arange(6.0),
            "blur_clipped_high": np.array([0.0, np.nan, 0, 0, 0, 0]),
            "sharp_sharpness": np.arange(6.0),
            "blur_edge_extent_px": np.arange(6.0),
            "width": np.full(6, 640.0),
        },
    )
    shown = Review(table, review.path, {ALL: {"width": Band(None, 600.0)}})
    assert shown.worth_a_limit() == ["blur_edge_extent_px", "sharp_sharpness", "blur_contrast", "width"]
