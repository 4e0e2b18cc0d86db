"""report: everything above -> reports/index.html.

`--table` prints the results table instead, `--run` what the last `dvc repro` computed and what DVC gave back, with a
page of it in `.dbgan/run.html`; both from what is there.
"""

from __future__ import annotations

import sys
from pathlib import Path

from dbgan.files import state_dir, write_bytes
from dbgan.params import Params
from dbgan.ran import marks
from dbgan.report import build, cached, graph, print_table
from pipelines.stage import DATASETS, MODELS, REPORTS, main, refuse_unnamed


def run(params: Params) -> None:
    if "--table" in sys.argv[1:]:
        print_table(REPORTS, tuple(params.evaluate.names))
    elif "--run" in sys.argv[1:]:
        found = graph.stages(Path(), params.model_dump(mode="json"))
        known = cached.items(Path(), cached.names(found), marks())
        write_bytes(state_dir() / "run.html", cached.page(found, known))
        print(f"{cached.headline(known)}: {state_dir() / 'run.html'}")
    else:
        refuse_unnamed(params)
        build(REPORTS, MODELS, DATASETS, params, REPORTS / "index.html")


if __name__ == "__main__":
    main(run)
