"""The canary: where a builder's code changed and its recipe did not, one shard is built again and compared."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dbgan import files
from dbgan.corpus import receipts, tables
from dbgan.corpus.layout import Finished, Plan, Receipt
from dbgan.engine.watch import Watch
from dbgan.errors import DbganError
from dbgan.recipe import digest

if TYPE_CHECKING:
    from dbgan.engine.worker import Builder, Pool

# The code that made the shards. Receipts in `.receipts/` name it; for folded tables `.dbgan/` does. Where neither says
# that a kept shard was made (or proved) by the code of today, one shard is built again and compared.


def choose(out: Path, plans: Sequence[Plan], kept: dict[str, Finished], code: str) -> Plan | None:
    """The plan to build again: the smallest kept shard whose code is another or unknown."""
    tables_known = _noted_code(out) == code
    unproven = [
        receipt for receipt in kept.values() if receipt.code != code and not (not receipt.code and tables_known)
    ]
    if not unproven:
        return None
    smallest = min(unproven, key=lambda receipt: (receipt.bytes == 0, receipt.bytes, receipt.shard))
    return next(plan for plan in plans if plan.shard == smallest.shard)


def prove(pool: Pool, plan: Plan, kept: Finished, builder: Builder, out: Path) -> None:
    """Build `plan` aside and compare with the kept shard; raises `DbganError` where bytes or rows differ."""
    folder = files.state_dir().resolve() / "canary" / digest(str(out))[:16]
    shutil.rmtree(folder, ignore_errors=True)
    try:
        made, failed = pool.run(folder, [plan], Watch())
        again = None if failed else receipts.load(folder, made[plan.shard])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if again is None:
        raise DbganError(
            f"{out.name}: the code of builder {builder.name!r} changed, so shard {plan.shard} was built again to "
            f"compare, and that failed: {failed[plan.shard]}\nNext: mend it and run the same command again."
        )
    before = receipts.load(out, kept)
    if again != before:
        raise DbganError(
            f"{out.name}: the code of builder {builder.name!r} changed, and shard {plan.shard} built by it is not what "
            f"is kept ({_difference(again, before)}), though its recipe is the same.\n"
            f"Next: bump REVISION (now {builder.revision}) of {builder.name!r} in {', '.join(builder.modules)}, so "
            "that its shards are built again; or, if the bytes were not meant to change, undo that."
        )


def _difference(made: Receipt, kept: Receipt) -> str:
    if made.sha256 != kept.sha256:
        return f"sha256 {made.sha256[:12]}... of {made.bytes} bytes against {kept.sha256[:12]}... of {kept.bytes}"
    for new, old in zip(made.rows, kept.rows, strict=False):
        names = [name for name in new if new[name] != old.get(name)]
        if names:
            return f"same bytes, but sample {new['key']} has {names[0]} {new[names[0]]!r} against {old.get(names[0])!r}"
    return f"same bytes, but {len(made.rejects)} rejects against {len(kept.rejects)}, or of other reasons"


def _code_note(out: Path) -> Path:
    return files.state_dir() / "code" / f"{digest(str(out))[:16]}.json"


def _noted_code(out: Path) -> str | None:
    """The code that made the folded tables of `out`, None where unknown (another machine, `.dbgan/` deleted)."""
    note = _code_note(out)
    if not note.is_file() or not (out / tables.SHARDS).is_file():
        return None
    shards, _, code = note.read_text().partition(" ")
    return code if shards == files.sha256_file(out / tables.SHARDS) else None


def note_code(out: Path, code: str) -> None:
    files.write_bytes(_code_note(out), f"{files.sha256_file(out / tables.SHARDS)} {code}".encode())
