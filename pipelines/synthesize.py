"""synthesize@NAME: sharp frames of train sources and a blur -> datasets/synthetic/NAME."""

from __future__ import annotations

from dbgan.params import Params
from dbgan.synthesize import synthesize
from pipelines.stage import DATASETS, MODELS, item_of, main, one_argument


def run(params: Params) -> None:
    name = one_argument("a name under `synthesize`")
    values = item_of(params.synthesize, name, "synthesize")
    synthesize(name, values, DATASETS, MODELS, DATASETS / "synthetic" / name)


if __name__ == "__main__":
    main(run)
