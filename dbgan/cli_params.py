"""`dbgan params explain [KEY]`: what each key of params.yaml means and may be, and what the paper's preset says."""

from __future__ import annotations

from typing import Annotated

import typer

params_app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Explain the keys of params.yaml.",
)


@params_app.callback()
def params() -> None:
    """Keeps `explain` a verb below `params`: typer would merge a single command into its parent."""


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
