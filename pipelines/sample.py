"""sample@NAME: the embedded demo input -> datasets/raw/NAME."""

from __future__ import annotations

from dbgan.params import Params
from dbgan.sample import render
from pipelines.stage import DATASETS, item_of, main, one_argument


def run(params: Params) -> None:
    name = one_argument("a name under `samples`")
    render(item_of(params.samples, name, "samples"), DATASETS / "raw" / name)


if __name__ == "__main__":
    main(run)
