"""One build per folder: its lock, the workers that a killed build left, and folders that hold something else."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from dbgan import files, locks
from dbgan.corpus import receipts, tables
from dbgan.corpus.read import read_header
from dbgan.errors import CorpusError, DbganError, StorageError
from dbgan.recipe import digest

ORPHANS_S = 60.0
"""How long a build waits for workers of a killed one to end."""


def claim(out: Path, synthesized: bool) -> None:
    """Make `out` a corpus being built; refuses a folder that holds something else, whose files would be removed.

    So is a corpus of captures where pairs are synthesized, and the other way round.
    """
    files.refuse_file(out)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:  # where nothing can be made, such as in /proc
        raise StorageError(
            f"{out}: this folder cannot be made ({error.strerror}).\nNext: choose another place for the corpus."
        ) from None
    if not (out / tables.CORPUS).exists() and not (out / receipts.FOLDER).exists():
        found = sorted(path.name for path in out.iterdir())
        if found:
            raise DbganError(
                f"{out}: expected an empty folder or a corpus, found other files ({', '.join(found[:3])}).\n"
                "Next: choose another folder, or move these files away: tars that no plan names are removed."
            )
        (out / receipts.FOLDER).mkdir()
    header = None
    with contextlib.suppress(CorpusError):  # none yet, or one that a build mends
        header = read_header(out)
    if header is not None and header.synthesized != synthesized:
        expected, what = _ORIGINS[synthesized], _ORIGINS[header.synthesized]
        raise DbganError(
            f"{out}: expected a new folder or a corpus {expected}, found one {what}, whose shards would be removed.\n"
            "Next: choose another folder, or remove this one yourself."
        )


_ORIGINS = {True: "of synthesized pairs", False: "that was ingested"}


@contextlib.contextmanager
def locked(out: Path, name: str, *, synthesized: bool) -> Iterator[Path]:
    """Make `out` a corpus being built, held alone. Yields the file that workers lock while they may write into it.

    Twice: by a file of `.dbgan/`, and by the folder itself, for a command that was given in another project's folder.
    """

    def busy(holder: str) -> None:
        raise DbganError(
            f"{out}: {holder} is building this corpus ({name}) right now.\n"
            f"Next: wait for it to end, or stop it and run the same command again."
        )

    folder = files.state_dir().resolve() / "locks"
    lock, orphans = (folder / f"{digest(str(out))[:16]}.{what}" for what in ("lock", "workers"))
    with locks.exclusive(lock, busy):
        with files.writing(out):
            claim(out, synthesized)
        with locks.folder(out, busy):
            _await_orphans(orphans, out)
            with files.writing(out):
                files.remove_partials(out)
                files.remove_partials(out / receipts.FOLDER)
            yield orphans


def _await_orphans(orphans: Path, out: Path) -> None:
    """Wait until no worker of a killed build is left: it could still rename a tar of an older recipe into place."""
    if not ended(orphans, ORPHANS_S):
        raise DbganError(
            f"{out}: workers of an earlier, killed build still run after {ORPHANS_S:.0f} s.\n"
            "Next: stop them (`ray stop`) and run the same command again."
        )


def ended(orphans: Path, seconds: float) -> bool:
    """Wait, so long at most, until no worker holds `orphans` (of `locked`): whether none is left."""
    deadline = time.monotonic() + seconds
    with locks.opened(orphans) as handle:
        while not locks.take(handle, orphans):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
    return True
