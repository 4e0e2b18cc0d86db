"""Curves: the points drawn are the file's numbers, stages join up, and dark mode can colour them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from dbgan.report.curves import Line, chained, draw, panels, phase_starts, ticks


def test_points_are_placed_in_proportion() -> None:
    svg = ElementTree.fromstring(str(draw("loss", [Line("l1", ((0.0, 0.0), (50.0, 10.0), (100.0, 5.0)))])))
    polyline = next(element for element in svg if element.tag == "polyline")
    (x0, y0), (x1, y1), (x2, y2) = (map(float, pair.split(",")) for pair in polyline.attrib["points"].split())
    assert abs((x1 - x0) - (x2 - x1)) < 0.11
    assert abs((y0 - y1) - 2 * (y2 - y1)) < 0.21
    assert polyline.attrib["class"] == "line-l1"
    assert "from 0 to 5" in svg.attrib["aria-label"]


def test_ticks_cover_the_range_with_round_numbers() -> None:
    for low, high in ((0.0, 1.0), (24.31, 27.9), (-3.0, 2.0), (5.0, 5.0), (1e-5, 3e-5)):
        made = ticks(low, high)
        assert made[0] <= low <= high <= made[-1]
        assert 2 <= len(made) <= 7
        assert all(re.fullmatch(r"-?[0-9.]{1,6}(e-\d+)?", f"{value:.4g}") for value in made)


def test_a_child_goes_on_from_the_last_row_of_its_parent() -> None:
    tables = {
        "l1": {"step": [100.0, 800.0], "val_psnr": [24.0, 27.0]},
        "base": {"step": [50.0, 150.0], "val_psnr": [26.5, 26.8], "d_loss": [1.5, 1.4]},
    }
    joined = chained(tables, {"base": "l1"})
    assert joined["l1"] == tables["l1"]
    assert joined["base"]["step"] == [800.0, 850.0, 950.0]
    assert joined["base"]["val_psnr"] == [27.0, 26.5, 26.8]
    assert joined["base"]["d_loss"] == ["", 1.5, 1.4]


def test_a_panel_per_numeric_column_with_last_values() -> None:
    made = panels({"l1": {"step": [1.0, 2.0], "phase": ["a", "a"], "content": [0.5, 0.25], "gone": ["", ""]}})
    assert [(panel.column, panel.last) for panel in made] == [("content", (("l1", "0.25"),))]


def test_a_companion_is_drawn_beside_its_host_and_not_alone() -> None:
    table = {"step": [1.0, 2.0], "psnr": [24.0, 26.0], "psnr_input": [24.5, 24.5]}
    (panel,) = panels({"l1": table, "base": table})
    assert panel.last == (("l1", "26"), ("base", "26"), ("input", "24.5"))
    assert str(panel.svg).count("polyline") == 3


def test_phases_begin_after_the_row_before() -> None:
    assert phase_starts({"step": [50.0, 100.0, 150.0], "phase": ["warmup", "warmup", "real"]}) == ((100.0, "real"),)
