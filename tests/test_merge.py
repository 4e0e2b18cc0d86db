"""Merged corpora: bytes are taken over, equal samples are there once, colliding sequences get another name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dbgan.corpus import Corpus, Header
from dbgan.corpus.verify import verify
from dbgan.engine import build_corpus
from dbgan.errors import CorpusError, ParamsError
from dbgan.merge import merge
from tests.corpus.tiny import HEADER, TinyBuilder, contents, picture, plan, plans


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path / "state"))


def build(path: Path, *made: object, header: Header = HEADER) -> Path:
    build_corpus(path, replace(header, name=path.name), TinyBuilder(), list(made))  # type: ignore[arg-type]
    return path


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """a/001 a/002 | a/004 | b/001 b/002, and two rejects."""
    return build(tmp_path / "first", *plans())


def test_sequences_of_one_corpus_are_taken_over_byte_for_byte(first: Path, tmp_path: Path) -> None:
    second = build(tmp_path / "second", plan("d", {"001": 80}), plan("e", {"001": 90, "002": -4}))
    report = merge([first, second], tmp_path / "out")
    assert (report.built, report.samples, report.rejects) == (6, 7, 3)
    tars = {name: data for name, data in contents(tmp_path / "out").items() if name.endswith(".tar")}
    given = {**contents(first), **contents(second)}
    assert tars == {name: data for name, data in given.items() if name.endswith(".tar")}
    assert verify(tmp_path / "out") == []
    opened = Corpus.open(tmp_path / "out")
    np.testing.assert_array_equal(opened["d/001"].images["sharp"], picture(81))
    columns = ["blur_pixels_sha256", "shard", "origin"]
    whole = Corpus.open(first).table(columns).values.tolist() + Corpus.open(second).table(columns).values.tolist()
    assert opened.table(columns).values.tolist() == whole


def test_merging_again_reuses_every_shard_and_a_grown_source_costs_its_own(first: Path, tmp_path: Path) -> None:
    second = build(tmp_path / "second", plan("d", {"001": 80}))
    merge([first, second], tmp_path / "out")
    before = contents(tmp_path / "out")
    assert merge([first, second], tmp_path / "out").built == 0
    assert contents(tmp_path / "out") == before
    build(second, plan("d", {"001": 80}), plan("e", {"001": 90}))
    report = merge([first, second], tmp_path / "out")
    assert (report.built, report.reused) == (1, 5)


def test_equal_samples_are_taken_once_and_it_is_said(
    first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = build(tmp_path / "second", plan("b", {"002": 60, "003": 70}))
    merge([first, second], tmp_path / "out")
    note = "1 samples of sequence b of second were there already, equal."
    assert f"out: {note}\n" in capsys.readouterr().out
    assert note in (tmp_path / "out" / "README.md").read_text()
    opened = Corpus.open(tmp_path / "out")
    assert opened.keys == ["a/001", "a/002", "a/004", "b/001", "b/002", "b/003"]
    assert opened.shard_keys()["b-001"] == ["b/003"]
    assert verify(tmp_path / "out") == []


def test_a_sequence_with_other_samples_under_equal_keys_gets_the_corpus_s_name(
    first: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = build(tmp_path / "second", plan("b", {"002": 61, "003": 70}))
    merge([first, second], tmp_path / "out")
    said = capsys.readouterr().out
    assert "Sequence b of second is b-second here (2 samples)" in said
    assert "such as b/002" in said
    opened = Corpus.open(tmp_path / "out")
    assert opened.keys[-2:] == ["b/001", "b/002"]  # "-" sorts before "/"
    renamed = opened["b-second/002"]
    np.testing.assert_array_equal(renamed.images["blur"], picture(61))
    assert (renamed.meta["key"], renamed.meta["sequence"]) == ("b-second/002", "b-second")
    assert verify(tmp_path / "out") == []


def test_three_corpora_of_one_name_all_find_a_place(tmp_path: Path) -> None:
    folders = [build(tmp_path / str(n) / "c", plan("a", {"001": 10 * n + 10})) for n in range(3)]
    merge(folders, tmp_path / "out")
    assert len(Corpus.open(tmp_path / "out")) == 3
    assert verify(tmp_path / "out") == []


def test_a_name_too_long_for_a_key_ends_in_a_digest(tmp_path: Path) -> None:
    sequence, frame = "s" * 60, "f" * 25
    folders = [build(tmp_path / f"corpus-{n}", plan(sequence, {frame: 10 * n + 10})) for n in range(2)]
    merge(folders, tmp_path / "out")
    assert all(len(key) <= 90 for key in Corpus.open(tmp_path / "out").keys)
    assert verify(tmp_path / "out") == []


def test_the_header_names_what_was_merged(first: Path, tmp_path: Path) -> None:
    other = replace(HEADER, codecs={"opencv": "4"}, notes=("odd",), quality=False)
    second = build(tmp_path / "second", plan("d", {"001": 80}), header=other)
    merge([first, second], tmp_path / "out")
    said = json.loads((tmp_path / "out" / "corpus.json").read_text())
    assert [part["name"] for part in said["params"]["merged"]] == ["first", "second"]
    assert said["codecs"] == {"opencv": "4 or 5"}
    assert said["quality"] is False
    assert said["notes"][0] == "odd"


def test_a_damaged_source_fails_the_merge_and_names_the_sample(first: Path, tmp_path: Path) -> None:
    second = build(tmp_path / "second", plan("d", {"001": 80}))
    data = bytearray((second / "d-000.tar").read_bytes())
    data[700] ^= 1
    (second / "d-000.tar").write_bytes(bytes(data))
    with pytest.raises(Exception, match="sample d/001: the bytes of blur are not those of the manifest"):
        merge([first, second], tmp_path / "out")


def test_different_kinds_and_a_single_corpus_are_refused(first: Path, tmp_path: Path) -> None:
    from dbgan.corpus.tables import finish
    from dbgan.corpus.write import write_shard
    from tests.corpus.tiny import sample

    receipt = write_shard(tmp_path / "s", plan("a", {"1": 1}), "sharp", "png", [sample("a/001", 1, "sharp")])
    finish(tmp_path / "s", replace(HEADER, kind="sharp"), [receipt])
    with pytest.raises(CorpusError, match=r"first: paired, png, ingested\n.*s: sharp, png, ingested"):
        merge([first, tmp_path / "s"], tmp_path / "out")
    with pytest.raises(ParamsError, match="two or more different corpora"):
        merge([first, first], tmp_path / "out")
    with pytest.raises(ParamsError, match="another --out"):
        merge([first, tmp_path / "s"], first)
