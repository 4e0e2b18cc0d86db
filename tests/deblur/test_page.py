"""The page of before and after: one file, no requests, sliders that move by pointer and by key."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from dbgan.deblur import page
from tests.review.chromium import Tab
from tests.tiny_corpora import moved, scene


def made(count: int = 2) -> bytes:
    pictures = [page.shown(f"picture {i}", moved(scene(i, 90, 120), 7), scene(i, 90, 120)) for i in range(count)]
    return page.page(pictures, 3, "plus.safetensors")


def test_the_page_is_one_file_without_addresses() -> None:
    text = made().decode()
    assert not re.findall(r"(?:src|href)=\"(?!data:)", text)
    assert not re.search(r"https?://", text)
    assert text.count("data:image/jpeg;base64,") == 4
    assert "3 more were restored and are not shown here" in text
    assert text.count('alt="picture 0, before"') == text.count('alt="picture 0, after"') == 1


def test_large_pictures_are_reduced_and_small_ones_are_not() -> None:
    large = np.zeros((1200, 3200, 3), np.uint8)
    assert (page.shown("x", large, large).width, page.shown("x", large, large).height) == (1600, 600)
    assert page.shown("x", scene(1), scene(2)).width == 128


def test_names_cannot_break_out_of_the_page() -> None:
    text = page.page([page.shown('"><script>alert(1)</script>', scene(1), scene(2))], 0, "<b>").decode()
    assert "<script>alert" not in text
    assert "<b>" not in text


@pytest.mark.slow
def test_in_a_browser_the_slider_moves_and_nothing_is_asked_for(tmp_path: Path, browser: Tab) -> None:
    (tmp_path / "compare.html").write_bytes(made())
    browser.send("Page.navigate", url=f"file://{tmp_path / 'compare.html'}")
    browser.wait("document.readyState === 'complete' && document.images.length === 4")
    at = "getComputedStyle(document.querySelector('.pair')).getPropertyValue('--at')"
    assert browser.run(at).strip() == "50%"
    browser.run("document.querySelector('.pair input').focus()")
    for _ in range(4):
        browser.press("ArrowRight")
    assert browser.run(at).strip() == "52%"
    loaded = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
    assert browser.run(loaded) is True
    assert browser.run("document.documentElement.scrollWidth <= innerWidth") is True
    assert browser.problems == []
    assert all(address.startswith(("file:", "data:")) for address in browser.requests)
