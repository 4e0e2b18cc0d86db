"""The page's sliders in a real browser: by mouse and by keyboard, and all magnified squares together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dbgan.report.inputs import Inputs
from dbgan.report.page import render
from dbgan.report.pictures import Fit
from tests.report.conftest import Project
from tests.review.chromium import Tab

SCENE = "#restored .scene:first-of-type"


@pytest.fixture
def page(project: Project, browser: Tab) -> Iterator[Tab]:
    """The report of the tiny project, loaded."""
    project.build()
    browser.send("Page.navigate", url=(project.root / "reports/index.html").as_uri())
    browser.wait("document.readyState === 'complete' && document.querySelectorAll('.stage').length === 3")
    yield browser
    assert browser.problems == []
    assert [url for url in browser.requests if not url.startswith(("data:", "file:", "about:"))] == []


def moved(page: Tab, selector: str, script: str) -> tuple[Any, Any]:
    """A value of the page before and after the arrow key in the control of `selector`."""
    before = page.run(script)
    page.run(f"document.querySelector({json.dumps(selector)}).focus()")
    page.press("ArrowRight")
    return before, page.run(script)


def drag(page: Tab, selector: str, right: int) -> None:
    """Press on the middle of an element, move `right` px and let go."""
    x, y = page.run(
        f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'center'}});"
        " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] })()"
    )
    for kind, at in (("mousePressed", 0), ("mouseMoved", right // 2), ("mouseMoved", right), ("mouseReleased", right)):
        page.send("Input.dispatchMouseEvent", type=kind, x=x + at, y=y, button="left", buttons=1, clickCount=1)


def test_the_comparison_moves_by_mouse_and_by_keyboard(page: Tab) -> None:
    cut = f"document.querySelector('{SCENE} .stage').style.getPropertyValue('--cut')"
    assert moved(page, f"{SCENE} .stage input", cut) == ("50%", "51%")
    drag(page, f"{SCENE} .stage", 100)
    assert float(page.run(cut).rstrip("%")) > 55
    right = f"document.querySelector('{SCENE} .under').src"
    before = page.run(right)
    page.click(f"{SCENE} fieldset label:last-child input[type=radio]")
    assert page.run(right) != before
    assert page.run(f"document.querySelector('{SCENE} .label.right').textContent") == "sharp"


def test_all_magnified_squares_move_together(page: Tab) -> None:
    of_scene = f"new Set([...document.querySelectorAll('{SCENE} .view')].map((d) => d.style.transform + d.style.width))"
    places = f"[...{of_scene}]"
    page.run(f"document.querySelector('{SCENE} .zoom').value = 6")
    before, after = moved(page, f"{SCENE} .zoom", places)
    assert before != after
    assert len(before) == len(after) == 1
    page.run(f"document.querySelector('{SCENE} .across').focus()")
    page.press("Home")
    at_left = page.run(places)
    drag(page, f"{SCENE} .window", -30)
    dragged = page.run(places)
    assert len(dragged) == 1
    assert dragged != at_left
    others = "document.querySelector('#captures .view').style.transform"
    untouched = page.run(others)
    page.click(f"{SCENE} [data-shot=sharp] .whole")
    assert page.run(places) != dragged
    assert page.run(others) == untouched


def test_the_walk_through_z_shows_one_noise_at_a_time(page: Tab) -> None:
    shown = "[...document.querySelectorAll('.walk .shown figcaption')].map((c) => c.textContent)"
    before, after = moved(page, ".walk input", shown)
    assert (len(before), len(after)) == (1, 1)
    assert before != after


def test_a_picture_that_the_page_shrinks_keeps_its_patch_at_full_resolution(
    project: Project, tmp_path: Path, browser: Tab
) -> None:
    inputs = Inputs(project.root / "reports", project.root / "models", project.root / "datasets")
    file = tmp_path / "small.html"
    file.write_bytes(render(inputs, project.params, Fit(90, 16)))  # of pictures of 32x24 px
    browser.send("Page.navigate", url=file.as_uri())
    browser.wait("document.readyState === 'complete' && document.querySelectorAll('.stage').length === 3")
    windows = f"[...document.querySelectorAll('{SCENE} .window')]"
    # the patch fills its square, as it did before any script
    apart = (
        f"{windows}.map((w) => {{ const a = w.getBoundingClientRect(), b = w.querySelector('.detail')"
        ".getBoundingClientRect(); return Math.max(Math.abs(a.x - b.x), Math.abs(a.width - b.width)) })"
    )
    assert max(browser.run(apart)) < 1.5
    browser.click(f"{SCENE} [data-shot=sharp] .whole")
    assert max(browser.run(apart)) > 3
    assert browser.problems == []
