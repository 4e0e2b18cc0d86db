"""Take a corpus apart: plain files, or what BasicSR and its descendants read. Pictures keep their bytes.

Written against BasicSR's basicsr/data/data_util.py (paired_paths_from_lmdb, paired_paths_from_meta_info_file,
paired_paths_from_folder) and basicsr/utils/lmdb_util.py.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dbgan.corpus.layout import ARRAYS
from dbgan.corpus.read import Corpus
from dbgan.corpus.rows import rows
from dbgan.errors import CorpusError, require
from dbgan.files import atomic_folder
from dbgan.progress import progress

if TYPE_CHECKING:
    import lmdb

Row = dict[str, Any]
SIDES = {"blur": "LQ", "sharp": "GT"}
"""BasicSR's names: low quality goes in, ground truth is wanted out."""
COMMIT_BYTES = 1 << 24
"""LMDB holds what is not committed in memory."""


def extract(corpus: Corpus, out: Path, *, sequence: str = "") -> int:
    """Unpack samples to `out/SEQUENCE/FRAME.FIELD.EXT` and `FRAME.json`, as tar would; returns how many.

    Args:
        corpus: an open corpus; its selection holds.
        out: folder to make, absent or empty. It appears when everything is in it.
        sequence: only this sequence; empty: all.

    Raises:
        CorpusError: a member is missing or not what the manifest says, or there is no such sequence.
    """
    count = 0
    with atomic_folder(out) as folder:
        for row, members in _samples(corpus, "extract", sequence):
            (folder / row["sequence"]).mkdir(exist_ok=True)
            for field, data in members.items():
                (folder / f"{row['key']}.{corpus.header.suffixes[field]}").write_bytes(data)
            count += 1
        if sequence and not count:
            raise CorpusError(
                f"{corpus.path}: no sample of sequence {sequence!r}.\nNext: dbgan corpus ls {corpus.path}"
            )
    return count


def to_folders(corpus: Corpus, out: Path) -> int:
    """Write `out/GT/NAME.EXT`, `out/LQ/NAME.EXT` and `out/meta_info.txt`; returns the number of samples.

    BasicSR looks up partners by file name in one flat folder, so NAME is `SEQUENCE-FRAME`; where two keys would get
    the same NAME, both end in `-` and 8 hex digits of their key's sha256. Lines of meta_info.txt are
    `NAME.EXT (HEIGHT,WIDTH,3)`. Of a corpus of one field there is one folder; motion goes to `out/motion/NAME.npz`.

    Args:
        corpus: an open corpus; its selection holds.
        out: folder to make, absent or empty. It appears when everything is in it.

    Raises:
        CorpusError: a member is missing or not what the manifest says.
    """
    ambiguous = _ambiguous(corpus)
    count = 0
    with atomic_folder(out) as folder:
        for name in (*(SIDES[field] for field in corpus.fields), *corpus.header.arrays):
            (folder / name).mkdir()
        with (folder / "meta_info.txt").open("w") as lines:
            for row, members in _samples(corpus, "export"):
                flat = _flat(row["key"], ambiguous)
                name = f"{flat}.{corpus.header.ext}"
                for field in corpus.header.arrays:
                    (folder / field / f"{flat}.{ARRAYS[field]}").write_bytes(members[field])
                for field in corpus.fields:
                    (folder / SIDES[field] / name).write_bytes(members[field])
                lines.write(f"{name} ({row['height']},{row['width']},3)\n")
                count += 1
    return count


