"""report: everything above -> reports/index.html. `--table` prints the results table instead, from the same files."""

from __future__ import annotations

import sys

from dbgan.params import Params
from dbgan.report import build, print_table
from pipelines.stage import DATASETS, MODELS, REPORTS, main, refuse_unnamed


def run(params: Params) -> None:
    if "--table" in sys.argv[1:]:
        print_table(REPORTS)
        return
    refuse_unnamed(params)
    build(REPORTS, MODELS, DATASETS, params, REPORTS / "index.html")


if __name__ == "__main__":
    main(run)
