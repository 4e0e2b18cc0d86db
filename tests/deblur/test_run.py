"""`dbgan deblur` as a whole: everything is done that can be, what cannot is told, nothing is overwritten."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from dbgan.deblur import Settings, deblur
from dbgan.deblur import run as run_module
from dbgan.errors import DbganError
from dbgan.image.codec import decode, encode
from dbgan.image.video import frames
from dbgan.networks import generator
from dbgan.restore import restore
from tests.deblur.test_clip import make_clip
from tests.tiny_corpora import Tiny, moved, scene, write

NETWORK = generator("dbgan", block="plain", blocks=1, width=4, seed=1)
FAST = Settings(tile=64, threads=1)


class Negative(nn.Module):
    """1 - picture: any file can be told from its restored version, and back."""

    receptive_radius = 0

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(1))

    def forward(self, image: Tensor) -> Tensor:
        return self.one - image


def picture_file(path: Path, seed: int, height: int = 40, width: int = 50) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(scene(seed, height, width), "png"))
    return path


def test_pictures_clips_and_corpora_are_restored_as_restore_does(tmp_path: Path) -> None:
    picture_file(tmp_path / "in" / "a" / "one.png", 1, 150, 90)
    make_clip(tmp_path / "in" / "clip.mp4")
    write(tmp_path / "corpus", "blurry", [Tiny("s/0", {"blur": moved(scene(3, 40, 50), 5)}, "Pixel 8")])
    report = deblur([tmp_path / "in", tmp_path / "corpus"], NETWORK, tmp_path / "out", FAST)
    names = sorted(str(path.relative_to(tmp_path / "out")) for path in report.written)
    assert names == ["a/one.png", "clip.mp4", "s/0.png"]
    assert not report.failed
    assert report.notes == [f"{tmp_path / 'in' / 'clip.mp4'}: its sound was left out"]
    expected = restore(scene(1, 150, 90), NETWORK, threads=1)
    assert np.array_equal(decode((tmp_path / "out" / "a" / "one.png").read_bytes()), expected)
    blurry = moved(scene(3, 40, 50), 5)
    assert np.array_equal(decode((tmp_path / "out" / "s/0.png").read_bytes()), restore(blurry, NETWORK, threads=1))
    for old, new in zip(frames(tmp_path / "in/clip.mp4"), frames(tmp_path / "out/clip.mp4"), strict=True):
        assert old.pixels is not None
        assert new.pixels is not None
        apart = new.pixels.astype(int) - restore(old.pixels, NETWORK, threads=1)
        assert np.abs(apart).mean() < 5, "colours are shared by four pixels"
        assert np.abs(apart.mean(axis=(0, 1))).max() < 2, "and none is shifted"


def test_what_fails_is_told_and_the_others_are_done(tmp_path: Path) -> None:
    picture_file(tmp_path / "in" / "b.png", 2)
    (tmp_path / "in" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    (tmp_path / "in" / "c.mp4").write_bytes(b"no clip at all")
    (tmp_path / "in" / "d.png").symlink_to(picture_file(tmp_path / "elsewhere.png", 3))
    report = deblur([tmp_path / "in"], NETWORK, tmp_path / "out", FAST)
    assert [path.name for path in report.written] == ["b.png"]
    assert len(report.failed) == 3
    for name, reason in (("a.png", "PNG"), ("c.mp4", "not_a_video"), ("d.png", "outside_root")):
        assert any(name in failed and reason in failed for failed in report.failed), name
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["b.png"], "nothing half-done is left"


def test_a_clip_that_breaks_is_told_before_it_costs_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_clip(tmp_path / "clip.mkv", 96, 128)
    data = (tmp_path / "clip.mkv").read_bytes()
    (tmp_path / "clip.mkv").write_bytes(data[: len(data) * 2 // 3])
    monkeypatch.setattr(run_module.memory, "restore_within_memory", lambda *_, **__: pytest.fail("work was begun"))
    report = deblur([tmp_path / "clip.mkv"], NETWORK, tmp_path / "out", FAST)
    assert not report.written
    assert "clip.mkv" in report.failed[0]


def test_results_that_are_there_stop_the_work_unless_something_else_is_said(tmp_path: Path) -> None:
    picture_file(tmp_path / "in" / "a.png", 1)
    picture_file(tmp_path / "in" / "b.png", 2)
    kept = picture_file(tmp_path / "out" / "a.png", 9)
    before = kept.read_bytes()
    with pytest.raises(DbganError, match=r"a.png: is there already \(1 of 2 results are\)(.|\n)*--existing skip"):
        deblur([tmp_path / "in"], NETWORK, tmp_path / "out", FAST)
    assert not (tmp_path / "out" / "b.png").exists()
    report = deblur([tmp_path / "in"], NETWORK, tmp_path / "out", Settings(tile=64, threads=1, existing="skip"))
    assert (report.skipped, kept.read_bytes() == before) == (1, True)
    assert [path.name for path in report.written] == ["b.png"]
    report = deblur([tmp_path / "in"], NETWORK, tmp_path / "out", Settings(tile=64, threads=1, existing="overwrite"))
    assert len(report.written) == 2
    assert kept.read_bytes() != before


def test_a_gpu_restores_in_bf16_where_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, object]] = []

    def recorded(image: np.ndarray, _: object, **options: object) -> np.ndarray:
        seen.append((str(options["device"]), options["precision"]))
        return image

    monkeypatch.setattr(run_module.memory, "restore", recorded)
    for present in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda present=present: present)
        deblur([picture_file(tmp_path / "a.png", 1)], NETWORK, tmp_path / f"out-{present}", FAST)
    assert seen == [("cuda", "bf16"), ("cpu", "fp32")]


def test_progress_counts_tiles_of_pictures_and_of_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """150x90 px are 3x2 tiles of 64, a clip of 5 frames of 48x64 px is 5, and what cannot be read is 1."""
    picture_file(tmp_path / "in" / "a.png", 1, 150, 90)
    make_clip(tmp_path / "in" / "clip.mp4")
    (tmp_path / "in" / "z.png").write_bytes(b"nothing")
    deblur([tmp_path / "in"], Negative(), tmp_path / "out", FAST)
    assert "deblur (tiles): 12 of 12 done" in capsys.readouterr().out


def test_a_network_that_gives_nan_fails_the_picture_and_not_the_run(tmp_path: Path) -> None:
    broken = Negative()
    broken.one.data.fill_(float("nan"))
    report = deblur([picture_file(tmp_path / "a.png", 1)], broken, tmp_path / "out", FAST)
    assert "NaN or Inf" in report.failed[0]


def test_capture_time_and_camera_stay_and_the_position_does_not(tmp_path: Path) -> None:
    block = Image.Exif()
    block[0x010F] = "Google"
    block.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    block.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 14.5)})
    Image.fromarray(scene(1, 40, 50)).save(tmp_path / "a.jpg", exif=block.tobytes())
    for keep in (False, True):
        out = tmp_path / f"out-{keep}"
        deblur([tmp_path / "a.jpg"], Negative(), out, Settings(tile=64, threads=1, keep_location=keep))
        found = Image.open(io.BytesIO((out / "a.jpg").read_bytes())).getexif()
        assert found.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09"
        assert (found[0x010F], found.get_ifd(0x8825).get(1)) == ("Google", "N" if keep else None)


def test_every_real_photo_and_every_malformed_file_is_restored_or_refused(shared_data: Path, tmp_path: Path) -> None:
    """The network is a negative, so that only reading and writing are put to the test."""
    folders = [shared_data / "malformed", shared_data / "exif" / "odd", shared_data / "exif" / "orientation"]
    report = deblur(folders[1:], Negative(), tmp_path / "out", Settings(tile=4096, threads=1))
    assert len(report.written) >= 15
    hostile = deblur(folders[:1], Negative(), tmp_path / "hostile", Settings(tile=4096, threads=1))
    assert len(hostile.written) >= 20
    assert all(": " in failed for failed in hostile.failed)
    for path in report.written + hostile.written:
        if path.suffix != ".mp4":
            assert decode(path.read_bytes()).size


def test_the_page_shows_all_pictures_and_frames_in_the_middle_of_clips(tmp_path: Path) -> None:
    picture_file(tmp_path / "in" / "a & b.png", 1)
    make_clip(tmp_path / "in" / "clip.mp4", sound=False)
    settings = Settings(tile=64, threads=1, compare=True)
    report = deblur([tmp_path / "in"], Negative(), tmp_path / "out", settings, weights="plus")
    assert report.written[-1] == tmp_path / "out" / "compare.html"
    text = report.written[-1].read_text()
    assert "2 pictures, restored with plus" in text
    assert "a &amp; b.png" in text
    assert "clip.mp4, frame 3" in text
    with pytest.raises(DbganError, match="is there already"):
        deblur([tmp_path / "in"], Negative(), tmp_path / "out", settings)
