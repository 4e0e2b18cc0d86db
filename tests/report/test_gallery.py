"""Pictures side by side: blurry first, sharp last, each once, and the detail where blur did most."""

from __future__ import annotations

import base64

import numpy as np

from dbgan.image.codec import decode, encode
from dbgan.report.gallery import detail_box, files_of, gallery
from dbgan.report.inputs import Inputs
from dbgan.report.pictures import LADDER, Album, Fit, embed, following
from tests.report.conftest import VARIANTS, Project, hash_of, picture


def album(project: Project) -> Album:
    root = project.root
    return Album(Inputs(root / "reports", root / "models", root / "datasets"), Fit(100, 1600))


def test_scenes_hold_every_variant_between_blurry_and_sharp(project: Project) -> None:
    found = gallery(album(project), {"city": "base"})
    (first, second), (capture,) = found.restored, found.captures
    assert [shot.name for shot in first.shots] == ["blurry", *VARIANTS, "sharp"]
    assert [shot.name for shot in capture.shots] == ["blurry", *VARIANTS]
    assert (first.preferred, capture.preferred) == ("base", "plus")
    assert [shot.note for shot in second.shots][:2] == ["25.02 dB", "28.13 dB"]
    assert found.counts == (2, 1)
    assert (first.whole, capture.whole, first.shrunk) == (True, False, False)


def test_a_fit_may_shrink_pictures_and_leave_scenes_out(project: Project) -> None:
    pictures = album(project)
    pictures.fit = Fit(90, 16, scenes=1)
    found = gallery(pictures, {})
    assert (len(found.restored), len(found.captures), found.counts) == (1, 1, (2, 1))
    (scene,) = found.restored
    assert scene.shrunk
    assert (scene.shots[0].picture.width, scene.shots[0].picture.height) == (16, 12)


def test_thepictures_shown_are_those_of_their_variant(project: Project) -> None:
    scene = gallery(album(project), {}).restored[0]
    for shot in scene.shots[1:-1]:
        shown = decode(base64.b64decode(shot.picture.uri.partition(",")[2])).astype(int)
        errors = {v: np.abs(shown - decode(picture(hash_of(v, 0)))).mean() for v in VARIANTS}
        assert min(errors, key=errors.__getitem__) == shot.name


def test_the_detail_is_where_sharp_and_blurry_differ_most() -> None:
    blurry = np.full((60, 100, 3), 128, np.uint8)
    sharp = blurry.copy()
    sharp[25:35, 70:80] = 255
    top, left, side = detail_box(blurry, sharp)
    assert top <= 25
    assert left <= 70
    assert top + side >= 35
    assert left + side >= 80


def test_files_may_be_listed_or_named() -> None:
    listed = {"files": ["pictures/00-blur.png", "pictures/00-restored.png"]}
    named = {"files": {"blur": "pictures/00-blur.png", "restored": "pictures/00-restored.png"}}
    assert files_of(listed) == files_of(named) == named["files"]


def test_steps_of_the_ladder_that_cannot_be_enough_are_skipped() -> None:
    first, *_, last = LADDER
    assert [step.weight for step in LADDER] == sorted((step.weight for step in LADDER), reverse=True)
    assert following(first, 150, 100) == LADDER[1]
    assert following(first, 450, 100) == LADDER[2]
    assert following(first, 10_000, 100) == last
    assert following(last, 150, 100) is None


def test_a_flat_figure_stays_png_and_a_large_one_is_shrunk() -> None:
    flat = np.zeros((40, 80, 3), np.uint8)
    png = encode(flat, "png")
    assert embed(flat, "flat", Fit(90, 100), png=png).uri.startswith("data:image/png")
    small = embed(flat, "flat", Fit(90, 20), png=png)
    assert (small.width, small.height) == (20, 10)
    assert small.uri.startswith("data:image/webp")
