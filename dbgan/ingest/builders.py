"""Which builder makes the samples of a layout."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from dbgan.ingest import gopro_all
from dbgan.ingest.build import IngestBuilder
from dbgan.ingest.clips import ClipBuilder
from dbgan.ingest.tars import TarBuilder
from dbgan.ingest.windows import WindowBuilder
from dbgan.params import IngestParams

MAX_THREADS = 4


def builder_of(params: IngestParams, root: Path, workers: int) -> IngestBuilder:
    """The builder of a source.

    Args:
        root: absolute raw folder.
        workers: 1: in this process, where pictures are worked on by several threads; else each worker has one.
    """
    shared: dict[str, Any] = {
        "root": str(root),
        "ext": params.image,
        "max_pixels": params.max_pixels,
        "min_side": params.min_side,
        "measured": params.quality,
        "icc": params.icc,
        "threads": min(MAX_THREADS, os.cpu_count() or 1) if workers == 1 else 1,
    }
    if params.layout == "gopro-all":
        return WindowBuilder(**shared, response=gopro_all.RESPONSE, refuse_cuts=False)
    if params.layout in ("frames", "video"):
        return ClipBuilder(**shared, response=params.response)
    if params.layout == "corpus":
        return TarBuilder(**shared)
    return IngestBuilder(**shared)
