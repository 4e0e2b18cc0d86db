"""When each stage ran on this machine: a mark per stage in `.dbgan/runs/`. No out depends on them."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from dbgan.files import state_dir, write_json


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a stage that ended well, the last one.

    Attributes:
        stage: as DVC names it, such as `evaluate@plus`.
        started: seconds since 1970.
        seconds: how long it took.
        session: of the `dvc repro` that ran it; equal for all that one command ran, empty for a stage run by hand.
    """

    stage: str
    started: float
    seconds: float
    session: str


@contextlib.contextmanager
def noted() -> Iterator[None]:
    """Leave a mark when the stage of this process ends well; none where it was only asked something (`--table`)."""
    started, name = time.time(), _stage()
    yield
    if not name:
        return
    with contextlib.suppress(OSError):  # a mark is no reason to fail
        seconds = round(time.time() - started, 3)
        write_json(_folder() / f"{name}.json", asdict(Ran(name, round(started, 3), seconds, _session())))


def marks() -> dict[str, Ran]:
    """Stage -> its last run; what cannot be read is left out."""
    found = {}
    for file in sorted(_folder().glob("*.json")):
        with contextlib.suppress(OSError, ValueError, TypeError):
            mark = Ran(**json.loads(file.read_bytes()))
            found[mark.stage] = mark
    return found


def _folder() -> Path:
    return state_dir() / "runs"


def _stage() -> str:
    """DVC's name of the stage; of one run by hand the same, from the command; empty where an option is given."""
    named = os.environ.get("DVC_STAGE", "").rpartition(":")[2]
    if named or any(word.startswith("-") for word in sys.argv[1:]):
        return named
    return "@".join([Path(sys.argv[0]).stem, *sys.argv[1:]]).replace("/", "-")


def _session() -> str:
    """The `dvc` process above this one, by number and start; empty where there is none."""
    if "DVC_STAGE" not in os.environ:
        return ""
    try:
        import psutil  # type: ignore[import-untyped]  # DVC needs it, we do not
    except ImportError:
        return ""
    with contextlib.suppress(psutil.Error):
        for above in psutil.Process().parents()[:4]:
            if any(Path(word).name == "dvc" for word in above.cmdline()):
                return f"{above.pid}-{above.create_time():.0f}"
    return ""
