"""ingest@SOURCE: a raw folder -> datasets/USE/SOURCE, the corpus."""

from __future__ import annotations

from pathlib import Path

from dbgan.ingest import ingest
from dbgan.params import Params
from pipelines.stage import DATASETS, item_of, main, one_argument, refuse_unnamed, say_without_decisions


def run(params: Params) -> None:
    name = one_argument("a name under `sources`")
    source = item_of(params.sources, name, "sources")
    refuse_unnamed(params)
    ingest(name, source.ingest, Path(source.root), DATASETS / source.use / name)
    say_without_decisions(name)


if __name__ == "__main__":
    main(run)
