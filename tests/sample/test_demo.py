"""The whole render."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from dbgan.errors import DbganError
from dbgan.params import SampleParams
from dbgan.sample import render


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_rendering_twice_gives_equal_bytes(small: SampleParams, rendered: Path, tmp_path: Path) -> None:
    render(small, tmp_path)

    assert digests(tmp_path) == digests(rendered)


def test_another_seed_changes_every_picture_but_no_name(small: SampleParams, rendered: Path, tmp_path: Path) -> None:
    render(small.model_copy(update={"seed": 8}), tmp_path)

    first, second = digests(rendered), digests(tmp_path)
    assert first.keys() == second.keys()
    assert not set(first.values()) & set(second.values())


def test_rendering_again_rewrites_nothing(small: SampleParams, rendered: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in rendered.rglob("*") if p.is_file()}

    render(small, rendered)

    assert {p: p.stat().st_mtime_ns for p in rendered.rglob("*") if p.is_file()} == before


def test_layout_is_gopros_and_one_folder_per_outing(small: SampleParams, rendered: Path) -> None:
    folders = {str(p.parent.relative_to(rendered)) for p in rendered.rglob("*") if p.is_file()}

    clips = {f"gopro/train/GOPR900{n}_11_00" for n in range(1, 7)} | {
        f"gopro/test/GOPR910{n}_11_00" for n in range(1, 4)
    }
    assert {f for f in folders if f.startswith("gopro")} == {f"{c}/{k}" for c in clips for k in ("blur", "sharp")}
    assert {f for f in folders if f.startswith("phones")} == {
        *(f"phones/train/phone-{p}-train-{n}" for p in "ab" for n in range(1, 5)),
        *(f"phones/test/phone-{p}-test-{n}" for p in "ab" for n in range(1, 3)),
    }
    assert {f for f in folders if f.startswith("phone-pairs")} == {
        f"phone-pairs/test/phone-{p}-pairs/{k}" for p in "ab" for k in ("blur", "sharp")
    }
    assert sorted(p.name for p in (rendered / "gopro/train/GOPR9001_11_00/blur").iterdir()) == [
        "000001.png",
        "000002.png",
    ]
    assert sum(1 for _ in (rendered / "phones/train").glob("phone-a-*/*.jpg")) == small.captures_per_phone


def test_files_of_a_longer_render_are_named_and_nothing_is_removed(
    small: SampleParams, rendered: Path, tmp_path: Path
) -> None:
    shutil.copytree(rendered / "gopro/train/GOPR9002_11_00", tmp_path / "gopro/train/GOPR9002_11_00")
    before = digests(tmp_path)

    with pytest.raises(DbganError, match=r"GOPR9002_11_00/blur/000002\.png: expected only.*\nNext: remove"):
        render(small.model_copy(update={"frames_per_sequence": 1}), tmp_path)

    assert digests(tmp_path) == before
