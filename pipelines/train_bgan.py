"""train_bgan@G: sharp frames and real captures -> models/bgan/G. By hand, `--profile`: where a step's time goes."""

from __future__ import annotations

from dbgan.params import Params
from dbgan.train.bgan import profile_bgan, train_bgan
from pipelines.stage import DATASETS, MODELS, flag, item_of, main, one_argument


def run(params: Params) -> None:
    profiling = flag("profile")
    name = one_argument("a name under `bgan`")
    values = item_of(params.bgan, name, "bgan")
    if profiling:
        print(profile_bgan(name, values, DATASETS).table())
        return
    train_bgan(name, values, DATASETS, MODELS / "bgan" / name)


if __name__ == "__main__":
    main(run)
