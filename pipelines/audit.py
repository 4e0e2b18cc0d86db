"""audit@NAME: the synthetic corpus against the val split of real captures -> reports/audit/NAME."""

from __future__ import annotations

from dbgan.evaluate.audit.run import audit
from dbgan.params import Params
from pipelines.stage import DATASETS, REPORTS, item_of, main, one_argument


def run(params: Params) -> None:
    name = one_argument("a name under `audit`")
    audit(name, item_of(params.audit, name, "audit"), DATASETS, REPORTS / "audit" / name)


if __name__ == "__main__":
    main(run)
