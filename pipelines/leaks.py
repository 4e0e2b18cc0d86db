"""leaks: the splits of all sources against each other -> reports/leaks. It fails where they share a picture."""

from __future__ import annotations

from dbgan.curate.gate import gate
from dbgan.params import Params
from pipelines.stage import DATASETS, REPORTS, main, refuse_unnamed


def run(params: Params) -> None:
    refuse_unnamed(params)
    gate(DATASETS, params.leaks, REPORTS / "leaks")


if __name__ == "__main__":
    main(run)