def to_lmdb(corpus: Corpus, out: Path) -> int:
    """Write `out/GT.lmdb` and `out/LQ.lmdb`, BasicSR's paired LMDB; returns the number of samples.

    LMDB keys are the corpus's keys in ASCII, values the picture files. meta_info.txt in each has the lines
    `KEY.EXT (HEIGHT,WIDTH,3) 1`; the last number is the level at which BasicSR's own tool
    compresses, which no reader uses. Motion has no place in it and is left out.

    Args:
        corpus: an open corpus; its selection holds.
        out: folder to make, absent or empty. It appears when everything is in it.

    Raises:
        CorpusError: a member is missing or not what the manifest says.
        MissingPackageError: lmdb is not installed.
    """
    require("lmdb", "dbgan corpus export --to lmdb")
    count = 0
    with atomic_folder(out) as folder, contextlib.ExitStack() as stack:
        writers = {
            field: stack.enter_context(_lmdb(folder / f"{SIDES[field]}.lmdb", _room(corpus, field)))
            for field in corpus.fields
        }
        for row, members in _samples(corpus, "export"):
            for field, writer in writers.items():
                line = f"{row['key']}.{corpus.header.ext} ({row['height']},{row['width']},3) 1\n"
                writer.put(row["key"], members[field], line)
            count += 1
    return count


def _samples(corpus: Corpus, label: str, sequence: str = "") -> Iterator[tuple[Row, dict[str, bytes]]]:
    """Manifest rows and the bytes of their members, each checked against its sha256; one sample is in memory."""
    fields = tuple(corpus.header.suffixes)
    columns = ["key", "sequence", "width", "height", *(f"{field}_sha256" for field in fields)]
    with progress(f"{label} {corpus.name}", len(corpus)) as bar:
        for row in rows(corpus.path, columns):
            if row["key"] not in corpus or (sequence and row["sequence"] != sequence):
                continue
            members = {field: corpus.encoded(row["key"], field) for field in fields}
            for field, data in members.items():
                if hashlib.sha256(data).digest() != row[f"{field}_sha256"]:
                    raise CorpusError(
                        f"{corpus.path}: sample {row['key']}: the bytes of {field} are not those of the manifest.\n"
                        "Next: `dbgan corpus verify --repair`, then `dvc pull` or build the corpus again."
                    )
            yield row, members
            bar.advance(note=row["key"])


def _ambiguous(corpus: Corpus) -> set[str]:
    """Flat names that more than one key of the corpus would get: a/b-c and a-b/c."""
    seen: set[str] = set()
    twice: set[str] = set()
    for row in rows(corpus.path, ["key"]):
        name = row["key"].replace("/", "-")
        (twice if name in seen else seen).add(name)
    return twice


def _flat(key: str, ambiguous: set[str]) -> str:
    name = key.replace("/", "-")
    return f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:8]}" if name in ambiguous else name


def _room(corpus: Corpus, field: str) -> int:
    """Bytes of address space for an LMDB of the field: whole pages for every value and the tree. Not disk."""
    pages = sum(row[f"{field}_size"] // 4096 + 4 for row in rows(corpus.path, [f"{field}_size"]))
    return int(pages) * 4096 + (1 << 24)


class _Writer:
    """One LMDB being written, in the order of keys."""

    def __init__(self, environment: lmdb.Environment, lines: IO[str]) -> None:
        self._environment, self._lines = environment, lines
        self._transaction = environment.begin(write=True)
        self._pending = 0

    def put(self, key: str, data: bytes, line: str) -> None:
        self._transaction.put(key.encode("ascii"), data, append=True)
        self._lines.write(line)
        self._pending += len(data)
        if self._pending >= COMMIT_BYTES:
            self.commit()
            self._transaction = self._environment.begin(write=True)
            self._pending = 0

    def commit(self) -> None:
        self._transaction.commit()


@contextlib.contextmanager
def _lmdb(path: Path, room: int) -> Iterator[_Writer]:
    import lmdb

    # Nobody else sees the folder before it is renamed: no lock, and one sync at the end.
    with (
        lmdb.open(str(path), map_size=room, lock=False, sync=False) as environment,
        (path / "meta_info.txt").open("w", encoding="ascii") as lines,
    ):
        writer = _Writer(environment, lines)
        yield writer
        writer.commit()
        environment.sync(True)
