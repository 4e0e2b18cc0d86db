"""synthesize@NAME, blur@NAME: sharp train frames and a blur -> datasets/synthetic/NAME; --dry-run: what it takes."""

from __future__ import annotations

from dbgan.console import print_facts
from dbgan.params import Params
from dbgan.synthesize import Estimate, synthesize
from pipelines.stage import DATASETS, MODELS, flag, item_of, main, one_argument


def run(params: Params) -> None:
    dry_run = flag("dry-run")
    name = one_argument("a name under `synthesize` or `blur`")
    values = item_of(params.synthetic, name, "synthesize and blur")
    told = synthesize(name, values, DATASETS, MODELS, DATASETS / "synthetic" / name, dry_run=dry_run)
    if isinstance(told, Estimate):
        print_facts(told.facts())


if __name__ == "__main__":
    main(run)
