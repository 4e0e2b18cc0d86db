"""Raw folders to corpora: one module per layout, all found by `layouts.LAYOUTS`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbgan.engine import BuildReport
    from dbgan.params import IngestParams


def ingest(name: str, params: IngestParams, root: Path, out: Path, *, workers: int = 1) -> BuildReport:
    """Make the corpus `out` from the raw folder `root`; shards whose inputs and parameters are unchanged are kept.

    Args:
        name: of the source; recorded in the corpus.
        params: layout and limits.
        root: raw folder, only read.
        out: corpus folder.
        workers: 1: in this process; n: n Ray actors; 0: one actor per device. Never changes bytes.

    Raises:
        DbganError: the folder is missing or holds nothing of this layout (the error names the layout that fits); a
            larger share than `max_reject_fraction` was refused (the corpus is written first, so that it can be seen).
    """
    from dbgan import files, recipe
    from dbgan.corpus.header import Header
    from dbgan.engine import build_corpus
    from dbgan.ingest import refusals
    from dbgan.ingest.builders import builder_of
    from dbgan.ingest.digests import DigestCache
    from dbgan.ingest.layouts import look, scanned
    from dbgan.ingest.plan import make_plans, max_bytes

    files.refuse_file(out)  # before every input is read for its digest
    root = root.resolve()
    scan = scanned(params, root, out)
    inputs = [*(path for frame in scan.frames for path in frame.files), *scan.files]
    with DigestCache() as cache:
        states = cache.states(root, inputs, f"{name}: input digests", max_bytes=max_bytes(params))
        scan = look(root, scan, states, cache, params)
    planned = make_plans(scan, states, params)
    refusals.save_origins(name, out, planned.origins)
    builder = builder_of(params, root, workers)
    header = Header(
        kind=scan.kind,
        ext=params.image,
        name=name,
        params=_recorded(params),
        codecs=recipe.codec_versions(),
        quality=params.quality,
        max_pixels=params.max_pixels,
        notes=scan.notes,
    )
    report = build_corpus(
        out, header, builder, planned.plans, rejects=planned.rejects, workers=workers, at_once=builder.at_once
    )
    refusals.say_scan(name, scan)
    refusals.say_warnings(name, out)
    if report.rejects:
        refusals.check_rejects(name, out, planned.origins, report.samples, params.max_reject_fraction)
    return report


def _recorded(params: IngestParams) -> dict[str, Any]:
    """The parameters that a corpus tells of itself: those that shape it, and no name of a file or folder."""
    told = params.told()
    del told["max_reject_fraction"]
    return {key: value for key, value in told.items() if value is not None and value != ""}
