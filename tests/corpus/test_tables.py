"""The tables: their schema, their bytes, and the receipts that come back from them."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dbgan.corpus import tables
from dbgan.corpus.layout import Reject, origin_digest
from dbgan.corpus.receipts import finished, load
from dbgan.corpus.write import write_shard
from dbgan.engine import build_corpus
from dbgan.errors import CorpusError
from dbgan.image.quality import MEASURES
from tests.corpus.tiny import HEADER, TinyBuilder, contents, plan, plans, sample


def test_folding_and_unfolding_gives_back_the_receipts(tmp_path: Path) -> None:
    built = TinyBuilder().open()
    receipts = {p.shard: write_shard(tmp_path, p, "paired", "png", built(p)) for p in plans()}
    assert {shard: load(tmp_path, found) for shard, found in finished(tmp_path).items()} == receipts
    tables.finish(tmp_path, HEADER, receipts.values(), [])
    assert not (tmp_path / ".receipts").exists()
    assert {shard: load(tmp_path, found) for shard, found in finished(tmp_path).items()} == receipts


def test_manifest_columns_of_pairs(corpus: Path) -> None:
    schema = pq.read_schema(corpus / "manifest.parquet")
    assert schema.equals(tables.manifest_schema("paired", False))
    assert schema.names[:4] == ["key", "sequence", "frame", "shard"]
    assert schema.names[-4:] == ["pair_psnr", "blur_phash", "sharp_phash", "time_s"]
    for field in ("blur", "sharp"):
        assert str(schema.field(f"{field}_pixels_sha256").type) == "fixed_size_binary[32]"
        assert {f"{field}_{measure}" for measure in MEASURES} < set(schema.names)
    assert b"pandas" not in (schema.metadata or {})


def test_every_row_is_nullable_in_measures_hashes_and_time_only() -> None:
    schema = tables.manifest_schema("blurry", True)
    nullable = {field.name for field in schema if field.nullable}
    assert nullable == {f"blur_{measure}" for measure in MEASURES} | {"blur_phash", "time_s"}


def test_manifest_rows_are_sorted_by_key_and_in_small_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 2)
    build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans())
    keys = pq.read_table(tmp_path / "c" / "manifest.parquet").column("key").to_pylist()
    assert keys == ["a/001", "a/002", "a/004", "b/001", "b/002"]
    assert pq.ParquetFile(tmp_path / "c" / "manifest.parquet").num_row_groups == 3


def test_rejects_name_their_origin_reason_and_shard(tmp_path: Path) -> None:
    before = Reject(origin_digest("x.png"), "pair_missing", "no sharp frame", "a")
    build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans(), rejects=[before])
    rows = pq.read_table(tmp_path / "c" / "rejects.parquet").to_pylist()
    assert {(r["origin"], r["reason"], r["shard"]) for r in rows} == {
        (origin_digest("x.png"), "pair_missing", ""),
        (origin_digest("a/003"), "truncated", "a-000"),
        (origin_digest("c/001"), "truncated", "c-000"),
    }


def test_corpus_json_counts_what_is_there_and_names_no_machine(corpus: Path) -> None:
    text = (corpus / "corpus.json").read_text()
    values = json.loads(text)
    assert values["counts"] == {
        "samples": 5,
        "shards": 3,
        "bytes": sum(path.stat().st_size for path in corpus.glob("*.tar")),
        "sequences": 2,
        "devices": {"ACME One": 5},
        "sizes": {"8x8": 5},
        "kept": {"blur_kept": 0, "sharp_kept": 0},
        "warnings": {},
        "rejects": 2,
        "reject_reasons": {"truncated": 2},
    }
    assert tables.Header.from_json(values, corpus) == HEADER
    assert str(corpus) not in text


def test_the_same_corpus_in_two_folders_in_two_orders_is_byte_identical(tmp_path: Path) -> None:
    build_corpus(tmp_path / "one", HEADER, TinyBuilder(), plans())
    build_corpus(tmp_path / "deep" / "two", HEADER, TinyBuilder(), plans()[::-1])
    assert contents(tmp_path / "one") == contents(tmp_path / "deep" / "two")


def test_equal_tables_are_not_rewritten(corpus: Path) -> None:
    before = {path: path.stat().st_ino for path in corpus.iterdir()}
    tables.finish(corpus, HEADER, list(finished(corpus).values())[::-1])
    assert {path: path.stat().st_ino for path in corpus.iterdir()} == before


def test_a_key_in_two_shards_is_an_error_naming_both(tmp_path: Path) -> None:
    receipts = [write_shard(tmp_path, plan("a", {"1": 1}, i), "paired", "png", [sample("a/001", 1)]) for i in (0, 1)]
    with pytest.raises(CorpusError, match="the key a/001 is in shard a-000 and in shard a-001"):
        tables.finish(tmp_path, HEADER, receipts)


def test_a_shard_whose_rows_are_not_all_in_the_manifest_counts_as_unfinished(corpus: Path, tmp_path: Path) -> None:
    # As after a kill between manifest.parquet and shards.parquet, with a plan that dropped b.
    other = tmp_path / "other"
    build_corpus(other, HEADER, TinyBuilder(), plans()[:2])
    shutil.copy(other / "manifest.parquet", corpus / "manifest.parquet")
    assert sorted(finished(corpus)) == ["a-000", "a-001", "c-000"]


@pytest.mark.parametrize("name", ["manifest.parquet", "shards.parquet", "rejects.parquet", "corpus.json"])
def test_damaged_tables_prove_nothing_and_everything_is_built_again(corpus: Path, name: str) -> None:
    before = contents(corpus)
    (corpus / name).write_bytes(before[name][: len(before[name]) // 2])
    assert finished(corpus) == {}
    assert build_corpus(corpus, HEADER, TinyBuilder(), plans()).built == 4
    assert contents(corpus) == before


def test_a_header_of_another_kind_or_format_is_refused() -> None:
    with pytest.raises(ValueError, match="corpus kind 'video'"):
        replace(HEADER, kind="video")
    with pytest.raises(CorpusError, match="expected corpus format 2, found 99"):
        tables.Header.from_json({**HEADER.to_json(), "format_version": 99}, Path("corpus.json"))
