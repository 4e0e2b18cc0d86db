"""The page in a real browser: it draws every picture, says nothing on the console and asks for nothing from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.report.conftest import Project
from tests.review.chromium import Tab

WATCH = """<script>
window.problems = [];
addEventListener("error", (event) => problems.push(event.message || `cannot load ${event.target.outerHTML}`), true);
addEventListener("unhandledrejection", (event) => problems.push(String(event.reason)));
console.error = (...words) => problems.push(words.join(" "));
</script>"""

TELL = """<script>
addEventListener("load", () => {
  const pictures = [...document.images];
  const told = {
    problems,
    pictures: pictures.length,
    empty: pictures.filter((picture) => !picture.naturalWidth).map((picture) => picture.alt),
    sliders: document.querySelectorAll(".stage input[type=range]").length,
    requested: [
      ...performance.getEntriesByType("resource").map((entry) => entry.name),
      ...[...document.querySelectorAll("[src], link[href]")].map((element) => element.src || element.href),
    ].map((address) => address.slice(0, 200)),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  };
  const output = Object.assign(document.createElement("output"), { id: "told", textContent: JSON.stringify(told) });
  document.body.append(output);
});
</script>"""


def opened(browser: Tab, page: str, folder: Path, width: int = 1280) -> dict[str, Any]:
    """What the page tells of itself, in a window of `width` px."""
    file = folder / "watched.html"
    # The load event waits for every picture that is not lazy, so nothing has to be waited for afterwards.
    page = page.replace(' loading="lazy"', "")
    file.write_text(page.replace("<head>", f"<head>{WATCH}", 1).replace("</body>", f"{TELL}</body>", 1))
    browser.resize(width)
    browser.send("Page.navigate", url=file.as_uri())
    return json.loads(browser.wait("document.getElementById('told')?.textContent"))


def test_the_page_draws_every_picture_without_an_error_or_a_request(
    project: Project, browser: Tab, tmp_path: Path
) -> None:
    page = project.build()
    told = opened(browser, page, tmp_path)
    assert told["problems"] == []
    assert browser.said == []
    assert told["sliders"] == 3
    assert told["pictures"] == page.count("<img ") + 2 * told["sliders"]
    assert told["empty"] == []
    assert [name for name in told["requested"] if not name.startswith("data:")] == []


@pytest.mark.parametrize("width", [1400, 820, 500])
def test_the_page_is_never_wider_than_the_window(project: Project, browser: Tab, tmp_path: Path, width: int) -> None:
    assert opened(browser, project.build(), tmp_path, width)["overflow"] == 0


def test_the_watch_notices_a_broken_picture_a_script_error_and_a_foreign_file(
    project: Project, browser: Tab, tmp_path: Path
) -> None:
    broken = (
        '<img alt="broken" src="data:image/png;base64,AAAA"><script>nonsense()</script><script src="x.js"></script>'
    )
    told = opened(browser, project.build().replace("</main>", f"{broken}</main>", 1), tmp_path)
    assert told["empty"] == ["broken"]
    assert any("nonsense is not defined" in words for words in told["problems"])
    assert any(name.endswith("x.js") for name in told["requested"])
    assert any("nonsense is not defined" in words for words in browser.said)
