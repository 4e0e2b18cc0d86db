"""evaluate_external@NAME: scores of somebody else's restorer on datasets/test -> reports/evaluate/NAME."""

from __future__ import annotations

from dbgan.evaluate.restorers import open_restorer
from dbgan.evaluate.scoring import evaluate
from dbgan.params import Params
from pipelines.stage import DATASETS, REPORTS, item_of, main, one_argument, refuse_unnamed


def run(params: Params) -> None:
    name = one_argument("a name under `evaluate.external`")
    item = item_of(params.evaluate.external, name, "evaluate.external")
    refuse_unnamed(params)
    scoring = params.evaluate.scoring
    out = REPORTS / "evaluate" / name
    evaluate(name, open_restorer(item, scoring), scoring, DATASETS / "test", out, only=item.sources)


if __name__ == "__main__":
    main(run)
