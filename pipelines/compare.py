"""compare: paired differences between all that was scored -> reports/compare."""

from __future__ import annotations

from dbgan.evaluate.compare import compare, summary
from dbgan.params import Params
from pipelines.stage import REPORTS, main


def run(params: Params) -> None:
    folders = {name: REPORTS / "evaluate" / name for name in params.evaluate.names}
    for sentence in summary(compare(folders, params.evaluate.scoring.resamples, REPORTS / "compare")):
        print(sentence)


if __name__ == "__main__":
    main(run)
