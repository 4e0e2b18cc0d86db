"""`make docs`: the site builds without a warning, every page is in its menu, and every link arrives."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest

from tests.conftest import PROJECT


class Page(HTMLParser):
    """What a page links to, the pictures it shows with their words, and the places in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.pictures: dict[str, str] = {}
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.places |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "img" and "src" in values:
            self.pictures[values["src"]] = values.get("alt", "")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)],
        cwd=PROJECT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder


def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html") if path.name != "404.html"}


def test_every_document_is_in_the_menu(site: Path) -> None:
    (start,) = (page for path, page in pages(site).items() if path.parent == site)
    menu = {str(Path(urldefrag(link)[0])) for link in start.links}
    for document in (PROJECT / "docs").rglob("*.md"):
        name = document.relative_to(PROJECT / "docs").with_suffix("")
        assert str(name.parent if name.name in ("README", "index") else name) in menu, document


def test_every_link_and_picture_within_the_site_arrives(site: Path) -> None:
    found = pages(site)
    lost: list[tuple[str, str]] = []
    for path, page in found.items():
        for link in page.links + list(page.pictures):
            address, place = urldefrag(link)
            if urlsplit(link).scheme or address.endswith(".md"):  # beside docs/: test_packaging.py
                continue
            target = (path.parent / unquote(address)).resolve() if address else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (place and target.suffix == ".html" and place not in found[target].places):
                lost.append((str(path.relative_to(site)), link))
    assert lost == []


def test_pictures_say_in_words_what_they_show_and_are_small(site: Path) -> None:
    for path, page in pages(site).items():
        for source, words in page.pictures.items():
            if "images/" in source:
                assert len(words) > 20, (path, source)
    assert sum(path.stat().st_size for path in (PROJECT / "docs/images").iterdir()) < 1_000_000
