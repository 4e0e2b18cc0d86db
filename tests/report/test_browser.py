"""The page in a real browser: it draws every picture, says nothing on the console and asks for nothing from outside."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from tests.report.conftest import Project

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr",
)  # fmt: skip

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


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no `chromium` on the PATH: the page is not tried in a browser")
    return found


def opened(browser: str, page: str, folder: Path, width: int = 1280) -> tuple[dict[str, Any], str]:
    """What the page tells of itself, and what the browser logged, in a window of `width` px (at least about 500)."""
    file = folder / "watched.html"
    # The load event waits for every picture that is not lazy, so nothing has to be waited for afterwards.
    page = page.replace(' loading="lazy"', "")
    file.write_text(page.replace("<head>", f"<head>{WATCH}", 1).replace("</body>", f"{TELL}</body>", 1))
    profile = folder / f"profile-{width}"
    command = [browser, *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},900", "--dump-dom", file.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'<output id="told">(.*?)</output>', done.stdout, re.S)
    assert found, f"the page did not finish loading; the browser said:\n{done.stderr[-2000:]}"
    return json.loads(unescape(found.group(1))), done.stderr


def test_the_page_draws_every_picture_without_an_error_or_a_request(
    project: Project, browser: str, tmp_path: Path
) -> None:
    page = project.build()
    told, log = opened(browser, page, tmp_path)
    assert told["problems"] == []
    # Of the page's own lines on the console; the browser's grumbling about its surroundings is not the page's.
    assert "CONSOLE" not in log
    assert told["sliders"] == 3
    assert told["pictures"] == page.count("<img ") + 2 * told["sliders"]
    assert told["empty"] == []
    assert [name for name in told["requested"] if not name.startswith("data:")] == []


@pytest.mark.parametrize("width", [1400, 820, 500])
def test_the_page_is_never_wider_than_the_window(project: Project, browser: str, tmp_path: Path, width: int) -> None:
    assert opened(browser, project.build(), tmp_path, width)[0]["overflow"] == 0


def test_the_watch_notices_a_broken_picture_a_script_error_and_a_foreign_file(
    project: Project, browser: str, tmp_path: Path
) -> None:
    broken = (
        '<img alt="broken" src="data:image/png;base64,AAAA"><script>nonsense()</script><script src="x.js"></script>'
    )
    told, log = opened(browser, project.build().replace("</main>", f"{broken}</main>", 1), tmp_path)
    assert told["empty"] == ["broken"]
    assert any("nonsense is not defined" in words for words in told["problems"])
    assert any(name.endswith("x.js") for name in told["requested"])
    assert "CONSOLE" in log
