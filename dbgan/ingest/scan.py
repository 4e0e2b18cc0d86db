"""Walk a raw folder and say what is in it: the frames of a layout, and every file that cannot be used, with a reason.

A scan reads names, never contents; everything is sorted, so that it depends on the folder's content alone.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dbgan.corpus.layout import Kind
from dbgan.errors import DbganError
from dbgan.image.metadata import printable

PICTURES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".heic", ".heif", ".hif", ".avif", ".webp"),
        *(".tif", ".tiff", ".bmp", ".gif", ".pbm", ".pgm", ".ppm", ".pnm"),
        *(".jxl", ".jp2", ".j2k", ".jpf", ".jpx"),  # which nothing here reads: refused by name, not ignored
    }
)
"""Extensions that promise a picture (in lower case). Other files are ignored and counted: raw formats, text, video."""

LITTER = {".ds_store": ".DS_Store", "thumbs.db": "Thumbs.db", "desktop.ini": "desktop.ini", "__macosx": "__MACOSX"}
"""What desktops leave behind, in lower case -> as it is told. `._*` (AppleDouble) goes with it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One sample to be. `sequence` and `frame` are names as found (not yet key parts).

    Attributes:
        paths: image field -> path relative to the root, with `/`.
        device: name of the device, or None where EXIF decides.
        window: files whose average is the blurry picture, in order of time; `paths` then has the sharp one alone.
        part: which part of the files is meant, where a file holds many pictures (a clip, a tar); None: whole files.
    """

    sequence: str
    frame: str
    paths: dict[str, str]
    device: str | None = None
    window: tuple[str, ...] = ()
    part: Any = None

    @property
    def files(self) -> tuple[str, ...]:
        """All files of the sample."""
        if not self.window:
            return tuple(self.paths.values())  # of a million frames nearly all
        return tuple(dict.fromkeys((*self.paths.values(), *self.window)))

    @property
    def names(self) -> tuple[str, ...]:
        """What origin digests of the sample may stand for: its files, and the name of a member of a tar."""
        member = getattr(self.part, "name", "") if self.part is not None else ""
        return (*self.files, member) if member else self.files


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A file that belongs to no frame although it should; `reason` is one of `layout.REJECT_REASONS`."""

    path: str
    reason: str
    detail: str
    sequence: str = ""


@dataclass(frozen=True, slots=True)
class Scan:
    """What a layout finds.

    Attributes:
        frames: samples to be. rejects: refused files.
        ignored: how many files were none of its business. litter: those of them that desktops leave behind, by kind.
        kind: of the corpus. notes: sentences for its card.
        files: files to be looked into before their frames are known (`layouts.Layout.look`); empty for most layouts.
        unused: what to do -> files that somebody may believe to be in the corpus, and that this layout cannot take.
    """

    frames: list[Frame]
    rejects: list[RejectedFile]
    ignored: int
    kind: Kind = "blurry"
    notes: tuple[str, ...] = ()
    litter: dict[str, int] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    unused: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True)
class Tree:
    """All usable files of a folder, relative to it and sorted; refused files; the number of ignored ones.

    `litter` counts those of the ignored that desktops leave behind, by kind.
    """

    files: list[str] = field(default_factory=list)
    rejects: list[RejectedFile] = field(default_factory=list)
    ignored: int = 0
    litter: Counter[str] = field(default_factory=Counter)


def is_picture(path: str) -> bool:
    """Whether the extension promises a picture."""
    return posixpath.splitext(path)[1].lower() in PICTURES


def walk(root: Path) -> Tree:
    """Files below `root`, without litter and hidden ones.

    Links are followed when they stay inside the root and lead to files; those that leave it are refused
    (`outside_root`), links to folders inside are ignored, since what is in them is found where it lies. What is no
    regular file, or cannot be listed, is `unreadable`.

    Raises:
        DbganError: the root itself cannot be listed.
    """
    try:
        os.scandir(root).close()
    except OSError as error:
        raise DbganError(
            f"{root}: this folder cannot be listed ({error.strerror}).\n"
            "Next: give yourself the right to read it (`chmod u+rx`), or correct `root` of the source."
        ) from None
    tree = Tree()
    _walk(root, "", Path(os.path.realpath(root)), tree)
    tree.files.sort()
    return tree


