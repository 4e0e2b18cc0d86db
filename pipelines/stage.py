"""How every stage starts and fails: params are validated before any work, errors are printed without a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from dbgan.errors import DbganError, ParamsError
from dbgan.params import Params, load
from dbgan.project.revisions import check
from dbgan.ran import noted

DATASETS = Path("datasets")
MODELS = Path("models")
REPORTS = Path("reports")

T = TypeVar("T")


def item_of(items: Mapping[str, T], name: str, where: str) -> T:
    """The item called `name`, or `ParamsError` that lists those there are."""
    if name not in items:
        raise ParamsError(
            f"params.yaml: {where} has no {name!r}.\nExpected one of: {', '.join(sorted(items)) or '(none)'}"
        )
    return items[name]


def one_argument(what: str) -> str:
    """The stage's single argument, or `ParamsError`."""
    if len(sys.argv) != 2:
        raise ParamsError(f"{sys.argv[0]}: expected one argument, {what}; found {len(sys.argv) - 1}.")
    return sys.argv[1]


def flag(name: str) -> bool:
    """Whether `--NAME` is among the arguments, which then lack it."""
    given = f"--{name}" in sys.argv
    sys.argv[:] = [argument for argument in sys.argv if argument != f"--{name}"]
    return given


def refuse_unnamed(params: Params) -> None:
    """Stop on corpora that no params name: stages that read the parent folder would go on using them.

    DVC skips the ingests that did not change, so the report, which depends on all of `sources`, asks as well.
    """
    for use in ("train", "test"):
        named = {name for name, source in params.sources.items() if source.use == use}
        for folder in sorted(p for p in (DATASETS / use).glob("*") if p.is_dir()):
            if folder.name not in named:
                raise DbganError(
                    f"{folder}: this corpus is named by no source with `use: {use}` in params.yaml.\n"
                    f"Expected: {', '.join(sorted(named)) or '(none)'}.\n"
                    f"Next: add the source again, or remove what is left of it:\n"
                    f"  rm -r {folder} {folder}.selection.parquet"
                )


def say_without_decisions(name: str) -> None:
    """Tell what the curation of a source lacks: DVC will not start it, and says nothing but "No such file"."""
    reviews = DATASETS / "reviews" / f"{name}.csv"
    if not reviews.is_file():
        print(
            f"{name}: no {reviews}, where people's decisions on it belong and on which its curation depends.\n"
            f"Next: echo key,decision,note > {reviews}\n"
            "and go on with dvc repro; nothing is ingested again. `dbgan params check` looks at all sources.",
            flush=True,
        )


def main(run: Callable[[Params], None]) -> None:
    """Run a stage. Exit 1: found wrong; 2: bad params or usage; 130: interrupted (state is kept)."""
    try:
        check()
        with noted():
            run(load())
    except ParamsError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except DbganError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted: finished work is kept; run the same command to go on.", file=sys.stderr)
        sys.exit(130)
