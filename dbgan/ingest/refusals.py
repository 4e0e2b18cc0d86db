"""What a person reads after an ingest: what was ignored, warned of and refused, by name. Names stay on this machine."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

from dbgan import files
from dbgan.corpus.layout import WARNINGS
from dbgan.errors import DbganError
from dbgan.ingest.scan import Scan
from dbgan.recipe import digest

MOST_LISTED = 20


def origins_path(name: str, out: Path) -> Path:
    """`.dbgan/origins/NAME-XXXXXXXX.json`: digest -> path, for the owner; never part of a corpus.

    The hex digits are of the corpus's folder: corpora of one name in two folders do not share a file.
    """
    return files.state_dir() / "origins" / f"{name}-{digest(os.fsencode(out.resolve()).hex())[:8]}.json"


def save_origins(name: str, out: Path, origins: dict[str, str]) -> None:
    """Remember which path each origin digest stands for."""
    # ensure_ascii: names that are no valid Unicode survive as escaped surrogates
    files.write_bytes(origins_path(name, out), json.dumps(origins, indent=0, sort_keys=True).encode())


def say_scan(name: str, scan: Scan) -> None:
    """What the scan found out: its notes, files that are not used although they may be missed, how many others."""
    for note in scan.notes:
        print(f"{name}: {note}", flush=True)
    for advice, paths in scan.unused.items():
        more = f" and {len(paths) - MOST_LISTED} more" if len(paths) > MOST_LISTED else ""
        print(f"{name}: not used: {', '.join(map(_shown, paths[:MOST_LISTED]))}{more}. {advice}", flush=True)
    if scan.ignored:
        litter = ", ".join(f"{count} {kind}" for kind, count in sorted(scan.litter.items()))
        said = f"; of them {litter}" if litter else ""
        print(f"{name}: {scan.ignored} other files ignored (hidden, litter, or none of this layout{said})", flush=True)


def say_warnings(name: str, out: Path) -> None:
    """One line per kind of warning, with its count."""
    for warning, count in json.loads((out / "corpus.json").read_bytes())["counts"]["warnings"].items():
        print(f"{name}: {count} x {warning} ({WARNINGS[warning]})", flush=True)


def check_rejects(name: str, out: Path, origins: dict[str, str], samples: int, limit: float) -> None:
    """List what was refused; raise `DbganError` when it is more than the share `limit` of all inputs."""
    import pyarrow.parquet as pq  # needed only where something was refused

    rows = pq.read_table(out / "rejects.parquet").to_pylist()
    named = sorted((origins.get(row["origin"], row["origin"]), row["reason"], row["detail"]) for row in rows)
    total = samples + len(rows)
    share = len(rows) / total
    for path, reason, detail in named[:MOST_LISTED]:
        print(f"{name}: refused {_shown(path)} ({reason}: {detail})", flush=True)
    if len(rows) > MOST_LISTED:
        print(f"{name}: ... and {len(rows) - MOST_LISTED} more, all in {out / 'rejects.parquet'}", flush=True)
    if share > limit:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(Counter(r["reason"] for r in rows).items()))
        raise DbganError(
            f"{out}: {len(rows)} of {total} inputs were refused ({reasons}), over the limit of {limit:.3g} "
            f"(max_reject_fraction; found {share:.3g}).\n"
            f"They are listed in rejects.parquet; {origins_path(name, out)} says which file each digest is.\n"
            f"Next: look at `dbgan corpus info {out} --rejects`, then mend or remove the files, "
            "or raise max_reject_fraction."
        )


def _shown(path: str) -> str:
    """A path as it may be printed: bytes that are no text as escapes."""
    return path.encode("utf-8", "backslashreplace").decode()
