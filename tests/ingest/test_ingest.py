"""From raw folders to corpora: bytes, growth, refusals."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageOps

from dbgan import files
from dbgan.corpus import Corpus
from dbgan.corpus.layout import REJECT_REASONS
from dbgan.errors import DbganError, ImageError
from dbgan.image import codec
from dbgan.ingest import build, ingest
from dbgan.ingest.build import REVISION
from dbgan.ingest.refusals import origins_path
from dbgan.params import IngestParams

from .conftest import CAPTURES, GOPRO, add_sequence, chunk, photo, pixels, put, raw_png

GOLDEN = {
    7: {
        "paired": "217f8ea5bef26acca729045ed870af83d4f2c8c34c0bf5881cdd8cc88f7e6792",
        "blurry": "9e0c296bdf616b7fe1e2fc3d4e41a20a428d9c1ec21b5281208c3c4d5964cff0",
    }
}
"""sha256 of a shard by REVISION and kind: bytes that change need a new REVISION, and a new entry here."""

Snapshot = Callable[[Path], dict[str, bytes]]


def refused(corpus: Path) -> list[tuple[str, str]]:
    rows = pq.read_table(corpus / "rejects.parquet").to_pylist()
    return sorted((row["reason"], row["detail"]) for row in rows)


def with_limit(params: IngestParams, limit: float) -> IngestParams:
    return params.model_copy(update={"max_reject_fraction": limit})


def test_pairs_arrive_untouched(gopro_root: Path, tmp_path: Path) -> None:
    ingest("g", GOPRO, gopro_root, tmp_path / "g")
    corpus = Corpus.open(tmp_path / "g")
    assert len(corpus) == 8
    sample = corpus["GOPR0001_11_00/000003"]
    assert np.array_equal(sample.images["blur"], pixels(3))
    assert np.array_equal(sample.images["sharp"], pixels(103))
    assert corpus.encoded("GOPR0001_11_00/000003", "sharp") == raw_png(pixels(103))
    assert corpus.verify() == []
    table = corpus.table(["key", "blur_sharpness", "pair_psnr", "width", "height"]).set_index("key")
    mse = ((pixels(3).astype(float) - pixels(103)) ** 2).mean()
    assert table.loc["GOPR0001_11_00/000003", "pair_psnr"] == pytest.approx(10 * np.log10(255**2 / mse))
    assert set(zip(table.width, table.height, strict=True)) == {(24, 20)}


def test_golden_bytes(tmp_path: Path) -> None:
    """Inputs are bytes written in this file, so only our own code can change what comes out."""
    raw = tmp_path / "raw"
    add_sequence(raw / "gopro", "GOPR0001_11_00", 2)
    image = raw_png(pixels(1))
    put(raw / "captures" / "walk" / "IMG_1.png", image[:-12] + chunk(b"tEXt", b"Author\0Anna") + image[-12:])
    ingest("g", GOPRO.model_copy(update={"shard_samples": 100}), raw / "gopro", tmp_path / "g")
    ingest("c", CAPTURES, raw / "captures", tmp_path / "c")
    shards = {"paired": tmp_path / "g" / "GOPR0001_11_00-000.tar", "blurry": tmp_path / "c" / "walk-000.tar"}
    assert {kind: files.sha256_file(path) for kind, path in shards.items()} == GOLDEN[REVISION]
    with tarfile.open(shards["blurry"]) as tar:
        assert tar.getnames() == ["walk/IMG_1.blur.png", "walk/IMG_1.json"]
        member = tar.extractfile("walk/IMG_1.blur.png")
        assert member is not None
        assert member.read() == image


def test_twice_and_with_more_threads_gives_the_same_files(
    gopro_root: Path, tmp_path: Path, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest("g", GOPRO, gopro_root, tmp_path / "one")
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path / "other-state"))
    monkeypatch.setattr("dbgan.ingest.builders.MAX_THREADS", 1)
    ingest("g", GOPRO, gopro_root, tmp_path / "two")
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


@pytest.mark.slow
def test_two_workers_give_the_same_files(gopro_root: Path, tmp_path: Path, snapshot: Snapshot) -> None:
    pytest.importorskip("ray")
    ingest("g", GOPRO, gopro_root, tmp_path / "one")
    ingest("g", GOPRO, gopro_root, tmp_path / "two", workers=2)
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


def test_a_second_run_changes_nothing(gopro_root: Path, tmp_path: Path, snapshot: Snapshot) -> None:
    first = ingest("g", GOPRO, gopro_root, tmp_path / "g")
    before = snapshot(tmp_path / "g")
    again = ingest("g", GOPRO, gopro_root, tmp_path / "g")
    assert first.reused == again.built == 0
    assert again.reused == first.built
    assert snapshot(tmp_path / "g") == before


def test_adding_a_sequence_builds_only_its_shards(gopro_root: Path, tmp_path: Path) -> None:
    first = ingest("g", GOPRO, gopro_root, tmp_path / "g")
    add_sequence(gopro_root, "GOPR0001_12_00", 1)
    report = ingest("g", GOPRO, gopro_root, tmp_path / "g")
    assert (report.built, report.reused, report.removed) == (1, first.built, 0)
    assert report.samples == first.samples + 1


def test_pictures_of_kept_shards_are_not_decoded(
    gopro_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[bytes] = []
    real = build.store

    def counted(data: bytes, *arguments: object, **options: object) -> object:
        decoded.append(data)
        return real(data, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(build, "store", counted)
    first = ingest("g", GOPRO, gopro_root, tmp_path / "g")
    assert len(decoded) == 2 * first.samples
    decoded.clear()
    add_sequence(gopro_root, "GOPR0001_12_00", 3)
    ingest("g", GOPRO, gopro_root, tmp_path / "g")
    assert len(decoded) == 2 * 3
    decoded.clear()
    ingest("g", GOPRO, gopro_root, tmp_path / "g")
    assert decoded == []


def test_changing_one_frame_rebuilds_one_shard_and_removing_it_loses_it(gopro_root: Path, tmp_path: Path) -> None:
    first = ingest("g", GOPRO, gopro_root, tmp_path / "g")
    path = put(gopro_root / "GOPR0001_11_00" / "blur" / "000003.png", raw_png(pixels(77)))
    os.utime(path, ns=(1, 1_600_000_005_000_000_000))
    changed = ingest("g", GOPRO, gopro_root, tmp_path / "g")
    assert (changed.built, changed.reused) == (1, first.built - 1)
    assert np.array_equal(Corpus.open(tmp_path / "g")["GOPR0001_11_00/000003"].images["blur"], pixels(77))
    path.unlink()
    (gopro_root / "GOPR0001_11_00" / "sharp" / "000003.png").unlink()
    gone = ingest("g", GOPRO, gopro_root, tmp_path / "g")
    assert gone.samples == first.samples - 1
    assert "GOPR0001_11_00/000003" not in Corpus.open(tmp_path / "g")


def test_only_params_that_shape_bytes_cost_work(gopro_root: Path, tmp_path: Path) -> None:
    first = ingest("g", GOPRO, gopro_root, tmp_path / "g")
    looser = ingest("g", with_limit(GOPRO, 0.5), gopro_root, tmp_path / "g")
    assert looser.reused == first.built
    smaller = ingest("g", GOPRO.model_copy(update={"min_side": 20}), gopro_root, tmp_path / "g")
    assert smaller.built == first.built


def test_a_touched_file_of_equal_content_costs_nothing(gopro_root: Path, tmp_path: Path) -> None:
    first = ingest("g", GOPRO, gopro_root, tmp_path / "g")
    os.utime(gopro_root / "GOPR0001_11_00" / "blur" / "000003.png", ns=(5, 5))
    assert ingest("g", GOPRO, gopro_root, tmp_path / "g").reused == first.built


def test_what_is_refused_is_listed_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "raw"
    for number in range(3):
        put(root / "a" / f"{number}.png", raw_png(pixels(number)))
    put(root / "a" / "cut.png", raw_png(pixels(9))[:-40])
    put(root / "a" / "small.png", raw_png(pixels(9, 8, 8)))
    put(root / "a" / "text.jpg", b"not a picture")
    put(root / "a" / "readme.txt", b"not a picture and not named like one")
    (root / "a" / "gone.png").symlink_to(root / "nowhere.png")
    with pytest.raises(DbganError, match=r"4 of 7 inputs were refused .*max_reject_fraction"):
        ingest("c", CAPTURES, root, tmp_path / "c")
    assert [reason for reason, _ in refused(tmp_path / "c")] == ["not_an_image", "too_small", "truncated", "unreadable"]
    assert len(Corpus.open(tmp_path / "c")) == 3
    said = capsys.readouterr().out
    assert "c: refused a/cut.png (truncated: " in said
    assert "1 other files ignored" in said
    assert ingest("c", with_limit(CAPTURES, 0.6), root, tmp_path / "c").rejects == 4


def test_a_remembered_digest_never_reaches_the_corpus(tmp_path: Path) -> None:
    """A picture replaced behind the cache's back (same size and time) is stored with the digest of its own bytes."""
    root = tmp_path / "raw"
    first, second = raw_png(pixels(1)), raw_png(pixels(2))
    assert len(first) == len(second)
    path = put(root / "a" / "1.png", first)
    ingest("c", CAPTURES, root, tmp_path / "c")
    put(root / "a" / "1.png", second)
    os.utime(path, ns=(1, 1_600_000_000_000_000_000))
    ingest("d", CAPTURES, root, tmp_path / "d")
    corpus = Corpus.open(tmp_path / "d")
    assert np.array_equal(corpus["a/1"].images["blur"], pixels(2))
    assert corpus.verify() == []


