"""Every way of damaging a corpus is a problem in the list, and a sound corpus has none."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dbgan.corpus import Corpus, croissant
from dbgan.corpus.layout import EncodedSample, Plan, Reject
from dbgan.corpus.tables import finish, manifest_schema
from dbgan.corpus.verify import Problem, verify
from dbgan.corpus.verify_manifest import by_shard, outline
from dbgan.corpus.write import write_shard
from dbgan.engine import build_corpus
from tests.corpus.test_privacy import chunk
from tests.corpus.tiny import HEADER, TinyBuilder, contents, plan, sample

Samples = list[EncodedSample | Reject]


def found(path: Path, quick: bool = False) -> list[tuple[str, str]]:
    """The problems as pairs."""
    return [(problem.where, problem.what) for problem in verify(path, quick=quick)]


def whats(path: Path, quick: bool = False) -> str:
    """All problems as text."""
    return "\n".join(f"{where}: {what}" for where, what in found(path, quick))


def change_manifest(path: Path, change: Callable[[list[dict[str, object]]], object]) -> None:
    """Rewrite manifest.parquet with its rows changed, and croissant.json with the new table's sum."""
    rows = pq.read_table(path / "manifest.parquet").to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=manifest_schema("paired", False)), path / "manifest.parquet")
    croissant.write(path, HEADER)


def corpus_of(path: Path, samples: Samples) -> Path:
    """A corpus of one shard with these samples, whatever is in them."""
    finish(path, HEADER, [write_shard(path, Plan("a-000", "a", "r", ()), "paired", "png", samples)])
    return path


@pytest.mark.parametrize("quick", [False, True])
def test_a_sound_corpus_has_no_problem(corpus: Path, quick: bool) -> None:
    assert found(corpus, quick) == []
    assert Corpus.open(corpus).verify(quick=quick) == []


def test_a_corpus_from_before_a_measure_existed_is_whole_and_readable(corpus: Path) -> None:
    table = pq.read_table(corpus / "manifest.parquet").drop_columns(["blur_sharpness", "sharp_phash"])
    pq.write_table(table, corpus / "manifest.parquet")
    croissant.write(corpus, HEADER)
    assert found(corpus) == []
    assert len(list(Corpus.open(corpus))) == table.num_rows


def test_synthesized_pairs_verify(tmp_path: Path) -> None:
    lineage = {"source_corpus": "s", "source_key": "a/001", "variant": 0, "noise": [0.1], "method": "kernel"}
    lineage |= {"parameters": "{}", "generator": ""}
    receipt = write_shard(tmp_path, plan("a", {"1": 1}), "paired", "png", [sample("a/001-v0", 1, **lineage)])
    finish(tmp_path, replace(HEADER, synthesized=True), [receipt])
    assert found(tmp_path) == []


def test_a_folder_that_is_no_corpus_is_a_problem_and_no_exception(tmp_path: Path) -> None:
    assert "expected a corpus, found no corpus.json" in whats(tmp_path)
    assert "expected a corpus" in whats(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name", ["manifest.parquet", "shards.parquet", "rejects.parquet", "README.md", "croissant.json"]
)
def test_a_missing_table_is_named(corpus: Path, name: str) -> None:
    (corpus / name).unlink()
    assert f"{name}: is missing" in whats(corpus)


def test_a_croissant_that_describes_other_tables_is_named(corpus: Path) -> None:
    croissant.write(corpus, replace(HEADER, name="other"))
    assert found(corpus) == [("croissant.json", "does not describe these tables; `dbgan corpus card` writes it anew")]


def test_any_file_cut_anywhere_is_a_problem_and_no_exception(corpus: Path) -> None:
    whole = contents(corpus)
    for name, data in whole.items():
        if name == "README.md":
            continue
        for part in (0, 0.1, 0.5, 0.9):
            (corpus / name).write_bytes(data[: int(len(data) * part)])
            assert found(corpus), f"{name} cut to {part}"
        (corpus / name).write_bytes(data)
    assert found(corpus) == []


def test_any_changed_byte_of_a_tar_is_found(corpus: Path) -> None:
    tar = corpus / "b-000.tar"
    data = tar.read_bytes()
    for position in np.random.default_rng(0).integers(0, len(data), 60):
        changed = bytearray(data)
        changed[position] ^= 0x55
        tar.write_bytes(bytes(changed))
        assert "b-000.tar: expected sha256" in whats(corpus), position


def test_a_changed_pixel_is_found_by_its_digest_though_all_sums_agree(corpus: Path) -> None:
    def forge(rows: list[dict[str, object]]) -> None:
        rows[0]["blur_pixels_sha256"] = bytes(32)

    change_manifest(corpus, forge)
    assert found(corpus) == [("a-000.tar: a/001.blur.png", "its pixels are not those of the manifest")]
    assert found(corpus, quick=True) == []


