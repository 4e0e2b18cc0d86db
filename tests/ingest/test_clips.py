"""Clips as sources: every n-th frame, times kept, breaks told, windows averaged, and each clip read once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from dbgan.corpus import Corpus
from dbgan.errors import DbganError
from dbgan.image import video
from dbgan.ingest import ingest
from dbgan.params import IngestParams
from tests.image.test_video import write_clip

from .test_windows import moving

pytest.importorskip("av")

VIDEO = IngestParams(layout="video", take="sharp", shard_samples=4, max_reject_fraction=1.0)
FRAMES = IngestParams(layout="frames", window=5, max_reject_fraction=1.0)
PROJECT = Path(__file__).resolve().parent.parent.parent
Snapshot = Callable[[Path], dict[str, bytes]]


def clip(path: Path, count: int, first: int = 0, **options: Any) -> Path:
    made = write_clip(path, [moving(first + k) for k in range(count)], **options)
    os.utime(made, ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_000))
    return made


def decoded(path: Path) -> list[NDArray[np.uint8]]:
    return [frame.pixels for frame in video.frames(path) if frame.pixels is not None]


def rejects(corpus: Path) -> list[tuple[str, str]]:
    rows = pq.read_table(corpus / "rejects.parquet").to_pylist()
    return sorted((row["reason"], row["detail"]) for row in rows)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(clip, converted frames) of every reading that went over frames for a builder."""
    counted: list[tuple[str, int]] = []
    real = video.frames

    def reading(path: Path, *, wanted: Callable[[int], bool] = lambda index: True, **options: Any) -> Iterator[Any]:
        counted.append((path.name, 0))
        place = len(counted) - 1
        for frame in real(path, wanted=wanted, **options):
            counted[place] = (path.name, counted[place][1] + (frame.pixels is not None))
            yield frame

    monkeypatch.setattr(video, "frames", reading)
    return counted


def test_frames_of_a_clip_become_sharp_pictures_with_their_times(tmp_path: Path) -> None:
    times = [0, 40, 80, 200, 240, 280, 500, 540, 580, 620]
    path = clip(tmp_path / "raw" / "walk" / "a.mp4", 10, times_ms=times)
    report = ingest("v", VIDEO, tmp_path / "raw", tmp_path / "v")
    assert (report.samples, report.rejects) == (10, 0)
    corpus = Corpus.open(tmp_path / "v")
    table = corpus.table(["key", "time_s"])
    sequence = table["key"][0].split("/")[0]
    assert sequence.startswith("walk-a")
    assert table["key"].tolist() == [f"{sequence}/{k:06d}" for k in range(10)]
    assert table["time_s"].tolist() == pytest.approx([t / 1000 for t in times])
    for key, pixels in zip(table["key"], decoded(path), strict=True):
        assert np.array_equal(corpus[key].images["sharp"], pixels)
    assert corpus.verify() == []


def test_every_nth_frame_may_be_taken_as_a_blurry_capture(tmp_path: Path) -> None:
    path = clip(tmp_path / "raw" / "a.mov", 10)
    params = IngestParams(layout="video", take="blurry", every=4, image="jpg")
    ingest("v", params, tmp_path / "raw", tmp_path / "v")
    corpus = Corpus.open(tmp_path / "v")
    assert [corpus[i].key for i in range(len(corpus))] == ["a/000000", "a/000004", "a/000008"]
    assert np.abs(corpus["a/000004"].images["blur"].astype(int) - decoded(path)[4]).mean() < 2
    assert (corpus.header.kind, set(corpus.table(["warnings"])["warnings"])) == ("blurry", {"blur:lossy"})