def test_a_file_too_large_for_any_picture_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "raw"
    put(root / "a" / "1.png", raw_png(pixels(1)))
    put(root / "a" / "vast.png", raw_png(pixels(2)))
    os.truncate(root / "a" / "vast.png", 3 << 30)
    read: list[str] = []
    real = files.sha256_file
    monkeypatch.setattr(files, "sha256_file", lambda path: read.append(path.name) or real(path))
    ingest("c", with_limit(CAPTURES, 0.6), root, tmp_path / "c")
    assert refused(tmp_path / "c") == [("too_large", "3221225472 bytes, more than 200000000 px can need")]
    assert "1.png" in read
    assert "vast.png" not in read


def test_pictures_of_kinds_that_nothing_here_reads_are_rejects_and_not_ignored(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "a" / "1.png", raw_png(pixels(1)))
    put(tmp_path / "raw" / "a" / "2.jxl", b"\xff\x0a" + bytes(40))
    put(tmp_path / "raw" / "a" / "3.JP2", b"\0\0\0\x0cjP  " + bytes(40))
    ingest("c", with_limit(CAPTURES, 0.7), tmp_path / "raw", tmp_path / "c")
    assert refused(tmp_path / "c") == 2 * [("unsupported_mode", "blur: JPEG 2000 or JPEG XL")]