def test_a_wrong_size_in_the_manifest_is_found(corpus: Path) -> None:
    change_manifest(corpus, lambda rows: [row.update(width=9) for row in rows[:1]])
    assert found(corpus) == [
        ("a-000.tar: a/001.blur.png", "expected 9x8 px, found 8x8"),
        ("a-000.tar: a/001.sharp.png", "expected 9x8 px, found 8x8"),
        ("a-000.tar: a/001.json", "width is 8, the manifest has 9"),
    ]


def test_a_manifest_row_without_its_tar_member_and_a_member_without_its_row(corpus: Path) -> None:
    change_manifest(corpus, lambda rows: rows[4].update(key="b/003", frame="003"))
    text = whats(corpus, quick=True)
    for suffix in ("blur.png", "sharp.png", "json"):
        assert f"b-000.tar: b/003.{suffix}: is in the manifest, but not in the tar" in text
        assert f"b-000.tar: b/002.{suffix}: is in the tar, but not in the manifest" in text


def test_rows_of_a_shard_that_shards_parquet_does_not_have(corpus: Path) -> None:
    change_manifest(corpus, lambda rows: rows[4].update(shard="q-000"))
    assert "names 1 samples of shard 'q-000', which shards.parquet does not have" in whats(corpus)


def test_a_key_twice_out_of_order_or_not_of_its_parts(corpus: Path) -> None:
    change_manifest(corpus, lambda rows: (rows[1].update(key="a/001"), rows.append(rows.pop(0))))
    text = whats(corpus, quick=True)
    assert "manifest.parquet: the key a/001 is not its sequence a and frame 002" in text
    assert "manifest.parquet: the key a/001 comes after b/002: rows must be sorted" in text


def test_counts_that_disagree_are_found(corpus: Path) -> None:
    values = json.loads((corpus / "corpus.json").read_text())
    values["counts"]["samples"] = 6
    (corpus / "corpus.json").write_text(json.dumps(values))
    assert found(corpus) == [("corpus.json", "counts 6 samples, the tables have 5")]


def test_what_nfs_keeps_of_a_removed_file_is_told_apart(corpus: Path) -> None:
    (corpus / ".nfs000000000a1b2c3d00000001").write_bytes(b"removed, and still open")
    ((name, said),) = found(corpus)
    assert name.startswith(".nfs")
    assert "still has open on NFS: it goes when that one ends" in said


def test_stray_files_tars_partials_and_receipts_are_found(corpus: Path) -> None:
    (corpus / "old-000.tar").write_bytes(b"")
    (corpus / ".a-000.tar.99.partial").write_bytes(b"")
    (corpus / "notes.txt").write_text("hello")
    (corpus / ".receipts").mkdir()
    assert {where for where, _ in found(corpus)} == {
        "old-000.tar",
        ".a-000.tar.99.partial",
        "notes.txt",
        ".receipts",
    }


def test_a_missing_shard_is_found(corpus: Path) -> None:
    (corpus / "b-000.tar").unlink()
    assert found(corpus) == [("b-000.tar", "is missing; the manifest has 2 samples of it")]


def test_a_tar_truncated_between_members_is_found_without_hashing(corpus: Path) -> None:
    tar = corpus / "b-000.tar"
    with tarfile.open(tar) as archive:
        second = archive.getmembers()[3].offset
    size = tar.stat().st_size
    tar.write_bytes(tar.read_bytes()[:second])
    text = whats(corpus, quick=True)
    assert f"b-000.tar: expected {size} bytes, found {second}" in text
    assert "b-000.tar: b/002.json: is in the manifest, but not in the tar" in text


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_gps_in_a_picture_is_found(tmp_path: Path) -> None:
    good = sample("a/001", 1)
    exif = chunk(b"eXIf", b"MM\x00*GPSLatitude 48.1351")
    picture = good.fields["blur"]
    leaking = replace(good, fields={**good.fields, "blur": picture[:33] + exif + picture[33:]})
    corpus_of(tmp_path, [leaking])
    expected = "carries chunk eXIf of 23 bytes: only pixels and colours may be stored"
    assert found(tmp_path) == found(tmp_path, quick=True) == [("a-000.tar: a/001.blur.png", expected)]


