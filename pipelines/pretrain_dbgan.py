"""pretrain_dbgan: pairs of train sources, content loss alone -> models/dbgan/l1."""

from __future__ import annotations

from dbgan.params import Params
from dbgan.train.dbgan import pretrain
from pipelines.stage import DATASETS, MODELS, main


def run(params: Params) -> None:
    pretrain(params.dbgan.common, params.dbgan.pretrain, DATASETS, MODELS / "dbgan" / "l1")


if __name__ == "__main__":
    main(run)
