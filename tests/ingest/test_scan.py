"""Walking a raw folder: litter, links, what cannot be read, devices."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dbgan.ingest.scan import RejectedFile, device_of, walk

from .conftest import put


def test_litter_is_ignored_and_counted(tmp_path: Path) -> None:
    for name in ("._IMG_1.jpg", ".DS_Store", "Thumbs.db", "a/.hidden/IMG_2.jpg", "__MACOSX/IMG_3.jpg"):
        put(tmp_path / name, b"x")
    put(tmp_path / "a" / "IMG_1.jpg", b"x")
    tree = walk(tmp_path)
    assert (tree.files, tree.rejects, tree.ignored) == (["a/IMG_1.jpg"], [], 5)


def test_links_that_leave_the_root_are_refused(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    put(outside / "secret.jpg", b"x")
    put(root / "a" / "IMG_1.jpg", b"x")
    (root / "file.jpg").symlink_to(outside / "secret.jpg")
    (root / "folder").symlink_to(outside)
    (root / "inside.jpg").symlink_to(root / "a" / "IMG_1.jpg")
    (root / "loop").symlink_to(root)
    (root / "note.txt").symlink_to(outside / "secret.jpg")
    tree = walk(root)
    assert tree.files == ["a/IMG_1.jpg", "inside.jpg"]
    assert [(r.path, r.reason) for r in tree.rejects] == [("file.jpg", "outside_root"), ("folder", "outside_root")]
    assert tree.ignored == 2


def test_a_root_that_is_a_link_is_no_escape(tmp_path: Path) -> None:
    put(tmp_path / "real" / "IMG_1.jpg", b"x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "again.jpg").symlink_to(tmp_path / "real" / "IMG_1.jpg")
    assert walk(tmp_path / "link").files == ["IMG_1.jpg", "again.jpg"]


def test_pipes_and_dangling_links_are_unreadable_and_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    tree = walk(tmp_path)
    assert tree.rejects == [
        RejectedFile("dangling.jpg", "unreadable", "a link to nothing that can be read"),
        RejectedFile("pipe.jpg", "unreadable", "not a regular file"),
    ]
    assert tree.ignored == 1


def test_a_folder_that_cannot_be_listed_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "open" / "IMG_1.jpg", b"x")
    put(tmp_path / "locked" / "IMG_2.jpg", b"x")
    real = os.scandir

    def guarded(path: Path) -> object:  # permissions do not hold for root, who may be running the tests
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    tree = walk(tmp_path)
    assert tree.files == ["open/IMG_1.jpg"]
    assert tree.rejects == [RejectedFile("locked", "unreadable", "folder: Permission denied")]


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("exif", None),
        ("folder", "pixel-8"),
        ("Sony A7", "Sony A7"),
        ({"*/b/*": "B", "pixel-8/*": "P"}, "P"),
        ({"other/*": "O"}, None),
    ],
)
def test_devices(device: str | dict[str, str], expected: str | None) -> None:
    assert device_of("pixel-8/a/IMG_1.jpg", device) == expected


def test_the_folder_device_of_a_file_at_the_root_is_unknown() -> None:
    assert device_of("IMG_1.jpg", "folder") == ""
    assert device_of("caf\udce9/IMG_1.jpg", "folder") == "caf"
