"""finetune_dbgan@{control,plus}: from models/dbgan/base, without or with synthetic pairs -> models/dbgan/VARIANT."""

from __future__ import annotations

from dbgan.params import Params
from dbgan.train.dbgan import finetune
from pipelines.stage import DATASETS, MODELS, item_of, main, one_argument


def run(params: Params) -> None:
    name = one_argument("a name under `dbgan.finetune`")
    values = item_of({str(k): v for k, v in params.dbgan.finetune.items()}, name, "dbgan.finetune")
    start = MODELS / "dbgan" / "base" / "weights.safetensors"
    finetune(name, params.dbgan.common, values, start, DATASETS, MODELS / "dbgan" / name)


if __name__ == "__main__":
    main(run)