def test_a_broken_clip_gives_the_frames_before_and_one_row_that_says_where(tmp_path: Path) -> None:
    whole = clip(tmp_path / "whole.mp4", 30, options={"g": "10", "crf": "8"})
    data = whole.read_bytes()
    cut = tmp_path / "raw" / "cut.mp4"
    cut.parent.mkdir()
    cut.write_bytes(data[: data.find(b"mdat") + (len(data) - data.find(b"mdat")) // 2])
    (tmp_path / "raw" / "none.mov").write_bytes(b"no video at all, sorry")
    report = ingest("v", VIDEO, tmp_path / "raw", tmp_path / "v")
    (broken, nothing) = sorted(rejects(tmp_path / "v"), reverse=True)
    assert nothing[0] == "not_a_video"
    assert broken[1].startswith(f"video: breaks after frame {report.samples - 1} at ")
    corpus = Corpus.open(tmp_path / "v")
    for index, pixels in enumerate(decoded(whole)[: report.samples]):
        assert np.array_equal(corpus[f"cut/{index:06d}"].images["sharp"], pixels)


def test_averages_of_a_clip_are_those_of_its_frames(tmp_path: Path) -> None:
    path = clip(tmp_path / "raw" / "a.mp4", 12)
    params = IngestParams(layout="frames", window=5, stride=2, response="linear", shard_samples=2)
    ingest("f", params, tmp_path / "raw", tmp_path / "f")
    corpus, frames = Corpus.open(tmp_path / "f"), decoded(path)
    assert [corpus[i].meta["frame"] for i in range(len(corpus))] == ["000002", "000004", "000006", "000008"]
    for centre in (2, 4, 6, 8):
        sample = corpus[f"a/{centre:06d}"]
        mean = np.mean(np.stack(frames[centre - 2 : centre + 3]).astype(float), axis=0)
        assert np.abs(sample.images["blur"] - mean).max() <= 0.5 + 1e-9
        assert np.array_equal(sample.images["sharp"], frames[centre])


def test_a_cut_in_a_clip_is_refused_with_both_numbers_and_gaps_in_time_end_runs(tmp_path: Path) -> None:
    shots = [moving(k) if k < 7 else 255 - moving(k) for k in range(10)]
    path = write_clip(tmp_path / "raw" / "cut.mp4", shots, options={"crf": "4"})
    ingest("f", FRAMES, path.parent, tmp_path / "f")
    assert rejects(tmp_path / "f") == [("scene_cut", "the window crosses a cut between frames 6 and 7")]
    times = [40 * k for k in range(6)] + [2000 + 40 * k for k in range(6)]
    write_clip(tmp_path / "gap" / "gap.mp4", [moving(k) for k in range(12)], times_ms=times)
    ingest("g", FRAMES, tmp_path / "gap", tmp_path / "g")
    assert Corpus.open(tmp_path / "g").table(["frame"])["frame"].tolist() == ["000002", "000008"]


def test_each_clip_is_read_once_and_known_ones_not_at_all(
    tmp_path: Path, readings: list[tuple[str, int]], snapshot: Snapshot
) -> None:
    raw = tmp_path / "raw"
    clip(raw / "a.mp4", 12)
    clip(raw / "b.mp4", 6)
    first = ingest("v", VIDEO, raw, tmp_path / "v")
    assert first.built > 2
    built = [(name, count) for name, count in readings if count]
    assert sorted(built) == [("a.mp4", 12), ("b.mp4", 6)]
    readings.clear()
    assert ingest("v", VIDEO, raw, tmp_path / "v").built == 0
    assert readings == []
    clip(raw / "c.mp4", 3)
    ingest("v", VIDEO, raw, tmp_path / "v")
    assert [name for name, _ in readings] == ["c.mp4", "c.mp4"]
    readings.clear()
    clip(raw / "b.mp4", 5, first=20)
    os.utime(raw / "b.mp4", ns=(1, 1_600_000_009_000_000_000))
    ingest("v", VIDEO, raw, tmp_path / "v")
    assert {name for name, _ in readings} == {"b.mp4"}
    readings.clear()
    (raw / "c.mp4").unlink()
    gone = ingest("v", VIDEO, raw, tmp_path / "v")
    assert (gone.built, gone.samples, readings) == (0, 17, [])
    ingest("v", VIDEO, raw, tmp_path / "again")
    assert snapshot(tmp_path / "v") == snapshot(tmp_path / "again")


def test_killed_in_the_middle_of_a_clip_it_goes_on_to_the_same_bytes(tmp_path: Path, snapshot: Snapshot) -> None:
    clip(tmp_path / "raw" / "a.mp4", 24)
    ingest("v", VIDEO, tmp_path / "raw", tmp_path / "undisturbed")
    code = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from dbgan.corpus import receipts\n"
        "from dbgan.ingest import ingest\n"
        "from dbgan.params import IngestParams\n"
        "real, done = receipts.write_receipt, []\n"
        "def write(*a):\n"
        "    real(*a); done.append(1)\n"
        "    if len(done) == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
        "receipts.write_receipt = write\n"
        "ingest('v', IngestParams(layout='video', take='sharp', shard_samples=4, max_reject_fraction=1.0),"
        f" Path({str(tmp_path / 'raw')!r}), Path({str(tmp_path / 'v')!r}))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    report = ingest("v", VIDEO, tmp_path / "raw", tmp_path / "v")
    assert report.reused == 2
    undisturbed = {name: data for name, data in snapshot(tmp_path / "undisturbed").items() if name.endswith(".tar")}
    assert {name: data for name, data in snapshot(tmp_path / "v").items() if name.endswith(".tar")} == undisturbed


def test_no_tag_of_a_container_reaches_the_corpus(tmp_path: Path, shared_data: Path, snapshot: Snapshot) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    shutil.copy(shared_data / "sharp-video" / "iphone6-with-gps.mov", raw / "a.mov")
    tags = {"location": "+52.3693+006.6761/", "artist": "Anna Owner", "comment": "SERIAL-4711"}
    clip(raw / "b.mp4", 3, tags=tags)
    params = IngestParams(layout="video", take="blurry", every=60, quality=False)
    ingest("v", params, raw, tmp_path / "v")
    everything = b"".join(snapshot(tmp_path / "v").values())
    private = (b"+32.09", b"034.86", b"+52.36", b"Anna", b"4711", b"Core Media", b"creation_time")
    assert not [word for word in private if word in everything]
    table = Corpus.open(tmp_path / "v").table(["key", "device", "captured_at", "time_s"])
    assert table["device"].tolist() == ["Apple iPhone 6", "Apple iPhone 6", ""]
    assert table["captured_at"].tolist() == ["2019-07-24T11:25:40", "2019-07-24T11:25:42", ""]


def test_a_clip_that_changes_while_it_is_read_stops_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clip(tmp_path / "raw" / "a.mp4", 6)
    real = video.metadata

    def touched(asked: Path) -> dict[str, Any]:
        os.utime(path, ns=(1, 2))
        return real(asked)

    monkeypatch.setattr(video, "survey", lambda p, **o: video.Clip((0.0, 0.04), "", "", {}))
    monkeypatch.setattr(video, "metadata", touched)
    with pytest.raises(DbganError, match="changed while the source was being read"):
        ingest("v", VIDEO, tmp_path / "raw", tmp_path / "v")


@pytest.mark.parametrize("name", ["car-turn.mp4", "ipad-mini-hevc.mov"])
def test_real_clips_average_around_untouched_frames(shared_data: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "raw").mkdir()
    shutil.copy(shared_data / "sharp-video" / name, tmp_path / "raw" / name)
    params = IngestParams(layout="frames", window=3, stride=30, quality=False)
    report = ingest("f", params, tmp_path / "raw", tmp_path / "f")
    assert report.samples >= 2
    corpus = Corpus.open(tmp_path / "f")
    first = [next(iter([f for f in video.frames(tmp_path / "raw" / name) if f.index == 1]))][0]
    assert np.array_equal(corpus[0].images["sharp"], first.pixels)
    assert not np.array_equal(corpus[0].images["blur"], first.pixels)
