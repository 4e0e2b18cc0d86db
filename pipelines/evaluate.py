"""evaluate@VARIANT: scores and pictures on datasets/test -> reports/evaluate/VARIANT."""

from __future__ import annotations

from dbgan.evaluate.restorers import NetworkRestorer
from dbgan.evaluate.scoring import evaluate
from dbgan.networks.restoring import open_network
from dbgan.params import Params
from pipelines.stage import DATASETS, MODELS, REPORTS, item_of, main, one_argument, refuse_unnamed


def run(params: Params) -> None:
    variant = one_argument("a name under `evaluate.variants`")
    item_of({str(v): v for v in params.evaluate.variants}, variant, "evaluate.variants")
    refuse_unnamed(params)
    scoring = params.evaluate.scoring
    network = open_network(MODELS / "dbgan" / variant / "weights.safetensors")
    evaluate(variant, NetworkRestorer(network, scoring), scoring, DATASETS / "test", REPORTS / "evaluate" / variant)


if __name__ == "__main__":
    main(run)
