"""`dbgan params explain|check`: what each key of params.yaml means and may be; what a project still lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

params_app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Explain the keys of params.yaml, and check a project's.",
)


@params_app.command()
def explain(
    key: Annotated[
        str, typer.Argument(help="such as bgan.demo.training.crop, training.crop or crop; none: all keys")
    ] = "",
) -> None:
    """Print meaning, unit, what is allowed, default, and the paper preset's value of a key and of those below it."""
    from dbgan.errors import ParamsError
    from dbgan.project.reference import entries, find, text_of

    found = find(entries(), key)
    if isinstance(found, str):
        raise ParamsError(found)
    for entry in found:
        typer.echo(text_of(entry, short=len(found) > 12))


@params_app.command()
def check() -> None:
    """Check params.yaml in this folder and what `dvc repro` needs beside it: raw folders, files of decisions."""
    from dbgan.errors import DbganError
    from dbgan.params import load
    from dbgan.project.ready import lacking

    params = load()
    if found := lacking(params, Path()):
        raise DbganError("\n".join(found))
    typer.echo(f"params.yaml: fine; {len(params.sources)} sources, their raw folders and files of decisions are there.")
