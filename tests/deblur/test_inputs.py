"""Names and trees are kept, nothing takes another's place, and nothing is an input that was not meant as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgan.deblur.inputs import find
from dbgan.errors import DbganError
from tests.tiny_corpora import Tiny, scene, write


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def targets(*inputs: Path, out: Path, form: str = "same") -> dict[str, str]:
    return {job.path.name: str(job.relative) for job in find(inputs, out, form).jobs}  # type: ignore[arg-type]


def test_trees_names_and_types_are_kept(tmp_path: Path) -> None:
    photos = touch(tmp_path / "photos", "a/One.JPG", "b/c/two.heic", "three.gif", "four.MOV", "five.avi", "notes.txt")
    assert targets(photos, out=tmp_path / "out") == {
        "One.JPG": "a/One.JPG",
        "two.heic": "b/c/two.heic",
        "three.gif": "three.png",
        "four.MOV": "four.MOV",
        "five.avi": "five.mp4",
    }
    as_png = targets(photos, out=tmp_path / "out", form="png")
    assert (as_png["One.JPG"], as_png["two.heic"], as_png["four.MOV"]) == ("a/One.png", "b/c/two.png", "four.MOV")


def test_same_stems_do_not_take_each_others_place(tmp_path: Path) -> None:
    photos = touch(tmp_path / "photos", "i.heic", "i.JPG", "j.gif", "j.png", "k.PNG", "K.png", "l.gif", "l.ppm")
    found = targets(photos, out=tmp_path / "out")
    assert found == {name: name for name in ("i.heic", "i.JPG", "k.PNG", "K.png", "l.ppm")} | {
        "j.gif": "j-gif.png",
        "j.png": "j-png.png",
        "l.gif": "l.png",
    }
    with_png = targets(touch(tmp_path / "other", "i.heic", "i.JPG"), out=tmp_path / "out", form="png")
    assert with_png == {"i.heic": "i-heic.png", "i.JPG": "i-jpg.png"}


def test_earlier_results_are_no_inputs(tmp_path: Path) -> None:
    photos = touch(tmp_path / "photos", "a.png", "restored/a.png", "._a.png")
    assert targets(photos, out=photos / "restored") == {"a.png": "a.png"}


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    photos = touch(tmp_path / "photos", "a.png", "b/c.png")
    with pytest.raises(DbganError, match=r"a\.png: its result would be written to .*a\.png, which belongs to"):
        find([photos / "a.png"], photos)
    with pytest.raises(DbganError, match="no pictures or clips below it"):
        find([photos], photos)  # its own results are no inputs


def test_two_inputs_for_one_result_are_refused_before_any_work(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.png", "y/a.png")
    with pytest.raises(DbganError, match=r"y/a.png: its result would (.|\n)*x/a.png.\nNext: choose another --out"):
        find([tmp_path / "x", tmp_path / "y"], tmp_path / "out")


def test_links_out_of_the_folder_are_told_and_not_followed(tmp_path: Path) -> None:
    photos = touch(tmp_path / "photos", "a.png")
    (photos / "away.png").symlink_to(touch(tmp_path, "private.png") / "private.png")
    found = find([photos], tmp_path / "out")
    assert [job.path.name for job in found.jobs] == ["a.png"]
    assert [(r.path, r.reason) for r in found.refused] == [("away.png", "outside_root")]


def test_other_files_and_empty_folders_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt", "empty/readme.md")
    with pytest.raises(DbganError, match=r"notes.txt: expected a picture, a clip, a folder or a corpus"):
        find([tmp_path / "notes.txt"], tmp_path / "out")
    with pytest.raises(DbganError, match="empty: no pictures or clips below it"):
        find([tmp_path / "empty"], tmp_path / "out")


def test_a_corpus_gives_its_blurry_pictures_by_key(tmp_path: Path) -> None:
    made = Tiny("s0/1", {"blur": scene(1), "sharp": scene(2)}, "Pixel 8", meta={"captured_at": "2024-01-02T03:04:05"})
    corpus = write(tmp_path / "corpus", "paired", [made])
    (job,) = find([tmp_path / "corpus"], tmp_path / "out").jobs
    assert (str(job.relative), job.read()) == ("s0/1.png", corpus.encoded("s0/1", "blur"))
    assert job.meta is not None
    assert job.meta()["captured_at"] == "2024-01-02T03:04:05"
    write(tmp_path / "sharp", "sharp", [Tiny("s0/1", {"sharp": scene(2)})])
    with pytest.raises(DbganError, match="expected a corpus with blurry pictures, found a sharp one"):
        find([tmp_path / "sharp"], tmp_path / "out")
