"""What each layout finds in a tree, and which tree it knows as its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dbgan.cli import app
from dbgan.errors import DbganError, ParamsError
from dbgan.ingest import captures, frames, gopro, gopro_all, ingest, paired, refusals
from dbgan.ingest.official import TEST, TRAIN
from dbgan.ingest.scan import walk
from dbgan.params import IngestParams

from .conftest import CAPTURES, GOPRO, pixels, put, raw_png


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
    notes = gopro.notes(GOPRO, Counter({"GOPR0384_11_00": 100, "GOPR0372_07_00": 100}))
    assert "`blur`" in notes[0]
    assert "GOPR0384" in notes[-1]
    assert "both its splits" not in " ".join(gopro.notes(GOPRO, Counter({"GOPR0372_07_00": 3})))


def test_captures_take_folders_as_sequences_and_stems_as_frames(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/b/IMG_1.JPG", "IMG_9.png", "a/notes.txt", "a/IMG_1.dng", "a/clip.mp4")
    scan = captures.scan(root, CAPTURES)
    assert [(f.sequence, f.frame) for f in scan.frames] == [("root", "IMG_9"), ("a/b", "IMG_1")]
    assert (scan.ignored, [*scan.unused.values()]) == (1, [("a/clip.mp4",), ("a/IMG_1.dng",)])


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
        gopro_all: touch(tmp_path / "a", "train/GOPR0001_11_00/000001.png"),
        frames: touch(tmp_path / "f", *(f"clip/{k:03d}.png" for k in range(6))),
        paired: touch(tmp_path / "p", "input/1.png", "target/1.png"),
        captures: touch(tmp_path / "c", "phone/1.jpg"),
    }
    names = {layout: walk(root).files for layout, root in trees.items()}
    assert gopro.detect(names[gopro]) == {"blur": "blur_gamma"}
    assert gopro_all.detect(names[gopro_all]) == {}
    assert paired.detect(names[paired]) == {"blur_glob": "input/*.png", "sharp_glob": "target/*.png"}
    assert frames.detect(names[frames]) == captures.detect(names[captures]) == {}
    for layout in (gopro, gopro_all, paired, frames):
        assert [other for other in names if layout.detect(names[other]) is not None] == [layout]
    assert captures.detect(["a.txt"]) is None


def test_a_wrong_layout_is_told_what_the_folder_looks_like_and_the_command_that_works(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    for number in range(1, 6):
        put(root / "clip" / f"{number:04d}.png", raw_png(pixels(number)))
    with pytest.raises(DbganError) as caught:
        ingest("x", GOPRO, root, tmp_path / "out")
    assert "It looks like the layout `frames`" in str(caught.value)
    command = next(line for line in str(caught.value).splitlines() if line.startswith("Next: dbgan"))
    assert command == f"Next: dbgan ingest {root} {tmp_path / 'out'} --layout frames"
    done = CliRunner().invoke(app, [*command.split()[2:], "--set", "window=5"])
    assert done.exit_code == 0, done.output


def test_what_was_found_instead_is_told_with_the_first_file_and_why(tmp_path: Path) -> None:
    put(tmp_path / "v" / "clip.mp4", b"x")
    with pytest.raises(DbganError, match=r"Found: 1 other files\. (?s:.*)--layout video (?s:.*)`take: blurry`, where"):
        ingest("x", CAPTURES, tmp_path / "v", tmp_path / "out")
    for number in (1, 5, 9):
        put(tmp_path / "f" / "clip" / f"{number:04d}.png", raw_png(pixels(number)))
    with pytest.raises(DbganError, match=r"Found: 1 x window_incomplete \(such as clip/0001\.png: .*3.*\), 0 other"):
        ingest("x", IngestParams(layout="frames", window=3), tmp_path / "f", tmp_path / "out")
    preset = IngestParams(layout="paired", preset="rsblur")
    with pytest.raises(DbganError, match=r"Expected: RSBlur/DAY/ID/\{real_blur/real_blur,gt/gt_sharp\}\.png"):
        ingest("x", preset, tmp_path / "f", tmp_path / "out")


@pytest.mark.parametrize("tree", ["GOPR0001_11_00/000001.png", "scene001/{side}_1.png", "S/{side}/1.png"])
def test_captures_never_take_sharp_pictures_for_blurry_ones(tmp_path: Path, tree: str) -> None:
    sides = {"scene001/{side}_1.png": ("blur/blur", "gt/gt"), "S/{side}/1.png": ("blur", "sharp")}
    touch(tmp_path / "raw", *(tree.format(side=side) for side in sides.get(tree, ("",))))
    with pytest.raises(DbganError, match=r"(?s)They would teach BGAN.*Next: dbgan ingest .* --layout \w+"):
        ingest("x", CAPTURES, tmp_path / "raw", tmp_path / "out")


def test_frames_never_average_blurry_pictures(tmp_path: Path) -> None:
    names = [f"GOPR0001_11_00/{side}/{k:06d}.png" for side in ("blur", "sharp") for k in range(12)]
    touch(tmp_path / "raw", *names)
    params = IngestParams(layout="frames")
    with pytest.raises(DbganError, match=r"(?s)no exposure of a camera.*--layout gopro.*sharp pictures alone"):
        ingest("x", params, tmp_path / "raw", tmp_path / "out")
    assert frames.scan(tmp_path / "raw" / "GOPR0001_11_00" / "sharp", params).frames


@pytest.mark.parametrize(("split", "name"), [(TRAIN, "training"), (TEST, "test")])
def test_a_full_official_split_is_recognised_and_a_part_is_told(split: dict[str, int], name: str) -> None:
    """The published sizes: 22 sequences of 2103 pairs and 11 of 1111."""
    assert (len(split), sum(split.values())) == ((22, 2103) if name == "training" else (11, 1111))
    whole = " ".join(gopro.notes(GOPRO, Counter(split)))
    assert (
        f"This is the whole official {name} split of GOPRO_Large: {len(split)} sequences, {sum(split.values())}"
        in whole
    )
    less = Counter(split) - Counter({"GOPR0372_07_00": 2, "GOPR0396_11_00": 2})
    first = min(less)
    del less[max(less)]
    said = " ".join(gopro.notes(GOPRO, less))
    assert f"part of the official {name} split" in said
    assert f"{len(split) - 1} of its {len(split)} sequences, {less.total()} of its {sum(split.values())} pairs" in said
    assert f"Not there: {max(split)}" in said
    assert "has 98 of 100" in said
    more = " ".join(gopro.notes(GOPRO, Counter({first: 999, "MINE_1": 3})))
    assert f"{first} 999, officially {split[first]}" in more
    assert "not of GOPRO_Large: MINE_1" in more


def test_a_split_on_disk_is_counted_by_its_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole official test split, by names alone: no picture is read to know it."""
    sides = ("blur", "sharp")
    names = [f"{s}/{side}/{k:06d}.png" for s, count in TEST.items() for side in sides for k in range(1, count + 1)]
    for folder in {name.rpartition("/")[0] for name in names}:
        (tmp_path / folder).mkdir(parents=True)
    for name in names:
        (tmp_path / name).touch()
    for litter in ("._000001.png", ".DS_Store", "Thumbs.db"):
        (tmp_path / "GOPR0384_11_00" / "blur" / litter).touch()
    scan = gopro.scan(tmp_path, GOPRO)
    assert (len(scan.frames), scan.rejects, scan.ignored) == (1111, [], 3)
    assert any("whole official test split" in note for note in scan.notes)
    refusals.say_scan("g", scan)
    assert "of them 1 .DS_Store, 1 ._*, 1 Thumbs.db" in capsys.readouterr().out
