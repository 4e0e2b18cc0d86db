"""Tars made elsewhere come in as files would; hostile members are refused one by one."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dbgan.corpus import Corpus
from dbgan.ingest import build, ingest
from dbgan.ingest.tar_index import Member, Refused, members
from dbgan.params import IngestParams

from .conftest import GOPRO, add_sequence, photo, pixels, put, raw_png

TARS = IngestParams(layout="corpus", max_reject_fraction=1.0, shard_samples=2)
Snapshot = Callable[[Path], dict[str, bytes]]


def tar(path: Path, files: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> Path:
    """A tar as webdataset's own writer makes it: owner, time, PAX."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uname = len(data), 1700000000.25, "anna"
            archive.addfile(info, io.BytesIO(data))
    return put(path, made.getvalue())


def rejects(corpus: Path) -> list[tuple[str, str]]:
    rows = pq.read_table(corpus / "rejects.parquet").to_pylist()
    return sorted((row["reason"], row["detail"]) for row in rows)


def test_an_existing_corpus_comes_in_with_its_pixels_and_its_metadata(tmp_path: Path) -> None:
    add_sequence(tmp_path / "raw", "GOPR0001_11_00", 5)
    ingest("g", GOPRO.model_copy(update={"device": "Cam 1"}), tmp_path / "raw", tmp_path / "g")
    ingest("t", TARS, tmp_path / "g", tmp_path / "t")
    before, after = Corpus.open(tmp_path / "g"), Corpus.open(tmp_path / "t")
    names = ["key", "blur_pixels_sha256", "sharp_pixels_sha256", "device", "width"]
    assert before.table(names).equals(after.table(names))
    assert after.encoded("GOPR0001_11_00/000002", "sharp") == before.encoded("GOPR0001_11_00/000002", "sharp")
    assert after.verify() == []


