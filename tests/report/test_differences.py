"""Paired differences and groups as read from the stages' files."""

from __future__ import annotations

import pytest

from dbgan.report.differences import Difference, Differences, read_differences, read_groups
from dbgan.report.inputs import Inputs
from tests.report.conftest import PSNR, Project


def inputs(project: Project) -> Inputs:
    return Inputs(project.root / "reports", project.root / "models", project.root / "datasets")


def test_a_difference_read_the_other_way_is_turned_round(project: Project) -> None:
    table = read_differences(inputs(project))["city"]
    given, turned = table.get("plus", "minus"), table.get("minus", "plus")
    assert given is not None
    assert turned is not None
    mean = PSNR["plus"] - PSNR["minus"]
    assert [given.mean, turned.mean] == pytest.approx([mean, -mean])
    assert turned.ends is not None
    assert list(turned.ends) == pytest.approx([-mean - 0.14, -mean + 0.15])
    assert (given.better, turned.better) == (1.0, 0.0)
    assert table.get("plus", "nobody") is None


def test_it_is_sure_only_where_zero_is_outside() -> None:
    def sure(*ends: float) -> bool:
        return Difference("a", "b", 9, 0.1, (ends[0], ends[1]), 0.5, "images").sure

    assert [sure(0.01, 0.2), sure(-0.2, -0.01), sure(-0.01, 0.2)] == [True, True, False]
    assert not Difference("a", "b", 1, 0.1, None, 1.0, "images").sure


def test_zero_is_in_the_middle_and_the_widest_end_inside() -> None:
    table = Differences("city", (Difference("a", "b", 9, 0.1, (-0.4, 0.2), 0.5, "images"),))
    assert (table.place(0), table.place(-0.4), table.place(0.2)) == (50, 2, 74)


def test_sequences_keep_their_names_and_one_group_alone_is_left_out(project: Project) -> None:
    (table,) = read_groups(inputs(project), ("l1", "plus"), ("city",))
    assert table.restorers == ("l1", "plus")
    assert [(group, images) for group, images, _ in table.rows] == [("under 3 px", 1), ("from 3 px", 1)]
    folder = project.root / "reports/evaluate/plus"
    (folder / "groups.csv").write_text(
        (folder / "groups.csv").read_text() + "city,sequence,001,2,3,26,0.25,0.125,0.375\n"
    )
    by_sequence = read_groups(inputs(project), ("l1", "plus"), ("city",))[1]
    assert [group for group, _, _ in by_sequence.rows] == ["000", "001"]
    assert by_sequence.rows[1][2] == (("", ""), ("+0.25", "+0.12 to +0.38"))
