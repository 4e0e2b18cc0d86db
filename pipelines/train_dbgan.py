"""train_dbgan@{minus,base}: adversarial, from models/dbgan/l1 -> models/dbgan/VARIANT."""

from __future__ import annotations

from dbgan.params import Params
from dbgan.train.dbgan import train_adversarial
from pipelines.stage import DATASETS, MODELS, item_of, main, one_argument


def run(params: Params) -> None:
    name = one_argument("a name under `dbgan.train`")
    values = item_of({str(k): v for k, v in params.dbgan.train.items()}, name, "dbgan.train")
    start = MODELS / "dbgan" / "l1" / "weights.safetensors"
    train_adversarial(name, params.dbgan.common, values, start, DATASETS, MODELS / "dbgan" / name)


if __name__ == "__main__":
    main(run)
