"""train_dbgan@{minus,base}: adversarial, from models/dbgan/l1 -> models/dbgan/VARIANT. By hand: `--profile`."""

from __future__ import annotations

from dbgan.params import Params
from dbgan.train.dbgan import profile_adversarial, train_adversarial
from pipelines.stage import DATASETS, MODELS, flag, item_of, main, one_argument


def run(params: Params) -> None:
    profiling = flag("profile")
    name = one_argument("a name under `dbgan.train`")
    values = item_of({str(k): v for k, v in params.dbgan.train.items()}, name, "dbgan.train")
    if profiling:
        print(profile_adversarial(name, params.dbgan.common, values, DATASETS).table())
        return
    start = MODELS / "dbgan" / "l1" / "weights.safetensors"
    train_adversarial(name, params.dbgan.common, values, start, DATASETS, MODELS / "dbgan" / name)


if __name__ == "__main__":
    main(run)
