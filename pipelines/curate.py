"""curate@SOURCE: measures and people's decisions -> datasets/USE/SOURCE.selection.parquet, reports/curate/SOURCE."""

from __future__ import annotations

from dbgan.curate import curate
from dbgan.params import Params
from pipelines.stage import DATASETS, REPORTS, item_of, main, one_argument


def run(params: Params) -> None:
    name = one_argument("a name under `sources`")
    source = item_of(params.sources, name, "sources")
    corpus = DATASETS / source.use / name
    selection = corpus.with_name(f"{name}.selection.parquet")
    reviews = DATASETS / "reviews" / f"{name}.csv"
    curate(name, source.curate, corpus, selection, REPORTS / "curate" / name, source.use, reviews)


if __name__ == "__main__":
    main(run)
