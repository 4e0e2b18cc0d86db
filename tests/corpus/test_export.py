"""Corpora taken apart: plain files, BasicSR's folders, and its paired LMDB read as BasicSR reads it."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from dbgan.corpus import Corpus, export
from dbgan.corpus.selection import write_selection
from dbgan.engine import build_corpus
from dbgan.errors import CorpusError, DbganError, MissingPackageError
from tests.corpus.test_read import KEYS, row
from tests.corpus.tiny import HEADER, TinyBuilder, contents, picture, plan


def read(path: Path) -> np.ndarray:
    """The picture in a file, RGB."""
    return cv2.imread(str(path), cv2.IMREAD_COLOR)[..., ::-1]


def test_extract_writes_the_members_bytes_as_tar_would(corpus: Path, tmp_path: Path) -> None:
    opened = Corpus.open(corpus)
    assert export.extract(opened, tmp_path / "out") == 5
    expected = {f"{key}.{field}.png": opened.encoded(key, field) for key in KEYS for field in ("blur", "sharp")}
    expected |= {f"{key}.json": opened.encoded(key, "json") for key in KEYS}
    assert contents(tmp_path / "out") == expected


def test_extract_takes_one_sequence_and_refuses_an_unknown_one(corpus: Path, tmp_path: Path) -> None:
    opened = Corpus.open(corpus)
    assert export.extract(opened, tmp_path / "b", sequence="b") == 2
    assert {path.parent.name for path in (tmp_path / "b").rglob("*.json")} == {"b"}
    with pytest.raises(CorpusError, match="no sample of sequence 'x'"):
        export.extract(opened, tmp_path / "x", sequence="x")
    assert not (tmp_path / "x").exists()


def test_exports_obey_a_selection(corpus: Path, tmp_path: Path) -> None:
    write_selection(tmp_path / "s.parquet", [row("a/002"), row("b/001"), row("b/002", keep=False)])
    opened = Corpus.open(corpus, tmp_path / "s.parquet")
    assert export.to_folders(opened, tmp_path / "out") == 2
    assert (tmp_path / "out" / "meta_info.txt").read_text().split() == ["a-002.png", "(8,8,3)", "b-001.png", "(8,8,3)"]


def test_folders_pair_by_basicsr_s_rule_of_names(corpus: Path, tmp_path: Path) -> None:
    assert export.to_folders(Corpus.open(corpus), tmp_path / "out") == 5
    # paired_paths_from_meta_info_file: the base name of the GT file, in both folders
    names = [line.split(" ")[0] for line in (tmp_path / "out" / "meta_info.txt").read_text().splitlines()]
    assert names == ["a-001.png", "a-002.png", "a-004.png", "b-001.png", "b-002.png"]
    np.testing.assert_array_equal(read(tmp_path / "out" / "LQ" / names[2]), picture(40))
    np.testing.assert_array_equal(read(tmp_path / "out" / "GT" / names[2]), picture(41))
    # paired_paths_from_folder: equal lists of files
    sides = [sorted(path.name for path in (tmp_path / "out" / side).iterdir()) for side in ("GT", "LQ")]
    assert sides == [names, names]


def test_flat_names_of_different_keys_never_meet(tmp_path: Path) -> None:
    build_corpus(tmp_path / "c", HEADER, TinyBuilder(), [plan("a", {"b-c": 1, "d": 9}), plan("a-b", {"c": 5})])
    export.to_folders(Corpus.open(tmp_path / "c"), tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out" / "GT").iterdir())
    ends = {key: hashlib.sha256(key.encode()).hexdigest()[:8] for key in ("a/b-c", "a-b/c")}
    assert names == sorted([f"a-b-c-{ends['a/b-c']}.png", f"a-b-c-{ends['a-b/c']}.png", "a-d.png"])
    np.testing.assert_array_equal(read(tmp_path / "out" / "LQ" / f"a-b-c-{ends['a-b/c']}.png"), picture(5))


def basicsr_pairs(lq: Path, gt: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pairs as BasicSR's paired_paths_from_lmdb and LmdbBackend find them; BGR to RGB."""
    assert str(lq).endswith(".lmdb")
    assert str(gt).endswith(".lmdb")
    keys = [[line.split(".")[0] for line in (side / "meta_info.txt").open()] for side in (lq, gt)]
    assert set(keys[0]) == set(keys[1])
    clients = [lmdb.open(str(side), readonly=True, lock=False, readahead=False) for side in (lq, gt)]
    found = {}
    for key in sorted(keys[0]):
        images = []
        for client in clients:
            with client.begin(write=False) as transaction:
                data = np.frombuffer(transaction.get(key.encode("ascii")), np.uint8)
            images.append(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
        found[key] = (images[0], images[1])
    for client in clients:
        client.close()
    return found


def test_basicsr_s_reader_finds_every_pair_in_the_lmdb(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "COMMIT_BYTES", 1)  # a transaction for every picture
    assert export.to_lmdb(Corpus.open(corpus), tmp_path / "out") == 5
    assert sorted(contents(tmp_path / "out")) == [
        f"{side}.lmdb/{name}" for side in ("GT", "LQ") for name in ("data.mdb", "meta_info.txt")
    ]
    pairs = basicsr_pairs(tmp_path / "out" / "LQ.lmdb", tmp_path / "out" / "GT.lmdb")
    assert sorted(pairs) == KEYS
    np.testing.assert_array_equal(pairs["b/002"][0], picture(60))
    np.testing.assert_array_equal(pairs["b/002"][1], picture(61))
    lines = (tmp_path / "out" / "GT.lmdb" / "meta_info.txt").read_text().splitlines()
    assert lines[0] == "a/001.png (8,8,3) 1"


def test_lmdb_needs_its_package(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "lmdb", raising=False)
    with pytest.raises(MissingPackageError, match="pip install lmdb"):
        export.to_lmdb(Corpus.open(corpus), tmp_path / "out")


def test_a_damaged_member_stops_an_export_and_leaves_nothing(corpus: Path, tmp_path: Path) -> None:
    tar = corpus / "b-000.tar"
    data = bytearray(tar.read_bytes())
    data[700] ^= 1
    tar.write_bytes(bytes(data))
    with pytest.raises(CorpusError, match="sample b/001: the bytes of blur are not those of the manifest"):
        export.to_folders(Corpus.open(corpus), tmp_path / "new" / "out")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_folder_that_holds_something_is_not_written_into(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(DbganError, match="expected no such folder or an empty one"):
        export.extract(Corpus.open(corpus), tmp_path / "out")
    (tmp_path / "out" / "mine.txt").unlink()
    (tmp_path / f".out{'.partial'}").mkdir()  # what a killed export left
    assert export.extract(Corpus.open(corpus), tmp_path / "out") == 5
    assert [path.name for path in tmp_path.glob(".out*")] == []


def test_a_corpus_of_one_field_has_one_side(tmp_path: Path) -> None:
    from dbgan.corpus.tables import finish
    from dbgan.corpus.write import write_shard
    from tests.corpus.tiny import sample

    receipt = write_shard(tmp_path / "c", plan("a", {"1": 1}), "blurry", "png", [sample("a/001", 1, "blurry")])
    finish(tmp_path / "c", replace(HEADER, kind="blurry"), [receipt])
    export.to_folders(Corpus.open(tmp_path / "c"), tmp_path / "out")
    assert sorted(contents(tmp_path / "out")) == ["LQ/a-001.png", "meta_info.txt"]
