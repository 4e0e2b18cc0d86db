"""Raw folders to corpora: one module per layout (gopro, captures, paired), one builder for all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbgan.engine import BuildReport
    from dbgan.ingest.scan import Scan
    from dbgan.params import IngestParams

MAX_THREADS = 4


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
    from dbgan.ingest import gopro, refusals
    from dbgan.ingest.build import IngestBuilder
    from dbgan.ingest.digests import DigestCache
    from dbgan.ingest.plan import make_plans, max_bytes

    files.refuse_file(out)  # before every input is read for its digest
    root = root.resolve()
    layout = _layouts()[params.layout]
    scan = _scanned(params, root)
    inputs = [path for frame in scan.frames for path in frame.paths.values()]
    with DigestCache() as cache:
        states = cache.states(root, inputs, f"{name}: input digests", max_bytes=max_bytes(params))
    planned = make_plans(scan, states, params)
    refusals.save_origins(name, out, planned.origins)
    builder = IngestBuilder(
        root=str(root),
        ext=params.image,
        max_pixels=params.max_pixels,
        min_side=params.min_side,
        measured=params.quality,
        icc=params.icc,
        threads=min(MAX_THREADS, os.cpu_count() or 1) if workers == 1 else 1,
    )
    sequences = sorted({frame.sequence for frame in scan.frames})
    header = Header(
        kind=layout.KIND,
        ext=params.image,
        name=name,
        params=_recorded(params),
        codecs=recipe.codec_versions(),
        quality=params.quality,
        max_pixels=params.max_pixels,
        notes=gopro.notes(params, sequences) if params.layout == "gopro" else (),
    )
    report = build_corpus(out, header, builder, planned.plans, rejects=planned.rejects, workers=workers)
    if scan.ignored:
        print(f"{name}: {scan.ignored} other files ignored (hidden, litter, or not named as pictures)", flush=True)
    refusals.say_warnings(name, out)
    if report.rejects:
        refusals.check_rejects(name, out, planned.origins, report.samples, params.max_reject_fraction)
    return report


def _layouts() -> dict[str, Any]:
    from dbgan.ingest import captures, gopro, paired

    return {"gopro": gopro, "paired": paired, "captures": captures}


def _scanned(params: IngestParams, root: Path) -> Scan:
    """The layout's scan, or an error that says what was expected and which layout fits."""
    from dbgan.errors import DbganError
    from dbgan.ingest import gopro

    if not root.is_dir():
        raise DbganError(
            f"{root}: no such folder.\nNext: put the raw files there (datasets/README.md says where to get them), "
            "or correct `root` of the source."
        )
    layouts = _layouts()
    scan: Scan = layouts[params.layout].scan(root, params)
    if params.layout == "captures" and gopro.fits(f.paths["blur"] for f in scan.frames):
        raise DbganError(
            f"{root}: the layout is `captures`, real blurry photos, and this is a GOPRO tree with sharp frames beside "
            "the blurry ones.\nThe sharp ones would teach BGAN that real photos are sharp.\n"
            "Next: set `layout: gopro` and `blur: blur` or `blur_gamma`, or point `root` at the blurry photos alone."
        )
    if scan.frames or (scan.rejects and params.layout == "captures"):
        return scan
    fitting = next((name for name, layout in layouts.items() if name != params.layout and layout.detect(root)), None)
    hint = f"It looks like the layout `{fitting}`." if fitting else "No layout fits what is there."
    unpaired = sum(reject.reason == "pair_missing" for reject in scan.rejects)
    raise DbganError(
        f"{root}: nothing of the layout `{params.layout}` was found.\n"
        f"Expected: {layouts[params.layout].EXPECTED}.\n"
        f"Found: {unpaired} files without a twin, {scan.ignored} other files. {hint}\n"
        "Next: correct `layout` (and its globs) or `root` of the source."
    )


def _recorded(params: IngestParams) -> dict[str, Any]:
    """The parameters that a corpus tells of itself: those that shape it, and no name of a file or folder.

    Globs name folders, and those name people ("Anna's iPhone"): of `device` only the names they stand for are told.
    """
    recorded = params.model_dump(exclude={"max_reject_fraction", "blur_glob", "sharp_glob"}, exclude_none=True)
    if isinstance(params.device, dict):
        recorded["device"] = sorted(set(params.device.values()))
    return {key: value for key, value in recorded.items() if value != ""}