def _walk(folder: Path, prefix: str, real_root: Path, tree: Tree) -> None:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        tree.rejects.append(RejectedFile(prefix.rstrip("/"), "unreadable", f"folder: {error.strerror}"))
        return
    for entry in entries:
        path = prefix + entry.name
        lower = entry.name.lower()
        if lower.startswith(".") or lower in LITTER:
            tree.ignored += 1
            if lower in LITTER or lower.startswith("._"):
                tree.litter[LITTER.get(lower, "._*")] += 1
        elif entry.is_symlink():
            _link(entry, path, real_root, tree)
        elif entry.is_dir(follow_symlinks=False):
            _walk(Path(entry.path), path + "/", real_root, tree)
        elif entry.is_file(follow_symlinks=False):
            tree.files.append(path)
        elif is_picture(path):
            # Never opened: reading a pipe would wait for ever.
            tree.rejects.append(RejectedFile(path, "unreadable", "not a regular file"))
        else:
            tree.ignored += 1


def _link(entry: os.DirEntry[str], path: str, real_root: Path, tree: Tree) -> None:
    target = Path(os.path.realpath(entry.path))
    try:
        mode = os.stat(target).st_mode
    except OSError:
        mode = 0
    if not stat.S_ISDIR(mode) and not is_picture(path):
        tree.ignored += 1
    elif not target.is_relative_to(real_root):
        tree.rejects.append(RejectedFile(path, "outside_root", "a link that leaves the source's folder"))
    elif stat.S_ISREG(mode):
        tree.files.append(path)
    elif stat.S_ISDIR(mode):
        tree.ignored += 1
    else:
        tree.rejects.append(RejectedFile(path, "unreadable", "a link to nothing that can be read"))


def device_of(path: str, device: str | dict[str, str]) -> str | None:
    """Device of a file by the parameter `device`; None means that its EXIF decides.

    Args:
        path: relative to the root.
        device: `exif`, `folder` (the top folder's name), a name for all, or {glob: name}: the first glob that matches
            the whole relative path (`*` matches `/` too); without a match EXIF decides.
    """
    if isinstance(device, dict):
        return next((printable(name) for glob, name in device.items() if fnmatchcase(path, glob)), None)
    if device == "exif":
        return None
    if device == "folder":
        top, slash, _ = path.partition("/")
        return printable(top) if slash else ""
    return printable(device)


def paired_scan(
    tree: Tree,
    found: dict[str, dict[tuple[str, str], list[str]]],
    device: str | dict[str, str],
    ignored: int,
    notes: tuple[str, ...] = (),
) -> Scan:
    """A scan of pairs: frames of the files that have twins, rejects of those that have none.

    Args:
        found: `blur` and `sharp` -> (sequence, frame) -> paths. device: as in `device_of`.
        ignored: files beside them.
    """
    results = list(pair_up({which: dict(by_name) for which, by_name in found.items()}, device))
    frames = [result for result in results if isinstance(result, Frame)]
    rejects = [*tree.rejects, *(r for r in results if isinstance(r, RejectedFile))]
    return Scan(frames, rejects, ignored, "paired", notes, dict(tree.litter))


def pair_up(
    found: dict[str, dict[tuple[str, str], list[str]]], device: str | dict[str, str]
) -> Iterator[Frame | RejectedFile]:
    """Frames from blurry and sharp files of the same (sequence, frame), and a reject for each file without a twin.

    Args:
        found: image field -> (sequence, frame) -> paths; of several, the first in order is taken.
        device: as in `device_of`, on the blurry file's path.
    """
    names = sorted({name for by_name in found.values() for name in by_name})
    for sequence, frame in names:
        paths: dict[str, str] = {}
        for which, by_name in found.items():
            same = sorted(by_name.get((sequence, frame), []))
            if same:
                paths[which] = same[0]
            for path in same[1:]:
                yield RejectedFile(
                    path, "duplicate_key", f"{which}: another file has this sequence and frame", sequence
                )
        if len(paths) == len(found):
            yield Frame(sequence, frame, paths, device_of(paths["blur"], device))
            continue
        missing = next(which for which in found if which not in paths)
        for path in paths.values():
            yield RejectedFile(path, "pair_missing", f"no {missing} file with this sequence and frame", sequence)