def test_a_json_member_with_another_key_or_number_format_is_found(corpus: Path) -> None:
    tar = corpus / "a-001.tar"
    data = tar.read_bytes()
    assert data.count(b'"iso":100.0') == 1
    tar.write_bytes(data.replace(b'"iso":100.0', b'"iso":100  '))
    assert "a-001.tar: a/004.json: is not in canonical form" in whats(corpus, quick=True)
    tar.write_bytes(data.replace(b'"iso":100.0', b'"gps":100.0'))
    assert "a-001.tar: a/004.json: json: missing ['iso'], unknown ['gps']" in whats(corpus, quick=True)
    tar.write_bytes(data.replace(b'"iso":100.0', b'"iso":200.0'))
    assert "a-001.tar: a/004.json: iso is 200.0, the manifest has 100.0" in whats(corpus, quick=True)


def test_a_tar_of_another_writer_is_found_by_its_headers(corpus: Path) -> None:
    tar = corpus / "a-001.tar"
    with tarfile.open(tar) as archive:
        members = [(member.name, archive.extractfile(member).read()) for member in archive]
    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size, member.uname, member.mtime = len(data), "anna", 1.5
            archive.addfile(member, io.BytesIO(data))
    text = whats(corpus, quick=True)
    assert "has extended headers (mtime)" in text
    assert "uname 'anna'" in text


def test_a_jpegs_pixels_are_compared_only_under_the_codecs_that_wrote_them(tmp_path: Path) -> None:
    from dbgan.image.codec import encode
    from dbgan.recipe import codec_versions

    good = sample("a/001", 1)
    jpegs = {field: encode(np.full((8, 8, 3), 90, np.uint8), "jpg") for field in good.fields}
    receipt = write_shard(tmp_path, plan("a", {"1": 1}), "paired", "jpg", [replace(good, fields=jpegs)])
    finish(tmp_path, replace(HEADER, ext="jpg"), [receipt])
    assert found(tmp_path) == []
    finish(tmp_path, replace(HEADER, ext="jpg", codecs=codec_versions()), [receipt])
    assert {what for _, what in found(tmp_path)} == {"its pixels are not those of the manifest"}


def test_problems_come_in_the_same_order_from_one_thread_and_from_many(corpus: Path) -> None:
    for name in ("a-000.tar", "a-001.tar", "b-000.tar"):
        (corpus / name).write_bytes((corpus / name).read_bytes()[:3000])
    seen: list[str] = []
    one = verify(corpus, workers=1, done=seen.append)
    assert one == verify(corpus, workers=4)
    assert len(one) > 6
    assert all(isinstance(problem, Problem) for problem in one)
    assert sorted(seen) == ["a-000", "a-001", "b-000", "c-000"]


def test_a_half_built_corpus_says_so(tmp_path: Path) -> None:
    built = TinyBuilder().open()
    shard = plan("a", {"001": 1})
    write_shard(tmp_path, shard, "paired", "png", built(shard))
    assert "It is half built" in whats(tmp_path)
    build_corpus(tmp_path, HEADER, TinyBuilder(), [shard])
    assert found(tmp_path) == []


def test_a_manifest_is_read_by_row_group_and_its_shards_come_whole(tmp_path: Path) -> None:
    schema = manifest_schema("paired", False)
    values: dict[pa.DataType, object] = {pa.string(): "", pa.bool_(): False, pa.binary(32): bytes(32)}
    shards = {number: f"s-v{number % 3}-{number // 20:03d}" for number in range(100)}  # of three variants, interleaved
    rows = [
        {field.name: values.get(field.type, 0) for field in schema}
        | {"key": f"s/{number:03d}", "sequence": "s", "frame": f"{number:03d}", "shard": shard}
        for number, shard in shards.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), tmp_path / "manifest.parquet", row_group_size=7)
    found = outline(tmp_path)
    assert (found.samples, found.sequences, found.problems) == (Counter(shards.values()), {"s"}, [])
    parts = dict(by_shard(tmp_path, found.samples))
    expected = {shard: [f"s/{n:03d}" for n, of in shards.items() if of == shard] for shard in shards.values()}
    assert {shard: part.column("key").to_pylist() for shard, part in parts.items()} == expected


def test_a_manifest_damaged_where_only_rows_are_read_is_a_problem_and_no_exception(corpus: Path) -> None:
    path = corpus / "manifest.parquet"
    at = pq.ParquetFile(path).metadata.row_group(0)
    place = next(at.column(i) for i in range(at.num_columns) if at.column(i).path_in_schema == "blur_pixels_sha256")
    data = bytearray(path.read_bytes())
    start = place.dictionary_page_offset or place.data_page_offset
    data[start : start + place.total_compressed_size] = b"\xff" * place.total_compressed_size
    path.write_bytes(bytes(data))
    croissant.write(corpus, HEADER)
    assert next(where for where, _ in found(corpus)) == corpus.name
    assert "manifest.parquet: cannot be read" in whats(corpus)
