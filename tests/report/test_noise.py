"""A BGAN's sheets cut into squares by the layout that its summary names, so that z can be walked."""

from __future__ import annotations

import base64
import json

import numpy as np

from dbgan.image.codec import decode
from dbgan.report.inputs import Inputs
from dbgan.report.noise import beside, cells, drawn, layout
from dbgan.report.pictures import Album, Fit
from tests.report.conftest import SHEETS, WALK, Project, sheet


def album(project: Project) -> Album:
    root = project.root
    return Album(Inputs(root / "reports", root / "models", root / "datasets"), Fit(100, 1600))


def test_every_square_is_found_in_its_column() -> None:
    found = cells(sheet(5), 5, 4)
    assert [[int(cell.max()) for cell in column] for column in found] == [[c, 10 + c] for c in range(5)]
    assert all(cell.shape == (8, 8, 3) and cell.min() == cell.max() for column in found for cell in column)
    row = beside(found[1], 4)
    assert row.shape == (8, 20, 3)
    assert row[0, :, 0].tolist() == [1] * 8 + [255] * 4 + [11] * 8


def test_a_picture_of_another_layout_is_not_cut() -> None:
    assert cells(np.zeros((20, 56, 3), np.uint8), 5, 4) == []
    assert cells(sheet(5)[:, :-1], 5, 4) == []
    assert cells(sheet(5)[:-1], 5, 4) == []
    assert cells(sheet(5), 4, 4) == []
    assert cells(sheet(5), 0, 0) == []


def test_a_summary_without_layouts_names_no_columns() -> None:
    assert layout(SHEETS, "walk.png") == (WALK, 4)
    for other in (None, [], {}, {"walk.png": 3}, {"walk.png": {"columns": "a", "gap": 4}}):
        assert layout(other, "walk.png") == ((), 0)


def test_the_walk_shows_the_frames_under_each_z_in_order(project: Project) -> None:
    (bgan,) = drawn(album(project), project.params)
    assert [words for words, _ in bgan.walk] == list(WALK)
    assert bgan.columns == ("sharp", "z 1", "a real capture")
    assert bgan.strip is not None
    for number, (_, picture) in enumerate(bgan.walk):
        shown = decode(base64.b64decode(picture.uri.partition(",")[2])).astype(int)
        assert shown.shape == (8, 20, 3)
        assert abs(shown[:, :8].mean() - number) < 1.5
    strip = decode(base64.b64decode(bgan.strip.uri.partition(",")[2])).astype(int)
    assert strip.shape == (20, 12 * len(WALK) - 4, 3)
    assert abs(strip[12:, :8].mean() - 10) < 1.5


def test_a_walk_that_is_not_as_its_summary_says_is_missed_in_words(project: Project) -> None:
    summary = project.root / "models/bgan/demo/summary.json"
    values = json.loads(summary.read_text())
    values["pictures"]["walk.png"]["columns"].append("one too many")
    summary.write_text(json.dumps(values))
    pictures = album(project)
    (bgan,) = drawn(pictures, project.params)
    assert (bgan.strip, bgan.walk) == (None, ())
    assert "walk.png is not laid out as its summary.json says. Next: dvc repro train_bgan@demo" in (
        pictures.inputs.missing[-1].words()
    )
