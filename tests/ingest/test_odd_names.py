"""Names of any kind, links and files that cannot be read, from the raw folder to a verified corpus."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from dbgan import files
from dbgan.corpus import Corpus
from dbgan.corpus.layout import KEY_PART, origin_digest
from dbgan.ingest import ingest

from .conftest import CAPTURES, pixels, put, raw_png

NAMES = [
    "写真/桜.png",
    "фото/кот.png",
    "a\nb/line\nbreak.png",
    "tab\there/x\ty.png",
    "emoji 🙂/🙂.png",
    "e\u0301/e\u0301.png",
    "é/é.png",
    "IMG/photo.png",
    "img/photo.png",
    "img/PHOTO.png",
    "-rf/--help.png",
    "$(touch ran)/`touch ran`.png",
    "pipe:x/pipe:touch ran #.png",
    "nul/con.png",
    ("long" * 40) + "/" + ("name" * 40) + ".png",
    "__name__/__name__.png",
    "undecodable\udce9/caf\udce9.png",
    "rtl\u202e/gnp.\u202egnp.png",
]


def test_names_of_any_kind_arrive_whole_and_apart(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    try:
        for number, name in enumerate(NAMES):
            put(root / name, raw_png(pixels(number)))
    except (OSError, UnicodeError) as error:
        pytest.skip(f"this file system cannot hold such names: {error}")
    report = ingest("c", CAPTURES, root, tmp_path / "c")
    assert (report.samples, report.rejects) == (len(NAMES), 0)
    corpus = Corpus.open(tmp_path / "c")
    assert corpus.verify() == []
    assert len({key.casefold() for key in corpus.keys}) == len(NAMES)
    assert all(KEY_PART.fullmatch(part) for key in corpus.keys for part in key.split("/"))
    tars = [tar.name for tar in (tmp_path / "c").glob("*.tar")]
    assert len({name.casefold() for name in tars}) == len(tars) >= len({name.split("/")[0] for name in NAMES})
    found = {sample.meta["origin"]: sample.images["blur"] for sample in corpus}
    for number, name in enumerate(NAMES):
        assert np.array_equal(found[origin_digest(name)], pixels(number)), name
    assert len(list(corpus.stream())) == len(NAMES)
    again = ingest("c", CAPTURES, root, tmp_path / "c")
    assert (again.built, again.samples) == (0, len(NAMES))


def test_links_and_unreadable_files_are_rejects_of_a_sound_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root, secret = tmp_path / "raw", tmp_path / "private"
    put(secret / "passport.png", raw_png(pixels(50)))
    put(root / "a" / "1.png", raw_png(pixels(1)))
    put(root / "a" / "locked.png", raw_png(pixels(2)))
    (root / "a" / "out.png").symlink_to(secret / "passport.png")
    (root / "a" / "up.png").symlink_to(Path("..") / ".." / "private" / "passport.png")
    (root / "a" / "dir").symlink_to(secret)
    (root / "a" / "again.png").symlink_to(root / "a" / "1.png")
    (root / "a" / "loop.png").symlink_to(root / "a" / "loop.png")
    os.mkfifo(root / "a" / "pipe.png")
    real = files.sha256_file

    def guarded(path: Path) -> str:  # permissions do not hold for root, who may be running the tests
        if path.name == "locked.png":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(files, "sha256_file", guarded)
    ingest("c", CAPTURES.model_copy(update={"max_reject_fraction": 1.0}), root, tmp_path / "c")
    rows = pq.read_table(tmp_path / "c" / "rejects.parquet").to_pylist()
    expected = {
        "a/locked.png": "unreadable",
        "a/out.png": "outside_root",
        "a/up.png": "outside_root",
        "a/dir": "outside_root",
        "a/loop.png": "outside_root",
        "a/pipe.png": "unreadable",
    }
    found = {row["origin"]: row["reason"] for row in rows}
    assert found.keys() == {origin_digest(path) for path in expected}
    expected.pop("a/loop.png")  # what a link to itself points at differs between systems
    assert {path: found[origin_digest(path)] for path in expected} == expected
    corpus = Corpus.open(tmp_path / "c")
    assert corpus.keys == ["a/1", "a/again"]
    assert corpus.verify() == []
    assert not any(np.array_equal(sample.images["blur"], pixels(50)) for sample in corpus)
    assert "a/out.png (outside_root" in capsys.readouterr().out
    assert json.loads((tmp_path / "c" / "corpus.json").read_bytes())["counts"]["rejects"] == 6
