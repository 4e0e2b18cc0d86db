"""Folding: rows of many shards, old and new, become one sorted table whose bytes do not tell how it came about."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dbgan.corpus import fold, tables
from dbgan.engine import build_corpus
from dbgan.errors import CorpusError
from tests.corpus.tiny import HEADER, TinyBuilder, contents, plan

SCHEMA = pa.schema([("key", pa.string()), ("shard", pa.string())])


def run(shard: str, *keys: str) -> fold.Run:
    """A run of the keys."""
    table = pa.table({"key": list(keys), "shard": [shard] * len(keys)}, schema=SCHEMA)
    return fold.Run(keys[0], lambda: table)


@pytest.mark.parametrize("at_least", [1, 2, 3, 100])
def test_runs_that_overlap_in_any_way_come_out_sorted(at_least: int) -> None:
    runs = [run("d", "d/1"), run("a", "a/1", "a/4", "c/9"), run("b", "a/2", "a/3"), run("c", "a/5", "b/1", "e/1")]
    found = pa.concat_tables(fold.merged(runs, at_least, Path("c")))
    assert found.column("key").to_pylist() == ["a/1", "a/2", "a/3", "a/4", "a/5", "b/1", "c/9", "d/1", "e/1"]
    assert found.column("shard").to_pylist() == ["a", "b", "b", "a", "c", "c", "a", "d", "c"]


@pytest.mark.parametrize("at_least", [1, 100])
def test_a_key_in_two_runs_is_an_error_naming_both(at_least: int) -> None:
    with pytest.raises(CorpusError, match="the key a/2 is in shard x and in shard y"):
        list(fold.merged([run("x", "a/1", "a/2"), run("y", "a/2")], at_least, Path("c")))


@pytest.mark.parametrize("row_group", [1, 2, 3, 100])
def test_how_rows_arrive_does_not_show_in_the_file(tmp_path: Path, row_group: int) -> None:
    keys = [f"a/{number}" for number in range(7)]
    whole = run("s", *keys).load()
    fold.write(tmp_path / "one", SCHEMA, [whole], row_group)
    fold.write(tmp_path / "two", SCHEMA, [whole.slice(0, 1), whole.slice(1, 5), whole.slice(6)], row_group)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert pq.read_table(tmp_path / "one").column("key").to_pylist() == keys
    assert pq.ParquetFile(tmp_path / "one").num_row_groups == -(-7 // row_group)


@pytest.mark.parametrize("row_group", [1, 2, 5, 100])
def test_a_corpus_that_grew_is_the_one_built_at_once(
    tmp_path: Path, row_group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", row_group)
    # Shards of one sequence whose keys lie between each other's, as those of variants do.
    first = [plan("a", {f"{n:03d}": n for n in range(0, 9, 2)}), plan("c", {"001": 7, "002": -1})]
    later = [plan("a", {f"{n:03d}": n for n in range(1, 9, 2)}, 1), plan("a-b", {"001": 1}), plan("b", {"001": 2})]
    build_corpus(tmp_path / "grown", HEADER, TinyBuilder(), first)
    report = build_corpus(tmp_path / "grown", HEADER, TinyBuilder(), [*first, *later])
    assert (report.built, report.reused) == (3, 2)
    build_corpus(tmp_path / "fresh", HEADER, TinyBuilder(), [*later, *first])
    assert contents(tmp_path / "grown") == contents(tmp_path / "fresh")


def test_memory_holds_a_row_group_and_not_the_table() -> None:
    def rows(number: int) -> pa.Table:
        keys = [f"{number:04d}/{frame:03d}" for frame in range(100)]
        return pa.table({"key": keys, "shard": [f"{number:04d}-000"] * 100}, schema=SCHEMA)

    before, most = pa.total_allocated_bytes(), 0
    tracemalloc.start()
    runs = [fold.Run(f"{number:04d}/000", lambda number=number: rows(number)) for number in range(500)]
    for _ in fold.merged(runs, 1000, Path("c")):
        most = max(most, pa.total_allocated_bytes() - before)
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10 * 1000 * 40
    assert python < 1_000_000
