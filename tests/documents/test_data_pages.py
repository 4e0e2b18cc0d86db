"""docs/data/: the commands of each page, as written, on a miniature of what the page is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dbgan.corpus import Corpus
from dbgan.image.codec import decode
from tests.conftest import PROJECT
from tests.documents.reading import DOCUMENTS, commands
from tests.documents.running import run
from tests.ingest.conftest import photo, pixels, put, raw_png
from tests.ingest.test_clips import clip
from tests.ingest.test_presets import SETS
from tests.ingest.test_tars import tar
from tests.ingest.test_windows import moving, put_frames


def public(root: Path, preset: str, *lists: str) -> None:
    """The pairs of a public set by their documented names, and split lists that name all of them."""
    pairs = SETS[preset]["pairs"]
    for number, (blur, sharp, _) in enumerate(pairs):
        put(root / blur, raw_png(pixels(number)))
        put(root / sharp, raw_png(pixels(number + 100)))
    for name in lists:
        put(root / name, "".join(f"{sharp} {blur}\n" for blur, sharp, _ in pairs).encode())


def bsd(raw: Path, home: Path) -> None:
    public(raw / "BSD", "bsd")


def hide(raw: Path, home: Path) -> None:
    public(raw / "HIDE_dataset", "hide")


def reds(raw: Path, home: Path) -> None:
    public(raw / "REDS", "reds")


def realblur(raw: Path, home: Path) -> None:
    public(raw / "RealBlur", "realblur-j", "RealBlur_J_train_list.txt")


def rsblur(raw: Path, home: Path) -> None:
    public(raw / "RSBlur", "rsblur", "RSBlur_real_test.txt")
    for _, sharp, _ in SETS["rsblur"]["pairs"]:
        put((raw / "RSBlur" / sharp).parent.parent / "avg65_img" / "avg_blur.png", raw_png(pixels(7)))


def rwbi(raw: Path, home: Path) -> None:
    put(raw / "RWBI" / "iphone" / "street" / "a.jpg", photo(1))


def gopro(raw: Path, home: Path) -> None:
    """Frames 1 to 14 of a clip, and the two pairs that the official rule makes of them."""
    put_frames(raw / "GOPRO_Large_all/train/GOPR0372_07_00", range(1, 15))
    for centre in (4, 11):
        frames = [moving(number).astype(np.int64) for number in range(centre - 3, centre + 4)]
        made = {"blur": np.round(np.sum(frames, axis=0) / 7).astype(np.uint8), "sharp": moving(centre)}
        for side, picture in made.items():
            put(raw / f"GOPRO_Large/train/GOPR0372_07_00/{side}/{centre:06d}.png", raw_png(picture))


def own(raw: Path, home: Path) -> None:
    put(home / "photos/pixel-8/walk/IMG_1.jpg", photo(1))
    (home / "clips").mkdir(parents=True)
    clip(home / "clips/walk.mp4", 16)
    put_frames(home / "240fps/clip", range(1, 12))
    for name in ("scene/{}/1.png", "walk-01_{}.png"):
        sides = ("input", "target") if "scene" in name else ("in", "out")
        for number, side in enumerate(sides):
            put(home / "pairs" / name.format(side), raw_png(pixels(number)))
    files = {f"s/1.{field}.png": raw_png(pixels(number)) for number, field in enumerate(("lq", "gt"))}
    tar(home / "old-shards/a.tar", files)


PAGES: dict[str, Callable[[Path, Path], None]] = {
    "docs/data/bsd.md": bsd,
    "docs/data/gopro.md": gopro,
    "docs/data/hide.md": hide,
    "docs/data/own.md": own,
    "docs/data/realblur.md": realblur,
    "docs/data/reds.md": reds,
    "docs/data/rsblur.md": rsblur,
    "docs/data/rwbi.md": rwbi,
}


def test_there_is_a_miniature_for_every_page() -> None:
    assert set(PAGES) == {name for name in DOCUMENTS if name.startswith("docs/data/") and commands(name)}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_s_commands_work_on_a_miniature_of_its_set(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    PAGES[page](tmp_path / "datasets/raw", tmp_path / "home")
    for command in commands(page):
        assert not command.needs
        run(command, monkeypatch)
        corpus = Corpus.open(command.parts[0][3])
        assert len(corpus) > 0
        assert corpus.verify() == []


def test_the_pairs_of_gopro_come_out_as_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `--check-against` said of equal pairs is true: looked at here by other means."""
    monkeypatch.chdir(tmp_path)
    gopro(tmp_path / "datasets/raw", tmp_path)
    said = [run(command, monkeypatch) for command in commands("docs/data/gopro.md")]
    assert "2 pairs have the pixels of GOPRO_Large, bit by bit." in said[1]
    corpus = Corpus.open("datasets/train/gopro-all")
    large = tmp_path / "datasets/raw/GOPRO_Large/train/GOPR0372_07_00"
    for frame, centre in (("000001", "000004"), ("000002", "000011")):
        images = corpus[f"GOPR0372_07_00/{frame}"].images
        assert all(np.array_equal(images[s], decode((large / s / f"{centre}.png").read_bytes())) for s in images)


def test_the_page_of_the_sets_lists_every_page() -> None:
    listed = (PROJECT / "docs/data/README.md").read_text()
    assert [page for page in PAGES if f"]({Path(page).name})" not in listed] == []
