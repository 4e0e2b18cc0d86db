"""train_bgan@G: sharp frames and real captures -> models/bgan/G."""

from __future__ import annotations

from dbgan.params import Params
from dbgan.train.bgan import train_bgan
from pipelines.stage import DATASETS, MODELS, item_of, main, one_argument


def run(params: Params) -> None:
    name = one_argument("a name under `bgan`")
    train_bgan(name, item_of(params.bgan, name, "bgan"), DATASETS, MODELS / "bgan" / name)


if __name__ == "__main__":
    main(run)
