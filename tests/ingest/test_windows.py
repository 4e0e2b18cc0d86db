"""Averaged pairs: GOPRO's own rule bit by bit, windows of any frames, cuts refused, stillness told."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from dbgan.cli import app
from dbgan.corpus import Corpus
from dbgan.errors import DbganError
from dbgan.image import codec
from dbgan.ingest import against, gopro_all, ingest, windows
from dbgan.params import IngestParams

from .conftest import photo, pixels, put, raw_png

ALL = IngestParams(layout="gopro-all", shard_samples=2, max_reject_fraction=1.0)
FRAMES = IngestParams(layout="frames", window=5, max_reject_fraction=1.0)

Snapshot = Callable[[Path], dict[str, bytes]]


def moving(number: int, height: int = 40, width: int = 48) -> NDArray[np.uint8]:
    """A bright square that moves by two pixels a frame over a ramp."""
    image = np.repeat(np.linspace(20, 90, width)[None, :, None], height, axis=0).repeat(3, axis=2)
    image[10:22, (2 * number) % width : (2 * number) % width + 12] = (220, 160, 60)
    return image.astype(np.uint8)


def put_frames(folder: Path, numbers: range, make: Callable[[int], NDArray[np.uint8]] = moving) -> None:
    for number in numbers:
        put(folder / f"{number:06d}.png", raw_png(make(number)))


def rejects(corpus: Path) -> list[tuple[str, str]]:
    rows = pq.read_table(corpus / "rejects.parquet").to_pylist()
    return sorted((row["reason"], row["detail"]) for row in rows)


@pytest.mark.parametrize(
    ("clip", "stored", "first"),
    [
        ("GOPR0372_07_00", range(1, 36), 1),
        ("GOPR0384_11_05", range(1, 45), 2),
        ("GOPR0378_13_00", range(22001, 22040), 1),
    ],
)
def test_pairs_of_gopro_all_are_bit_exact_by_the_official_rule(
    tmp_path: Path, clip: str, stored: range, first: int
) -> None:
    """Made here by the rule as published: image n is the rounded mean of yy frames around (n-1)yy + (yy+1)/2 - zz."""
    put_frames(tmp_path / "raw" / "train" / clip, stored)
    ingest("a", ALL, tmp_path / "raw", tmp_path / "a")
    length, part = (int(text) for text in clip.split("_")[1:])
    corpus = Corpus.open(tmp_path / "a")
    images = [int(corpus[i].meta["frame"]) for i in range(len(corpus))]
    assert images == list(range(first, first + len(images)))
    assert len(images) >= 2
    for index, n in enumerate(images):
        centre = (n - 1) * length + (length + 1) // 2 - part + (22000 if clip == "GOPR0378_13_00" else 0)
        frames = [moving(k).astype(np.int64) for k in range(centre - length // 2, centre + length // 2 + 1)]
        expected = np.round(np.sum(frames, axis=0) / length).astype(np.uint8)
        assert np.array_equal(corpus[index].images["blur"], expected)
        assert corpus.encoded(corpus[index].key, "sharp") == raw_png(moving(centre))


def test_the_first_image_of_a_clip_with_a_part_number_is_reported_and_not_guessed(tmp_path: Path) -> None:
    put_frames(tmp_path / "raw" / "GOPR0384_11_02", range(1, 34))
    ingest("a", ALL, tmp_path / "raw", tmp_path / "a")
    assert rejects(tmp_path / "a") == [
        ("window_incomplete", "image 1: frames -1 to 0 of -1 to 9 are not stored"),
    ]
    assert [sample["frame"] for sample in Corpus.open(tmp_path / "a").table(["frame"]).to_dict("records")] == [
        "000002",
        "000003",
    ]


def test_check_against_proves_equality_and_names_the_frames_that_differ(tmp_path: Path) -> None:
    """GOPRO_Large's part is made here, by the rule as published; its files may be called by any numbers."""
    put_frames(tmp_path / "all" / "GOPR0384_11_01", range(1, 45))
    for n in range(1, 5):
        centre = (n - 1) * 11 + 6 - 1
        window = np.stack([moving(k) for k in range(max(1, centre - 5), centre + 6)]).astype(float)
        clip = tmp_path / "large" / "GOPR0384_11_01"
        put(clip / "blur" / f"{2000 + n:06d}.png", raw_png(np.round(window.mean(axis=0)).astype(np.uint8)))
        put(clip / "sharp" / f"{2000 + n:06d}.png", raw_png(moving(centre)))
    command = ["ingest", str(tmp_path / "all"), str(tmp_path / "a"), "--layout", "gopro-all"]
    command += ["--set", "max_reject_fraction=1", "--check-against", str(tmp_path / "large")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "3 pairs have the pixels of GOPRO_Large, bit by bit." in done.output
    assert "1 official pairs were not made:\n  GOPR0384_11_01/blur/002001.png" in done.output
    put(tmp_path / "large" / "GOPR0384_11_01" / "blur" / "002003.png", raw_png(moving(3)))
    compared = against.compare(tmp_path / "a", tmp_path / "large")
    assert (compared.equal, compared.differing) == (2, ("GOPR0384_11_01/blur/002003.png (image 3)",))
    failed = CliRunner().invoke(app, command)
    assert failed.exit_code == 1
    with pytest.raises(DbganError, match="found none"):
        against.compare(tmp_path / "a", tmp_path / "all")


def test_official_clips_are_counted(tmp_path: Path) -> None:
    for number in range(1, 110):
        put(tmp_path / "GOPR0372_07_00" / f"{number:06d}.png", b"x")
    scan = gopro_all.scan(tmp_path, ALL)
    assert len(scan.frames) == 109 // 7
    assert any("GOPR0372_07_00 15 of 100" in note for note in scan.notes)


def test_windows_of_frames_keep_the_centre_frames_bytes(tmp_path: Path) -> None:
    put_frames(tmp_path / "raw" / "clip", range(1, 13))
    ingest("f", FRAMES, tmp_path / "raw", tmp_path / "f")
    corpus = Corpus.open(tmp_path / "f")
    assert [corpus[i].key for i in range(len(corpus))] == ["clip/000003", "clip/000008"]
    for key, first in (("clip/000003", 1), ("clip/000008", 6)):
        assert corpus.encoded(key, "sharp") == raw_png(moving(first + 2))
        light = [(moving(k) / 255.0) for k in range(first, first + 5)]
        linear = [np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4) for v in light]
        mean = np.mean(linear, axis=0)
        stored = np.where(mean <= 0.0031308, 12.92 * mean, 1.055 * mean ** (1 / 2.4) - 0.055) * 255
        assert np.abs(corpus[key].images["blur"] - stored).max() <= 0.5 + 1e-9
    assert corpus.verify() == []


