"""Captures: sessions by gaps in time, bursts and live photos told, motion-photo trailers cut."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from dbgan.corpus import Corpus
from dbgan.ingest import build, captures, ingest, sessions
from dbgan.params import IngestParams

from .conftest import CAPTURES, photo, pixels, put, raw_png

SESSIONS = IngestParams(layout="captures", session_gap_min=30, image="jpg", shard_samples=2)
Snapshot = Callable[[Path], dict[str, bytes]]


def taken(at: str, seed: int = 0) -> bytes:
    """A JPEG that says when it was taken, without a zone; `at` empty: it does not say."""
    exif = Image.Exif()
    if at:
        exif.get_ifd(0x8769)[0x9003] = at
    buffer = io.BytesIO()
    Image.fromarray(pixels(seed)).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def sequences(corpus: Path) -> dict[str, str]:
    table = Corpus.open(corpus).table(["sequence", "frame"])
    return dict(zip(table["frame"], table["sequence"], strict=True))


def noted(corpus: Path) -> str:
    return " ".join(json.loads((corpus / "corpus.json").read_text())["notes"])


def test_a_folder_is_cut_where_nothing_was_taken_for_long(tmp_path: Path) -> None:
    day = "2023:05:01"
    times = {"a": "12:00:00", "b": "12:29:59", "c": "12:59:58", "d": "13:30:00", "e": ""}
    for number, (name, at) in enumerate(times.items()):
        put(tmp_path / "raw" / "dcim" / f"{name}.jpg", taken(f"{day} {at}" if at else "", number))
    ingest("c", SESSIONS, tmp_path / "raw", tmp_path / "c")
    found = sequences(tmp_path / "c")
    first, second, undated = (found[name].rsplit("-", 1)[0] for name in ("a", "d", "e"))
    assert found["a"] == found["b"] == found["c"] != found["d"]
    assert (first, second, undated) == ("dcim-20230501-120000", "dcim-20230501-133000", "dcim-undated")
    assert "3 of them, with gaps of more than 30 min" in noted(tmp_path / "c")


def test_without_the_parameter_a_folder_is_a_sequence(tmp_path: Path) -> None:
    for name, at in (("a", "2023:05:01 12:00:00"), ("b", "2024:05:01 12:00:00")):
        put(tmp_path / "raw" / "dcim" / f"{name}.jpg", taken(at))
    ingest("c", CAPTURES, tmp_path / "raw", tmp_path / "c")
    assert set(sequences(tmp_path / "c").values()) == {"dcim"}


def test_times_in_names_serve_only_where_no_picture_has_one(tmp_path: Path) -> None:
    for number, name in enumerate(("IMG_20230501_120000", "IMG_20230501_121000", "IMG_20230502_120000", "cat")):
        put(tmp_path / "raw" / f"{name}.jpg", taken("", number))
    ingest("c", SESSIONS, tmp_path / "raw", tmp_path / "c")
    found = sequences(tmp_path / "c")
    assert found["IMG_20230501_120000"] == found["IMG_20230501_121000"] == "20230501-120000"
    assert (found["IMG_20230502_120000"], found["cat"]) == ("20230502-120000", "undated")


@pytest.mark.parametrize(
    ("names", "is_burst"),
    [
        (("00100lrPORTRAIT_00100_BURST20190101120000000_COVER", "00001IMG_00001_BURST20190101120000000"), True),
        (("IMG_20190101_120000_BURST001_COVER", "IMG_20190101_120000_BURST002"), True),
        (("20190101_120000_001", "20190101_120000_002"), True),
        (("IMG_20190101_120000", "IMG_20190101_120001"), False),
    ],
)
def test_bursts_are_known_by_their_names(names: tuple[str, str], is_burst: bool) -> None:
    assert len(sessions.named_bursts([f"d/{name}.jpg" for name in names])) == is_burst
    assert sessions.named_bursts([f"d{n}/{name}.jpg" for n, name in enumerate(names)]) == []


def test_a_burst_is_never_divided_and_is_told(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "IMG_1_BURST001.jpg", taken("2023:05:01 12:00:00", 1))
    put(tmp_path / "raw" / "IMG_1_BURST002.jpg", taken("2023:05:01 19:00:00", 2))  # a clock set in between
    for second in (1, 2, 2):
        seed = len(list((tmp_path / "raw").iterdir()))
        put(tmp_path / "raw" / f"IMG_{seed}.jpg", taken(f"2023:05:03 09:00:0{second}", seed))
    ingest("c", SESSIONS, tmp_path / "raw", tmp_path / "c")
    found = sequences(tmp_path / "c")
    assert found["IMG_1_BURST001"] == found["IMG_1_BURST002"]
    assert "5 pictures are of 2 bursts" in noted(tmp_path / "c")


def test_live_photos_are_told_and_their_clips_left_alone(tmp_path: Path) -> None:
    for name in ("IMG_1.HEIC", "IMG_1.MOV", "IMG_2.JPG", "IMG_2.mp4", "IMG_3.HEIC", "IMG_3.DNG"):
        put(tmp_path / "raw" / name, b"x")
    scan = captures.scan(tmp_path / "raw", CAPTURES)
    assert [frame.frame for frame in scan.frames] == ["IMG_1", "IMG_2", "IMG_3"]
    assert scan.notes == ("Live photos: 2. The clip beside each is not used.",)
    assert (scan.ignored, scan.unused) == (3, {})


@pytest.mark.parametrize("params", [CAPTURES, SESSIONS])
def test_clips_and_raw_files_that_no_picture_goes_with_are_named_with_what_to_do(
    params: IngestParams, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tmp_path / "raw" / "dcim" / "IMG_1.jpg", photo(1))
    for name in ("IMG_1.MOV", "VID_2.mp4", "VID_3.MOV", "IMG_4.DNG", "notes.txt"):
        put(tmp_path / "raw" / "dcim" / name, b"x")
    put(tmp_path / "raw" / "IMG_1.mov", b"of another folder")
    ingest("c", params, tmp_path / "raw", tmp_path / "c")
    said = capsys.readouterr().out
    assert "not used: IMG_1.mov, dcim/VID_2.mp4, dcim/VID_3.MOV. For their frames add a source of the same root" in said
    assert "layout `video`" in said
    assert "not used: dcim/IMG_4.DNG. Camera raw is not developed here" in said
    assert "2 other files ignored" in said
    assert "Clips of video beside the photos, not used: 3." in noted(tmp_path / "c")
    assert "Live photos: 1." in noted(tmp_path / "c")
    assert "VID_2" not in noted(tmp_path / "c")


def test_pictures_in_a_folder_of_sharp_ones_without_twins_are_told(tmp_path: Path) -> None:
    for name in ("blur/a.png", "Sharp/b.png", "walk/sharp/c.png", "sharpie/d.png"):
        put(tmp_path / "raw" / name, raw_png(pixels(1)))
    ingest("c", CAPTURES, tmp_path / "raw", tmp_path / "c")
    assert "Pictures in folders called `sharp` or `gt`: 2." in noted(tmp_path / "c")


def test_the_clip_behind_a_motion_photo_is_cut_off(tmp_path: Path, snapshot: Snapshot) -> None:
    """As Pixel (a bare MP4 behind the JPEG) and Samsung (behind a marker) write them; the clip holds a position."""
    clip = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42" + b"+52.3693+006.6761/" + bytes(400)
    put(tmp_path / "raw" / "PXL.MP.jpg", photo(1) + clip)
    put(tmp_path / "raw" / "SAM.jpg", photo(2) + b"\x00\x00\x30\x0a\x10\x00\x00\x00MotionPhoto_Data" + clip)
    heif = pytest.importorskip("pillow_heif")
    heic = io.BytesIO()
    heif.from_pillow(Image.fromarray(pixels(3, 64, 64))).save(heic)
    box = (8 + len(clip)).to_bytes(4, "big") + b"mpvd" + clip
    put(tmp_path / "raw" / "NEW.heic", heic.getvalue() + box)
    for ext in ("png", "jpg"):
        params = CAPTURES.model_copy(update={"image": ext})
        report = ingest("c", params, tmp_path / "raw", tmp_path / ext)
        assert (report.samples, report.rejects) == (3, 0)
        everything = b"".join(snapshot(tmp_path / ext).values())
        assert not any(word in everything for word in (b"ftypmp42", b"+52.36", b"MotionPhoto"))
        warnings = Corpus.open(tmp_path / ext).table(["warnings"])["warnings"].tolist()
        assert sum("trailing_data" in text for text in warnings) == 2


def test_a_new_picture_costs_its_session_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    real: Callable[..., object] = build.store
    monkeypatch.setattr(build, "store", lambda data, *a, **k: (decoded.append(data), real(data, *a, **k))[1])
    raw = tmp_path / "raw"
    for hour in (8, 12, 16):
        for minute in range(3):
            put(raw / f"IMG_{hour}{minute}.jpg", taken(f"2023:05:01 {hour:02d}:0{minute}:00", hour + minute))
    params = SESSIONS.model_copy(update={"shard_samples": 100})
    ingest("c", params, raw, tmp_path / "c")
    decoded.clear()
    assert ingest("c", params, raw, tmp_path / "c").built == 0
    put(raw / "IMG_NEW.jpg", taken("2023:05:01 12:05:00", 99))
    assert ingest("c", params, raw, tmp_path / "c").built == 1
    assert 1 <= len(decoded) <= 4
    decoded.clear()
    (raw / "IMG_NEW.jpg").unlink()
    ingest("c", params, raw, tmp_path / "c")
    assert len(decoded) <= 3
    decoded.clear()
    for minute in range(3):
        (raw / f"IMG_16{minute}.jpg").unlink()
    gone = ingest("c", params, raw, tmp_path / "c")
    assert (gone.built, gone.samples, len(decoded)) == (0, 6, 0)
    os.utime(raw / "IMG_80.jpg", ns=(7, 7))
    assert ingest("c", params, raw, tmp_path / "c").built == 0


def test_pictures_that_cannot_be_read_do_not_stop_sessions(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "a.jpg", b"\xff\xd8\xff\xe1broken")
    put(tmp_path / "raw" / "b.png", raw_png(pixels(1)))
    report = ingest("c", SESSIONS.model_copy(update={"max_reject_fraction": 1.0}), tmp_path / "raw", tmp_path / "c")
    assert (report.samples, report.rejects) == (1, 1)
