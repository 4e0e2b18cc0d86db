"""The reader: by position, by key, through a selection, across processes."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from dbgan.corpus import Corpus, tables
from dbgan.corpus.selection import write_selection
from dbgan.engine import build_corpus
from dbgan.errors import CorpusError
from tests.corpus.tiny import HEADER, TinyBuilder, picture, plan, plans

KEYS = ["a/001", "a/002", "a/004", "b/001", "b/002"]


def row(key: str, split: str = "train", keep: bool = True) -> dict[str, object]:
    """A selection row."""
    said = {"rule": "", "measure": "", "value": 0.0, "limit": 0.0, "reason": ""}
    return {"key": key, "sequence": key.split("/")[0], "split": split, "keep": keep, **said}


def test_samples_come_in_the_order_of_their_keys_with_the_pixels_that_went_in(corpus: Path) -> None:
    opened = Corpus.open(corpus)
    assert (len(opened), opened.keys, opened.fields) == (5, KEYS, ("blur", "sharp"))
    assert (opened.name, opened.kind, opened.path) == ("tiny", "paired", corpus)
    for sample, value in zip(opened, (10, 20, 40, 50, 60), strict=True):
        np.testing.assert_array_equal(sample.images["blur"], picture(value))
        np.testing.assert_array_equal(sample.images["sharp"], picture(value + 1))
    assert [sample.meta["key"] for sample in opened] == KEYS


def test_a_position_from_the_end_a_key_and_a_numpy_integer_find_the_same_sample(corpus: Path) -> None:
    opened = Corpus.open(corpus)
    assert opened[-1].key == opened["b/002"].key == opened[np.int64(4)].key == "b/002"


@pytest.mark.parametrize("key", ["a/003", "a/0", "", "z/999"])
def test_a_key_that_is_not_there_is_a_key_error_naming_the_corpus(corpus: Path, key: str) -> None:
    opened = Corpus.open(corpus)
    assert key not in opened
    with pytest.raises(KeyError, match="tiny has no sample"):
        opened[key]


def test_positions_end_with_an_index_error(corpus: Path) -> None:
    with pytest.raises(IndexError):
        Corpus.open(corpus)[5]


def test_encoded_gives_the_bytes_that_tar_gives(corpus: Path) -> None:
    opened = Corpus.open(corpus)
    with tarfile.open(corpus / "a-001.tar") as tar:
        for suffix, field in (("blur.png", "blur"), ("sharp.png", "sharp"), ("json", "json")):
            assert opened.encoded("a/004", field) == tar.extractfile(f"a/004.{suffix}").read()


def test_gnu_tar_extracts_what_the_reader_reads(corpus: Path, tmp_path: Path) -> None:
    if shutil.which("tar") is None:
        pytest.skip("no tar command")
    subprocess.run(["tar", "-xf", corpus / "b-000.tar", "-C", tmp_path], check=True)
    assert (tmp_path / "b" / "001.sharp.png").read_bytes() == Corpus.open(corpus).encoded("b/001", "sharp")


def test_the_table_reads_only_the_columns_asked_for(corpus: Path) -> None:
    table = Corpus.open(corpus).table(["key", "width"])
    assert list(table.columns) == ["key", "width"]
    assert list(table["key"]) == KEYS
    assert Corpus.open(corpus).table().shape[0] == 5
    with pytest.raises(CorpusError, match="no column blur_beauty"):
        Corpus.open(corpus).table(["key", "blur_beauty"])


def test_a_selection_keeps_what_it_keeps_in_its_split(corpus: Path, tmp_path: Path) -> None:
    rows = [row("b/002"), row("a/001", "val"), row("a/002", keep=False), row("a/004"), row("b/001", "test", False)]
    write_selection(tmp_path / "s.parquet", rows)
    assert Corpus.open(corpus, tmp_path / "s.parquet").keys == ["a/001", "a/004", "b/002"]
    train = Corpus.open(corpus, tmp_path / "s.parquet", "train")
    assert train.keys == ["a/004", "b/002"]
    assert [sample.key for sample in train] == ["a/004", "b/002"]
    assert "a/001" not in train
    assert list(train.table(["key"])["key"]) == ["a/004", "b/002"]
    assert Corpus.open(corpus, tmp_path / "s.parquet", "test").keys == []


def test_a_selection_of_another_corpus_is_refused(corpus: Path, tmp_path: Path) -> None:
    write_selection(tmp_path / "s.parquet", [row("a/001"), row("q/001"), row("q/002")])
    with pytest.raises(CorpusError, match=r"names 2 samples that .* does not have, such as q/001"):
        Corpus.open(corpus, tmp_path / "s.parquet")


def test_a_split_without_a_selection_is_refused(corpus: Path) -> None:
    with pytest.raises(ValueError, match="needs a selection"):
        Corpus.open(corpus, split="train")


def test_a_pickled_corpus_reads_on(corpus: Path) -> None:
    opened = Corpus.open(corpus)
    first = opened[0]
    again = pickle.loads(pickle.dumps(opened))
    np.testing.assert_array_equal(again[0].images["blur"], first.images["blur"])


def _keys_read(corpus: Corpus, positions: list[int]) -> list[str]:
    return [corpus[i].meta["key"] for i in positions]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_two_processes_read_the_same_open_corpus(corpus: Path, method: str) -> None:
    opened = Corpus.open(corpus)
    assert opened[0].key == "a/001"
    with multiprocessing.get_context(method).Pool(2) as pool:
        found = pool.starmap(_keys_read, [(opened, [0, 4] * 20), (opened, [3, 1] * 20)])
    assert found == [["a/001", "b/002"] * 20, ["b/001", "a/002"] * 20]


def test_a_corpus_built_again_is_not_read_by_the_offsets_of_another(corpus: Path) -> None:
    opened = pickle.loads(pickle.dumps(Corpus.open(corpus)))
    build_corpus(corpus, HEADER, TinyBuilder(tint=1), [plan("a", {"001": 1})])
    with pytest.raises(CorpusError, match=r"it was built again(.|\n)*Next: open the corpus again"):
        opened["b/001"]


def test_keys_are_found_in_every_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 2)
    build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans())
    opened = Corpus.open(tmp_path / "c")
    assert [opened[key].meta["key"] for key in KEYS] == KEYS
    assert [json.loads(opened.encoded(i, "json"))["key"] for i in range(5)] == KEYS


def test_a_shard_cut_short_is_an_error_and_not_a_short_picture(corpus: Path) -> None:
    opened = Corpus.open(corpus)
    tar = corpus / "b-000.tar"
    tar.write_bytes(tar.read_bytes()[:600])
    with pytest.raises(CorpusError, match=r"b-000.tar: expected \d+ bytes at 512, found 88: the shard is truncated"):
        opened["b/001"]


def test_a_missing_shard_names_the_next_step(corpus: Path) -> None:
    (corpus / "b-000.tar").unlink()
    with pytest.raises(CorpusError, match=r"b-000.tar: the manifest names this shard(.|\n)*dvc pull"):
        Corpus.open(corpus)["b/001"]


def test_what_is_no_corpus_is_refused(tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(CorpusError, match=r"expected a corpus, found no corpus.json"):
        Corpus.open(tmp_path / "nowhere")
    (corpus / "corpus.json").write_text("{")
    with pytest.raises(CorpusError, match="not JSON"):
        Corpus.open(corpus)
    (corpus / "corpus.json").write_text("[]")
    with pytest.raises(CorpusError, match="expected a JSON object, found list"):
        Corpus.open(corpus)