@pytest.mark.parametrize(("response", "power"), [("gamma", 2.2), ("linear", 1.0)])
def test_other_responses_are_the_powers_they_name(tmp_path: Path, response: str, power: float) -> None:
    put_frames(tmp_path / "raw" / "clip", range(1, 4))
    params = FRAMES.model_copy(update={"window": 3, "response": response})
    ingest("f", params, tmp_path / "raw", tmp_path / "f")
    expected = np.mean([(moving(k) / 255.0) ** power for k in (1, 2, 3)], axis=0) ** (1 / power) * 255
    assert np.abs(Corpus.open(tmp_path / "f")["clip/000002"].images["blur"] - expected).max() <= 0.5 + 1e-9


def test_stride_and_centre_choose_windows_and_gaps_end_runs(tmp_path: Path) -> None:
    put_frames(tmp_path / "raw" / "clip", range(1, 8))
    put_frames(tmp_path / "raw" / "clip", range(20, 23))
    params = IngestParams(layout="frames", window=3, stride=2, centre=0)
    ingest("f", params, tmp_path / "raw", tmp_path / "f")
    assert Corpus.open(tmp_path / "f").table(["frame"])["frame"].tolist() == ["000001", "000003", "000005", "000020"]


def test_a_folder_too_short_for_a_window_is_reported(tmp_path: Path) -> None:
    put_frames(tmp_path / "raw" / "clip", range(1, 8))
    put_frames(tmp_path / "raw" / "short", range(1, 4))
    ingest("f", FRAMES, tmp_path / "raw", tmp_path / "f")
    assert rejects(tmp_path / "f") == [
        ("window_incomplete", "a window is 5 consecutive frames, found at most 3 in a row")
    ]


def test_a_cut_inside_a_window_is_refused_with_both_frame_numbers(tmp_path: Path) -> None:
    def two_shots(number: int) -> NDArray[np.uint8]:
        return moving(number) if number < 9 else 255 - moving(number)

    put_frames(tmp_path / "raw" / "clip", range(1, 16), two_shots)
    ingest("f", FRAMES, tmp_path / "raw", tmp_path / "f")
    assert rejects(tmp_path / "f") == [("scene_cut", "the window crosses a cut between frames 000008 and 000009")]
    assert Corpus.open(tmp_path / "f").table(["frame"])["frame"].tolist() == ["000003", "000013"]


def test_pairs_of_gopro_all_are_made_whatever_is_in_them(tmp_path: Path) -> None:
    """What is published has to come out: nothing that only looks like a cut may cost an official pair."""
    clip = tmp_path / "raw" / "GOPR0372_07_00"
    put_frames(clip, range(1, 15), lambda k: moving(k) if k < 4 else 255 - moving(k))
    report = ingest("a", ALL, tmp_path / "raw", tmp_path / "a")
    assert (report.samples, report.rejects) == (2, 0)


