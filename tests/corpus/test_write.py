"""One shard: its bytes, its receipt, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from dbgan.corpus.layout import Reject
from dbgan.corpus.receipts import finished
from dbgan.corpus.write import write_shard
from tests.corpus.tiny import contents, plan, sample

PLAN = plan("a", {"001": 1, "002": 2})
# The whole format in one number. If this changes, FORMAT_VERSION must be raised, and every corpus is built again.
GOLDEN = "b76ea228c0c34fe96cc847e492b5f984c2d10a96dda68131129e72aabf35b42f"


def fixed(key: str, value: int) -> object:
    """A sample whose picture bytes do not depend on an encoder."""
    return replace(sample(key, value), fields={"blur": f"blur {value}".encode(), "sharp": f"sharp {value}".encode()})


def test_golden_bytes_of_a_tiny_shard(tmp_path: Path) -> None:
    receipt = write_shard(tmp_path, PLAN, "paired", "png", [fixed("a/001", 1), fixed("a/002", 2)])
    data = (tmp_path / "a-000.tar").read_bytes()
    assert hashlib.sha256(data).hexdigest() == receipt.sha256 == GOLDEN
    assert len(data) == receipt.bytes


def test_tar_headers_hold_nothing_of_the_machine(tmp_path: Path) -> None:
    write_shard(tmp_path, PLAN, "paired", "png", [sample("a/001", 1), sample("a/002", 2)])
    with tarfile.open(tmp_path / "a-000.tar") as tar:
        members = tar.getmembers()
    assert [m.name for m in members] == [
        f"a/{frame}.{suffix}" for frame in ("001", "002") for suffix in ("blur.png", "sharp.png", "json")
    ]
    assert {(m.mode, m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(0o444, 0, 0, 0, "", "")}
    assert not any(m.pax_headers for m in members)


def test_offsets_and_digests_of_a_row_find_the_member(tmp_path: Path) -> None:
    receipt = write_shard(tmp_path, PLAN, "paired", "png", [sample("a/001", 1), sample("a/002", 2)])
    data = (tmp_path / "a-000.tar").read_bytes()
    row = receipt.rows[1]
    for field, expected in sample("a/002", 2).fields.items():
        found = data[row[f"{field}_offset"] : row[f"{field}_offset"] + row[f"{field}_size"]]
        assert found == expected
        assert row[f"{field}_sha256"] == hashlib.sha256(expected).digest()


def test_the_json_member_writes_floats_as_floats_in_sorted_keys_without_spaces(tmp_path: Path) -> None:
    receipt = write_shard(tmp_path, PLAN, "paired", "png", [sample("a/001", 1)])
    row = receipt.rows[0]
    data = (tmp_path / "a-000.tar").read_bytes()[row["json_offset"] :][: row["json_size"]]
    assert b'"iso":100.0' in data
    assert b'"exposure_s":0.0' in data
    assert b'"has_exposure_s":false' in data
    assert b" " not in data.replace(b"ACME One", b"")
    assert list(json.loads(data)) == sorted(json.loads(data))
    assert b"sharpness" not in data


def test_a_shard_whose_inputs_were_all_refused_has_a_receipt_and_no_tar(tmp_path: Path) -> None:
    reject = Reject("0" * 64, "truncated", "ends early", "a")
    receipt = write_shard(tmp_path, PLAN, "paired", "png", [reject])
    assert (receipt.bytes, receipt.sha256, receipt.rows, receipt.rejects) == (0, "", (), (reject,))
    assert list(contents(tmp_path)) == [".receipts/a-000.json"]


def test_a_shard_that_lost_its_last_sample_loses_its_tar(tmp_path: Path) -> None:
    write_shard(tmp_path, PLAN, "paired", "png", [sample("a/001", 1)])
    write_shard(tmp_path, PLAN, "paired", "png", [])
    assert list(contents(tmp_path)) == [".receipts/a-000.json"]


def test_a_builder_that_raises_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> object:
        yield sample("a/001", 1)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_shard(tmp_path, PLAN, "paired", "png", broken())
    assert contents(tmp_path) == {}


def test_a_failed_rebuild_keeps_the_older_shard(tmp_path: Path) -> None:
    write_shard(tmp_path, PLAN, "paired", "png", [sample("a/001", 1)])
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="must be sorted"):
        write_shard(tmp_path, PLAN, "paired", "png", [sample("a/002", 1), sample("a/001", 2)])
    assert contents(tmp_path) == before
    assert list(finished(tmp_path)) == ["a-000"]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([sample("a/002", 1), sample("a/001", 1)], "'a/001' came after 'a/002'; samples must be sorted"),
        ([sample("a/001", 1), sample("a/001", 1)], "must be sorted"),
        ([sample("b/001", 1)], "shard a-000 is of sequence 'a', but got a sample 'b/001'"),
        ([sample("a/001", 1, "sharp")], r"a paired sample has fields \('blur', 'sharp'\), found \['sharp'\]"),
        ([replace(sample("a/001", 1), columns={})], r"missing \['blur_pixels_sha256', 'sharp_pixels_sha256'\]"),
        ([replace(sample("a/001", 1), meta={"key": "a/001"})], r"json: missing \['captured_at'"),
        ([replace(sample("a/001", 1), meta={**sample("a/001", 1).meta, "owner": "Anna"})], r"unknown \['owner'\]"),
        ([replace(sample("a/001", 1), meta=sample("a/002", 1).meta)], "its json member is of 'a/002'"),
        ([replace(sample("a/001", 1), meta={**sample("a/001", 1).meta, "iso": "100"})], "iso: expected float"),
        ([replace(sample("a/001", 1), meta={**sample("a/001", 1).meta, "iso": float("nan")})], "iso: expected float"),
        ([replace(sample("a/001", 1), meta={**sample("a/001", 1).meta, "width": 8.0})], "width: expected int32"),
    ],
)
def test_what_does_not_fit_the_format_is_refused_by_name(tmp_path: Path, samples: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        write_shard(tmp_path, PLAN, "paired", "png", samples)


@pytest.mark.parametrize("shard", ["../a", "pipe:ls", "a/b", ""])
def test_a_shard_name_is_never_a_path_or_a_command(tmp_path: Path, shard: str) -> None:
    with pytest.raises(ValueError, match="shard name"):
        write_shard(tmp_path, replace(PLAN, shard=shard), "paired", "png", [sample("a/001", 1)])


def test_lineage_of_synthesized_pairs_is_in_the_json_and_in_the_row(tmp_path: Path) -> None:
    lineage = {"source_corpus": "s", "source_key": "a/001", "variant": 3, "noise": [1, 0.5]}
    lineage |= {"method": "bgan", "parameters": "{}", "generator": "f" * 64}
    receipt = write_shard(tmp_path, PLAN, "paired", "png", [sample("a/001-v3", 1, **lineage)])
    assert {name: receipt.rows[0][name] for name in lineage} == {**lineage, "noise": [1.0, 0.5]}
    assert b'"noise":[1.0,0.5]' in (tmp_path / "a-000.tar").read_bytes()


def test_what_was_kept_and_what_is_odd_is_told_in_row_and_member(tmp_path: Path) -> None:
    told = replace(sample("a/001", 1), kept=frozenset({"sharp"}), warnings=("sharp:rotated", "blur:lossy"))
    row = write_shard(tmp_path, PLAN, "paired", "png", [told]).rows[0]
    assert (row["blur_kept"], row["sharp_kept"], row["warnings"]) == (False, True, "blur:lossy sharp:rotated")
    with tarfile.open(tmp_path / "a-000.tar") as tar:
        member = json.load(tar.extractfile("a/001.json"))
    assert (member["blur_kept"], member["sharp_kept"]) == (False, True)
    with pytest.raises(ValueError, match="warning 'blur:odd' is not FIELD: and one of"):
        replace(told, warnings=("blur:odd",))