def test_pairs_of_two_sizes_are_refused(gopro_root: Path, tmp_path: Path) -> None:
    put(gopro_root / "GOPR0002_11_00" / "sharp" / "000021.png", raw_png(pixels(1, 20, 30)))
    ingest("g", with_limit(GOPRO, 0.2), gopro_root, tmp_path / "g")
    assert refused(tmp_path / "g") == [("pair_size_mismatch", "blur 24x20 px, sharp 30x20 px")]


def test_a_file_without_permission_is_unreadable(
    gopro_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = gopro_root / "GOPR0002_11_00" / "sharp" / "000021.png"
    locked.chmod(0)
    if os.access(locked, os.R_OK):  # root reads everything
        real = files.sha256_file

        def guarded(path: Path) -> str:
            if path == locked:
                raise PermissionError(13, "Permission denied")
            return real(path)

        monkeypatch.setattr(files, "sha256_file", guarded)
    ingest("g", with_limit(GOPRO, 0.2), gopro_root, tmp_path / "g")
    assert refused(tmp_path / "g") == [("unreadable", "Permission denied")]


def test_keys_that_stay_equal_are_refused_and_never_overwritten(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    for number, name in enumerate(("IMG_1.png", "IMG_1.bmp", "IMG_1-png.png", "img_2.png", "IMG_2.png")):
        image = pixels(number)
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "BMP")
        put(root / "a" / name, buffer.getvalue() if name.endswith("bmp") else raw_png(image))
    ingest("c", with_limit(CAPTURES, 0.2), root, tmp_path / "c")
    corpus = Corpus.open(tmp_path / "c")
    assert refused(tmp_path / "c") == [("duplicate_key", "the key a/IMG_1-png belongs to another file")]
    assert len({key.casefold() for key in corpus.keys}) == len(corpus) == 4
    assert np.array_equal(corpus["a/IMG_1-bmp"].images["blur"], pixels(1))


def test_mixed_formats_and_sizes_become_one_extension(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    put(root / "p" / "a.jpg", photo(1, orientation=6))
    put(root / "p" / "b.jpg", photo(2))
    put(root / "p" / "c.png", raw_png(pixels(3)))
    for ext in ("png", "jpg"):
        ingest(ext, CAPTURES.model_copy(update={"image": ext}), root, tmp_path / ext)
        corpus = Corpus.open(tmp_path / ext)
        assert [sample.images["blur"].shape[:2] for sample in corpus] == [(48, 40), (40, 48), (20, 24)]
        assert all(Image.open(io.BytesIO(corpus.encoded(key, "blur"))).format in ("PNG", "JPEG") for key in corpus.keys)
        assert [sample.meta["device"] for sample in corpus] == ["Maker Phone 1", "Maker Phone 1", ""]
        kept = corpus.table(["key", "blur_kept"]).set_index("key")["blur_kept"].to_dict()
        assert kept == {"p/a": False, "p/b": ext == "jpg", "p/c": ext == "png"}
        assert {sample.key: sample.meta["blur_kept"] for sample in corpus} == kept
        assert corpus.verify() == []
    upright = np.asarray(ImageOps.exif_transpose(Image.open(root / "p" / "a.jpg")))
    assert np.array_equal(Corpus.open(tmp_path / "png")["p/a"].images["blur"], upright)


def test_a_reader_takes_pictures_as_large_as_the_ingest_took(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "a" / "1.png", raw_png(pixels(1)))
    size = pixels(1).shape[0] * pixels(1).shape[1]
    ingest("c", CAPTURES.model_copy(update={"max_pixels": size}), tmp_path / "raw", tmp_path / "c")
    corpus = Corpus.open(tmp_path / "c")
    assert corpus.header.max_pixels == size
    assert len(list(corpus)) == len(list(corpus.stream())) == 1
    described = tmp_path / "c" / "corpus.json"
    described.write_text(described.read_text().replace(f'"max_pixels": {size}', f'"max_pixels": {size - 1}'))
    narrower = Corpus.open(tmp_path / "c")
    for read in (lambda: narrower[0], lambda: list(narrower.stream())):
        with pytest.raises(ImageError, match=f"over the limit of {size - 1} px"):
            read()
    assert any("over the limit" in problem.what for problem in narrower.verify())


def test_a_wrong_extension_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path / "raw" / "a" / "photo.png", photo(1))
    report = ingest("c", CAPTURES, tmp_path / "raw", tmp_path / "c")
    assert (report.samples, report.rejects) == (1, 0)
    assert "c: 1 x wrong_extension (of another file type than its name said)" in capsys.readouterr().out
    assert Corpus.open(tmp_path / "c").table(["warnings"])["warnings"].tolist() == ["blur:wrong_extension"]
    counts = json.loads((tmp_path / "c" / "corpus.json").read_bytes())["counts"]
    assert counts["warnings"] == {"wrong_extension": 1}
    assert "| wrong_extension | of another file type than its name said | 1 |" in (tmp_path / "c/README.md").read_text()


def test_devices_by_glob_are_told_without_their_globs(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "Annas iPhone" / "1.jpg", photo(1))
    put(tmp_path / "raw" / "other" / "2.jpg", photo(2))
    params = CAPTURES.model_copy(update={"device": {"Annas*": "iPhone 7"}})
    ingest("c", params, tmp_path / "raw", tmp_path / "c")
    assert sorted(sample.meta["device"] for sample in Corpus.open(tmp_path / "c")) == ["Maker Phone 1", "iPhone 7"]
    assert "Annas*" not in (tmp_path / "c" / "corpus.json").read_text()


def test_a_source_that_changes_while_it_is_read_fails_with_words(
    gopro_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dbgan.ingest.plan as planning

    real = planning.make_plans

    def then_change(*arguments: object) -> object:
        planned = real(*arguments)  # type: ignore[arg-type]
        put(gopro_root / "GOPR0002_11_00" / "blur" / "000021.png", raw_png(pixels(5, 30, 30)))
        return planned

    monkeypatch.setattr(planning, "make_plans", then_change)
    with pytest.raises(DbganError, match=r"000021\.png: changed while the source was being read"):
        ingest("g", GOPRO, gopro_root, tmp_path / "g")
    monkeypatch.undo()


@pytest.mark.parametrize("layout", ["gopro", "paired"])
def test_a_wrong_layout_is_told_which_one_fits(tmp_path: Path, layout: str) -> None:
    put(tmp_path / "raw" / "phone" / "1.jpg", photo(1))
    globs = {"blur_glob": "*/b/*.png", "sharp_glob": "*/s/*.png"} if layout == "paired" else {"blur": "blur"}
    params = IngestParams.model_validate({"layout": layout, **globs})
    with pytest.raises(DbganError, match="It looks like the layout `captures`"):
        ingest("x", params, tmp_path / "raw", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DbganError, match="no such folder"):
        ingest("x", CAPTURES, tmp_path / "nowhere", tmp_path / "x")


def test_real_gopro_frames_are_kept_byte_for_byte_but_for_their_texts(shared_data: Path, tmp_path: Path) -> None:
    root = shared_data / "gopro" / "test"
    report = ingest("g", with_limit(GOPRO, 0.9), root, tmp_path / "g")
    assert (report.samples, report.rejects) == (6, 14)
    assert {reason for reason, _ in refused(tmp_path / "g")} == {"pair_missing"}
    corpus = Corpus.open(tmp_path / "g")
    for key in corpus.keys:
        sequence, frame = key.split("/")
        for side in ("blur", "sharp"):
            original = np.asarray(Image.open(root / sequence / side / f"{frame}.png").convert("RGB"))
            assert np.array_equal(codec.decode(corpus.encoded(key, side)), original)
    psnr = corpus.table(["pair_psnr"])["pair_psnr"]
    assert psnr.between(18, 30).all()


def test_every_malformed_file_is_a_sample_or_a_reject(shared_data: Path, tmp_path: Path) -> None:
    root = shared_data / "malformed"
    report = ingest("m", with_limit(CAPTURES, 1.0), root, tmp_path / "m")
    videos = sum(path.suffix == ".mp4" for path in root.iterdir())
    assert report.samples + report.rejects + videos == len(list(root.iterdir()))
    assert {reason for reason, _ in refused(tmp_path / "m")} <= set(REJECT_REASONS)
    assert report.samples >= 30
    assert Corpus.open(tmp_path / "m").verify() == []


def test_captures_refuse_a_gopro_tree_whose_sharp_frames_would_pass_as_real_blur(tmp_path: Path) -> None:
    for folder in ("blur", "sharp"):
        put(tmp_path / "raw" / "GOPR1_11_00" / folder / "000001.png", b"x")
    with pytest.raises(DbganError, match="It looks like the layout `gopro`"):
        ingest("phone", IngestParams(layout="captures"), tmp_path / "raw", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_corpora_of_one_name_keep_their_own_origins(tmp_path: Path) -> None:
    for number, folder in enumerate(("a", "b")):
        put(tmp_path / folder / "raw" / "p" / f"{number}.jpg", photo(number))
        ingest("phone", CAPTURES, tmp_path / folder / "raw", tmp_path / folder / "phone")
    known = [json.loads(origins_path("phone", tmp_path / folder / "phone").read_bytes()) for folder in ("a", "b")]
    assert [list(origins.values()) for origins in known] == [["p/0.jpg"], ["p/1.jpg"]]
    assert re.fullmatch(r"phone-[0-9a-f]{8}\.json", origins_path("phone", tmp_path / "a" / "phone").name)


def test_too_many_refusals_name_the_verb_that_lists_them(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "p" / "0.jpg", photo(0))
    put(tmp_path / "raw" / "p" / "1.jpg", b"no picture")
    with pytest.raises(DbganError, match=r"Next: look at `dbgan corpus info \S+ --rejects`"):
        ingest("phone", CAPTURES, tmp_path / "raw", tmp_path / "phone")
