"""What each layout finds in a tree, and which tree it knows as its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgan.errors import ParamsError
from dbgan.ingest import captures, gopro, paired
from dbgan.params import IngestParams

from .conftest import CAPTURES, GOPRO, put


def touch(root: Path, *names: str) -> Path:
    for name in names:
        put(root / name, b"x")
    return root


def test_gopro_pairs_the_chosen_blur_folder(tmp_path: Path) -> None:
    folders = ("blur", "blur_gamma", "sharp")
    root = touch(tmp_path, *(f"train/GOPR1_11_00/{folder}/000001.png" for folder in folders))
    for blur in ("blur", "blur_gamma"):
        scan = gopro.scan(root, IngestParams(layout="gopro", blur=blur))
        assert [frame.paths for frame in scan.frames] == [
            {"blur": f"train/GOPR1_11_00/{blur}/000001.png", "sharp": "train/GOPR1_11_00/sharp/000001.png"}
        ]
        assert (scan.frames[0].sequence, scan.frames[0].frame, scan.ignored) == ("GOPR1_11_00", "000001", 1)


def test_gopro_lists_frames_without_a_twin(tmp_path: Path) -> None:
    root = touch(tmp_path, "S/blur/1.png", "S/blur/2.png", "S/sharp/2.png", "S/sharp/3.png", "S/sharp/._3.png")
    scan = gopro.scan(root, GOPRO)
    assert [(r.path, r.reason, r.sequence) for r in scan.rejects] == [
        ("S/blur/1.png", "pair_missing", "S"),
        ("S/sharp/3.png", "pair_missing", "S"),
    ]
    assert [frame.frame for frame in scan.frames] == ["2"]


def test_the_same_sequence_in_both_splits_is_a_duplicate(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"{split}/S/{side}/1.png" for split in ("train", "test") for side in ("blur", "sharp")))
    scan = gopro.scan(root, GOPRO)
    assert scan.frames[0].paths["blur"] == "test/S/blur/1.png"
    assert [(r.path, r.reason) for r in scan.rejects] == [
        ("train/S/blur/1.png", "duplicate_key"),
        ("train/S/sharp/1.png", "duplicate_key"),
    ]


def test_gopro_says_which_blur_folder_and_which_recordings_are_in_both_splits() -> None:
    notes = gopro.notes(GOPRO, ["GOPR0384_11_00", "GOPR0372_07_00"])
    assert "`blur`" in notes[0]
    assert "GOPR0384" in notes[1]
    assert len(gopro.notes(GOPRO, ["GOPR0372_07_00"])) == 1


def test_captures_take_folders_as_sequences_and_stems_as_frames(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/b/IMG_1.JPG", "IMG_9.png", "a/notes.txt", "a/IMG_1.dng", "a/clip.mp4")
    scan = captures.scan(root, CAPTURES)
    assert [(f.sequence, f.frame) for f in scan.frames] == [("root", "IMG_9"), ("a/b", "IMG_1")]
    assert scan.ignored == 3


def test_twins_of_one_stem_get_their_extension(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/IMG_1.HEIC", "a/IMG_1.JPG", "a/IMG_2.JPG", "b/IMG_2.HEIC")
    names = [(f.sequence, f.frame) for f in captures.scan(root, CAPTURES).frames]
    assert names == [("a", "IMG_1-HEIC"), ("a", "IMG_1-JPG"), ("a", "IMG_2"), ("b", "IMG_2")]


def test_paired_globs_name_sequence_and_frame(tmp_path: Path) -> None:
    root = touch(tmp_path, "x/in/c1/b_01.png", "x/gt/c1/s_01.png", "x/gt/c1/s_02.png", "x/gt/c1/other.png")
    params = IngestParams(layout="paired", blur_glob="*/in/*/b_*.png", sharp_glob="*/gt/*/s_*.png")
    scan = paired.scan(root, params)
    assert [(f.sequence, f.frame) for f in scan.frames] == [("x/c1", "01")]
    assert [r.path for r in scan.rejects] == ["x/gt/c1/s_02.png"]
    assert scan.ignored == 1


@pytest.mark.parametrize(
    ("blur_glob", "sharp_glob"),
    [("*/a/*.png", "b/*.png"), ("*/a/*.png", "*/a/*.png"), ("**/a/*.png", "**/b/*.png"), ("a.png", "b.png")],
)
def test_globs_that_cannot_pair_are_refused(tmp_path: Path, blur_glob: str, sharp_glob: str) -> None:
    with pytest.raises(ParamsError, match="glob"):
        paired.scan(tmp_path, IngestParams(layout="paired", blur_glob=blur_glob, sharp_glob=sharp_glob))


def test_each_layout_knows_its_own(tmp_path: Path) -> None:
    trees = {
        gopro: touch(tmp_path / "g", "train/S/blur_gamma/1.png", "train/S/sharp/1.png"),
        paired: touch(tmp_path / "p", "input/1.png", "target/1.png"),
        captures: touch(tmp_path / "c", "phone/1.jpg"),
    }
    assert [layout.detect(trees[layout]) for layout in trees] == [True, True, True]
    assert not gopro.detect(trees[paired])
    assert not paired.detect(trees[captures])
    assert not captures.detect(touch(tmp_path / "t", "a.txt"))
