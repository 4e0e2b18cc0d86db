"""The page in headless Chromium: keys, sliders, filters, and what is left on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("nicegui", reason="the review page needs the extra `review`")

from dbgan.corpus.selection import read_selection
from dbgan.curate import curate
from dbgan.params import load
from dbgan.review.decisions import Decision, read_decisions
from tests.review.chromium import Tab, until
from tests.review.conftest import SOURCE
from tests.review.test_server import Served, serving

CURSOR = "document.querySelector('.card.cursor .key')?.textContent"
VISIBLE = "[...document.querySelectorAll('.card')].filter(c => c.offsetParent).length"


@pytest.fixture
def browser(browser: Tab) -> Tab:
    browser.resize(1400)
    return browser


@pytest.fixture
def served(project: Path) -> Iterator[Served]:
    with serving(project) as running:
        yield running


def decided(project: Path) -> dict[str, Decision]:
    return read_decisions(project / "datasets" / "reviews" / f"{SOURCE}.csv")


def test_what_is_dropped_by_key_and_limited_by_slider_is_what_curate_leaves_out(
    project: Path, served: Served, browser: Tab
) -> None:
    browser.open(served.address)
    assert browser.run(VISIBLE) == 12
    browser.press("ArrowRight")
    browser.wait(f"{CURSOR} === 'walk-0/00003'")
    browser.press("d")
    until(lambda: decided(project) == {"walk-0/00003": Decision("drop")}, "the decision on disk")
    browser.wait("document.querySelector('.card.drop .mark')?.textContent === 'dropped by hand'")

    browser.run("document.querySelectorAll('[data-measure=blur_sharpness] [tabindex]')[0].focus()")
    said = "document.querySelector('[data-measure=blur_sharpness] .said').textContent"
    for _ in range(3):
        before = browser.run(said)
        browser.press("PageUp")
        browser.wait(f"{said} !== '{before}'")
    assert not browser.run(said).endswith("drops 0")
    until(lambda: browser.run("document.querySelector('.save').disabled") is False, "the button to save")
    limited = browser.run(said)

    browser.open(served.address)
    assert browser.run(said) == limited
    assert browser.run("document.querySelectorAll('.card.drop').length") == 1
    beyond = "[...document.querySelectorAll('.card.beyond')].map(c => c.querySelector('.key').textContent).sort()"
    expected = browser.run(beyond)
    assert len(expected) >= 1
    browser.click(".save")
    until(lambda: load(project / "params.yaml").sources[SOURCE].curate.limits, "the limits in params.yaml")

    corpus = project / "datasets" / "train" / SOURCE
    selection = project / "datasets" / "train" / f"{SOURCE}.selection.parquet"
    params, reviews = (
        load(project / "params.yaml").sources[SOURCE].curate,
        project / "datasets/reviews" / f"{SOURCE}.csv",
    )
    curate(SOURCE, params, corpus, selection, project / "r", "train", reviews)
    rows = read_selection(selection).set_index("key")
    assert sorted(rows.index[~rows["keep"]]) == sorted([*expected, "walk-0/00003"])
    assert sorted(rows.index[rows["rule"] == "limits"]) == expected
    assert browser.problems == []


def test_undo_filters_and_the_full_view(project: Path, served: Served, browser: Tab) -> None:
    browser.open(served.address)
    browser.press("k")
    browser.press("d")
    until(lambda: len(decided(project)) == 2, "two decisions")
    browser.wait("document.querySelector('.counts').textContent.endsWith('1 dropped · 1 kept by hand')")
    browser.press("u")
    until(lambda: decided(project) == {"walk-0/00000": Decision("keep")}, "one decision")
    browser.wait(f"{CURSOR} === 'walk-0/00003'")
    browser.press("ArrowLeft")
    browser.press("f")
    browser.wait("document.querySelector('.full img')?.naturalWidth === 128")
    assert "walk-0/00000" in browser.run("document.querySelector('.full-title').textContent")
    browser.press("f")
    browser.wait("!document.querySelector('.full')?.offsetParent")

    browser.click(".choice")
    browser.wait("document.querySelectorAll('.q-menu .q-item').length === 3")
    browser.run("[...document.querySelectorAll('.q-menu .q-item')].find(i => i.textContent.includes('iPhone')).click()")
    browser.wait(f"{VISIBLE} === 4 && document.activeElement === document.body")
    browser.press("ArrowRight")
    browser.wait(f"{CURSOR} === 'walk-0/00003'")
    assert browser.problems == []


def test_no_letter_of_a_note_is_lost_or_taken_for_a_key(project: Path, served: Served, browser: Tab) -> None:
    browser.open(served.address)
    # All at once, long before the full view is there: U, D, K and F among them are keys of the page.
    for letter in "wdust, fuzzy: undo K":
        browser.press(letter)
    browser.wait("document.querySelector('.note-field')?.value === 'dust, fuzzy: undo K'")
    browser.wait("document.activeElement.className === 'note-field'")
    browser.press("Enter")
    browser.wait("document.activeElement === document.body || !document.activeElement.matches('input')")
    assert decided(project) == {}
    browser.press("d")
    until(lambda: decided(project) == {"walk-0/00000": Decision("drop", "dust, fuzzy: undo K")}, "note and decision")
    browser.wait("document.querySelector('.full-title').textContent.includes('walk-0/00003')")
    browser.wait("document.querySelector('.note-field').value === ''")
    browser.press("ArrowLeft")
    browser.wait("document.querySelector('.note-field').value === 'dust, fuzzy: undo K'")
    for letter in "w!":
        browser.press(letter)
    browser.press("Enter")
    for letter in "w?":
        browser.press(letter)  # the answer to the first is still on its way
    browser.press("Enter")
    until(lambda: decided(project)["walk-0/00000"].note == "dust, fuzzy: undo K!?", "the longer note")
    browser.press("u")
    until(lambda: decided(project)["walk-0/00000"].note == "dust, fuzzy: undo K!", "one step back")
    browser.wait("document.querySelector('.note-field').value === 'dust, fuzzy: undo K!'")
    assert browser.problems == []


def test_the_page_asks_this_server_alone_and_fits_every_window(served: Served, browser: Tab) -> None:
    browser.open(served.address)
    for width in (1400, 820, 420):
        browser.resize(width)
        browser.wait(f"innerWidth === {width}")
        browser.wait("document.documentElement.scrollWidth === document.documentElement.clientWidth")
    own = (served.address, served.address.replace("http", "ws", 1), "data:", "blob:", "about:")
    assert [address for address in browser.requests if not address.startswith(own)] == []
    assert any(address.startswith("ws:") for address in browser.requests)
    assert browser.problems == []
