"""Selections: their columns, their order, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dbgan.corpus.selection import SELECTION, read_selection, write_selection
from dbgan.errors import CorpusError
from tests.corpus.test_read import row


def test_rows_come_back_sorted_by_key_whatever_the_order(tmp_path: Path) -> None:
    rows = [row("b/1", "val"), row("a/1"), {**row("a/2", keep=False), "rule": "too_dark", "limit": 0.1}]
    write_selection(tmp_path / "one.parquet", rows)
    write_selection(tmp_path / "two.parquet", rows[::-1])
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    table = read_selection(tmp_path / "one.parquet")
    assert list(table.columns) == SELECTION.names
    assert table.to_dict("records") == sorted(rows, key=lambda r: str(r["key"]))


def test_a_table_read_and_written_is_the_same_file_and_is_not_rewritten(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    write_selection(path, [row("a/1"), row("a/2")])
    before = path.stat().st_ino
    write_selection(path, read_selection(path))
    assert path.stat().st_ino == before
    assert b"pandas" not in (pq.read_schema(path).metadata or {})


def test_an_empty_selection_can_be_written_and_read(tmp_path: Path) -> None:
    write_selection(tmp_path / "s.parquet", [])
    assert len(read_selection(tmp_path / "s.parquet")) == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{**row("a/1"), "extra": 1}], "expected exactly the columns"),
        ([row("a/1", "training")], "split 'training' is not one of train, val, test"),
        ([row("a/1"), row("a/1")], "the key a/1 comes twice"),
    ],
)
def test_wrong_rows_are_refused(tmp_path: Path, rows: list[dict[str, object]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_selection(tmp_path / "s.parquet", rows)
    assert not (tmp_path / "s.parquet").exists()


def test_a_file_that_is_no_selection_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no such selection"):
        read_selection(tmp_path / "gopro.selection.parquet")
    with pytest.raises(CorpusError, match="expected the columns key, sequence, split"):
        read_selection(corpus / "shards.parquet")
    with pytest.raises(CorpusError, match="cannot be read"):
        read_selection(corpus / "corpus.json")