def test_a_static_window_is_flagged(tmp_path: Path) -> None:
    def noisy(number: int) -> NDArray[np.uint8]:
        noise = np.random.default_rng(number).normal(0, 2, moving(0).shape)
        return np.clip(moving(0) + noise, 0, 255).astype(np.uint8)

    put_frames(tmp_path / "raw" / "still", range(1, 6), noisy)
    put_frames(tmp_path / "raw" / "moving", range(1, 6))
    ingest("f", FRAMES, tmp_path / "raw", tmp_path / "f")
    table = Corpus.open(tmp_path / "f").table(["key", "warnings"])
    assert dict(zip(table["key"], table["warnings"], strict=True)) == {
        "still/000003": "blur:static_window",
        "moving/000003": "",
    }


def test_a_frame_that_cannot_be_read_refuses_its_windows_alone(tmp_path: Path) -> None:
    put_frames(tmp_path / "raw" / "clip", range(1, 11))
    put(tmp_path / "raw" / "clip" / "000002.png", raw_png(moving(2))[:-60])
    ingest("f", FRAMES, tmp_path / "raw", tmp_path / "f")
    ((reason, detail),) = rejects(tmp_path / "f")
    assert (reason, detail.startswith("frame 000002 of the window")) == ("truncated", True)
    assert Corpus.open(tmp_path / "f").table(["frame"])["frame"].tolist() == ["000008"]


def test_only_windows_of_changed_frames_are_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: Snapshot
) -> None:
    decoded: list[bytes] = []
    real = windows.read

    def counted(data: bytes, **options: object) -> object:
        decoded.append(data)
        return real(data, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(windows, "read", counted)
    params = IngestParams(layout="frames", window=3, shard_samples=2)
    for clip in ("a", "b"):
        put_frames(tmp_path / "raw" / clip, range(1, 13))
    first = ingest("f", params, tmp_path / "raw", tmp_path / "f")
    assert len(decoded) == 3 * first.samples == 24
    decoded.clear()
    assert ingest("f", params, tmp_path / "raw", tmp_path / "f").built == 0
    put_frames(tmp_path / "raw" / "c", range(1, 4))
    assert (ingest("f", params, tmp_path / "raw", tmp_path / "f").built, len(decoded)) == (1, 3)
    decoded.clear()
    put(tmp_path / "raw" / "a" / "000001.png", raw_png(moving(30)))
    os.utime(tmp_path / "raw" / "a" / "000001.png", ns=(1, 1_600_000_009_000_000_000))
    changed = ingest("f", params, tmp_path / "raw", tmp_path / "f")
    assert changed.built == 1
    assert len(decoded) <= 3 * 4
    decoded.clear()
    for path in (tmp_path / "raw" / "b").iterdir():
        path.unlink()
    gone = ingest("f", params, tmp_path / "raw", tmp_path / "f")
    assert (gone.built, gone.samples, decoded) == (0, 5, [])
    ingest("f", params, tmp_path / "raw", tmp_path / "again")
    assert snapshot(tmp_path / "f") == snapshot(tmp_path / "again")


def test_of_frames_metadata_only_the_allow_list_arrives(tmp_path: Path, snapshot: Snapshot) -> None:
    for number in range(1, 4):
        put(tmp_path / "raw" / "Anna" / f"IMG_{number}.jpg", photo(number))
    params = IngestParams(layout="frames", window=3, image="jpg", max_reject_fraction=1.0)
    ingest("f", params, tmp_path / "raw", tmp_path / "f")
    everything = b"".join(snapshot(tmp_path / "f").values())
    assert not any(word in everything for word in (b"Anna Owner", b"SERIAL-4711", b"Exif"))


def test_real_frames_of_reds_make_pairs_around_untouched_frames(shared_data: Path, tmp_path: Path) -> None:
    params = IngestParams(layout="frames", window=5, quality=False)
    report = ingest("r", params, shared_data / "reds" / "020" / "sharp", tmp_path / "r")
    assert (report.samples, report.rejects) == (2, 0)
    corpus = Corpus.open(tmp_path / "r")
    for key in ("root/00000002", "root/00000007"):
        source = (shared_data / "reds" / "020" / "sharp" / f"{key[5:]}.png").read_bytes()
        assert np.array_equal(corpus[key].images["sharp"], codec.decode(source))
        kept = np.asarray(Image.open(io.BytesIO(corpus.encoded(key, "sharp"))))
        assert np.array_equal(kept, codec.decode(source))
        assert corpus.encoded(key, "sharp")[-200:-12] == source[-200:-12]


def test_a_picture_of_another_size_begins_a_new_shot(tmp_path: Path) -> None:
    put_frames(tmp_path / "raw" / "clip", range(1, 6), lambda k: pixels(k) if k < 3 else pixels(k, 24, 24))
    ingest("f", FRAMES, tmp_path / "raw", tmp_path / "f")
    assert rejects(tmp_path / "f") == [("scene_cut", "the window crosses a cut between frames 000002 and 000003")]