def test_fields_of_other_names_and_flat_keys_are_understood(tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    for number in range(3):
        files[f"{number:06d}.lq.png"] = raw_png(pixels(number))
        files[f"{number:06d}.gt.png"] = raw_png(pixels(number + 10))
        files[f"{number:06d}.txt"] = b"a caption"
    tar(tmp_path / "raw" / "set-000.tar", files)
    params = TARS.model_copy(update={"blur_field": "lq", "sharp_field": "gt"})
    ingest("t", params, tmp_path / "raw", tmp_path / "t")
    corpus = Corpus.open(tmp_path / "t")
    assert [corpus[i].key for i in range(len(corpus))] == [f"set-000/{n:06d}" for n in range(3)]
    assert np.array_equal(corpus["set-000/000001"].images["sharp"], pixels(11))


def test_plain_pictures_are_one_side(tmp_path: Path) -> None:
    tar(tmp_path / "raw" / "s.tar", {"a.jpg": photo(1), "b.jpg": photo(2)})
    params = IngestParams(layout="corpus", blur_field="jpg", image="jpg")
    ingest("t", params, tmp_path / "raw", tmp_path / "t")
    corpus = Corpus.open(tmp_path / "t")
    assert (corpus.header.kind, len(corpus)) == ("blurry", 2)
    assert corpus.table(["device"])["device"].tolist() == ["Maker Phone 1"] * 2


def test_of_a_json_member_the_allow_list_arrives_and_nothing_else(tmp_path: Path, snapshot: Snapshot) -> None:
    told: dict[str, Any] = {"make": "Maker", "model": "P1", "iso": 200, "exposure_s": "fast", "f_number": True}
    told |= {"captured_at": "2020-01-31T12:00:00", "gps": "+52.3693", "owner": "Anna Owner", "device": "P\x001"}
    files = {"s/1.sharp.png": raw_png(pixels(1)), "s/1.json": json.dumps(told).encode()}
    files |= {"s/2.sharp.png": raw_png(pixels(2)), "s/2.json": b"[" * 100_000}
    tar(tmp_path / "raw" / "x.tar", files)
    ingest("t", TARS, tmp_path / "raw", tmp_path / "t")
    meta = Corpus.open(tmp_path / "t")["s/1"].meta
    assert (meta["make"], meta["iso"], meta["has_exposure_s"], meta["has_f_number"]) == ("Maker", 200.0, False, False)
    assert (meta["captured_at"], meta["device"]) == ("2020-01-31T12:00:00", "P")
    everything = b"".join(snapshot(tmp_path / "t").values())
    assert not any(word in everything for word in (b"+52.36", b"Anna", b"anna", b"x.tar"))


def hostile() -> bytes:
    """A tar whose members try to leave it, to be other things than files, and to be more than they are."""
    made = io.BytesIO()
    good = raw_png(pixels(1))
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, kind, target in (
            ("../../etc/passwd.sharp.png", tarfile.REGTYPE, ""),
            ("/abs/1.sharp.png", tarfile.REGTYPE, ""),
            ("a/../../b.sharp.png", tarfile.REGTYPE, ""),
            ("c\\d.sharp.png", tarfile.REGTYPE, ""),
            ("s/link.sharp.png", tarfile.SYMTYPE, "/etc/passwd"),
            ("s/hard.sharp.png", tarfile.LNKTYPE, "s/good.sharp.png"),
            ("s/pipe.sharp.png", tarfile.FIFOTYPE, ""),
            ("s/device.sharp.png", tarfile.CHRTYPE, ""),
            ("s/sparse.sharp.png", tarfile.GNUTYPE_SPARSE, ""),
            ("s/good.sharp.png", tarfile.REGTYPE, ""),
            ("s/good.sharp.png", tarfile.REGTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            info.size = len(good) if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(good) if info.size else None)
    return made.getvalue()


def test_hostile_members_are_refused_one_by_one(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "evil.tar", hostile())
    report = ingest("t", TARS, tmp_path / "raw", tmp_path / "t")
    assert report.samples == 1
    found = rejects(tmp_path / "t")
    assert [reason for reason, _ in found] == ["duplicate_key"] + ["hostile_member"] * 9
    assert sorted(p.name for p in tmp_path.iterdir()) == ["raw", "t"]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_members_lie_where_tarfile_finds_them(tmp_path: Path, form: int) -> None:
    long = "d" * 60 + "/" + "n" * 90 + ".sharp.png"
    path = tar(tmp_path / "x.tar", {"a/1.sharp.png": b"x" * 700, long: b"y" * 512, "é/2.png": b""}, form)
    ours = [m for m in members(path, 10_000) if isinstance(m, Member)]
    with tarfile.open(path) as archive:
        assert [(m.name, m.offset, m.size) for m in ours] == [(t.name, t.offset_data, t.size) for t in archive]


def test_headers_that_promise_too_much_take_no_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 34
    path = put(tmp_path / "pax.tar", info.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    assert [type(m) for m in members(path, 100)] == [Refused]
    info = tarfile.TarInfo("big.png")
    info.size = 1 << 33
    path = put(tmp_path / "big.tar", info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    assert [m.reason for m in members(path, 1 << 40) if isinstance(m, Refused)] == ["truncated"]
    assert next(m.reason for m in members(path, 100) if isinstance(m, Refused)) == "too_large"


def test_a_tar_cut_anywhere_gives_whole_members_and_says_so(tmp_path: Path) -> None:
    whole = tar(tmp_path / "x.tar", {f"s/{n}.sharp.png": raw_png(pixels(n)) for n in range(3)}, tarfile.USTAR_FORMAT)
    data = whole.read_bytes()
    good = {m.name: m.sha256 for m in members(whole, 1 << 20) if isinstance(m, Member)}
    for end in range(0, len(data), 997):
        for member in members(put(tmp_path / "cut.tar", data[:end]), 1 << 20):
            assert isinstance(member, Refused) or good[member.name] == member.sha256
    noise = put(tmp_path / "noise.tar", data[:1024] + b"\xff" * 4096)
    assert any(isinstance(m, Refused) for m in members(noise, 1 << 20))


def test_packing_anew_costs_nothing_and_a_changed_member_its_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[bytes] = []
    real: Callable[..., object] = build.store
    monkeypatch.setattr(build, "store", lambda data, *a, **k: (decoded.append(data), real(data, *a, **k))[1])
    files = {f"{s}/{n}.sharp.png": raw_png(pixels(n)) for s in ("a", "b") for n in range(3)}
    tar(tmp_path / "raw" / "x.tar", files)
    params = TARS.model_copy(update={"shard_samples": 100})
    assert ingest("t", params, tmp_path / "raw", tmp_path / "t").built == 2
    decoded.clear()
    tar(tmp_path / "raw" / "x.tar", dict(reversed(files.items())), tarfile.USTAR_FORMAT)
    assert (ingest("t", params, tmp_path / "raw", tmp_path / "t").built, decoded) == (0, [])
    tar(tmp_path / "raw" / "x.tar", {**files, "b/9.sharp.png": raw_png(pixels(9))})
    assert (ingest("t", params, tmp_path / "raw", tmp_path / "t").built, len(decoded)) == (1, 4)
    decoded.clear()
    tar(tmp_path / "raw" / "x.tar", {name: data for name, data in files.items() if name.startswith("a")})
    gone = ingest("t", params, tmp_path / "raw", tmp_path / "t")
    assert (gone.built, gone.removed, gone.samples, decoded) == (0, 1, 3, [])


def test_samples_that_lack_a_side_or_are_twice_are_reported(tmp_path: Path) -> None:
    one = {"s/1.blur.png": raw_png(pixels(1)), "s/1.sharp.png": raw_png(pixels(2)), "s/2.blur.png": raw_png(pixels(3))}
    tar(tmp_path / "raw" / "a.tar", one)
    tar(tmp_path / "raw" / "b.tar", {"s/1.blur.png": raw_png(pixels(4))})
    report = ingest("t", TARS, tmp_path / "raw", tmp_path / "t")
    assert (report.samples, rejects(tmp_path / "t")) == (
        1,
        [("duplicate_key", "another tar has this sample"), ("pair_missing", "no sharp picture in this sample")],
    )
