"""`dbgan new` and `dbgan revisions`: projects that work with the installed package."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from dbgan.errors import DbganError


def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="folder of the project; missing or empty")],
    preset: Annotated[
        str, typer.Option(help="demo (minutes on 2 cores), paper (GOPRO and RWBI, GPUs) or real-small")
    ] = "demo",
) -> None:
    """Start a project: dvc.yaml, params.yaml, pipelines/, cards. It needs the installed package, no clone."""
    from dbgan.project.new import new as run

    for name in run(folder, preset):
        typer.echo(f"  {name}")
    typer.echo(f"{folder}: a project of preset {preset}.")
    typer.echo(
        f"Next: cd {shlex.quote(str(folder))} && git init && dvc repro. Your data: datasets/README.md, "
        "params.yaml, then dbgan params check."
    )


def revisions(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="the project")] = Path(),
) -> None:
    """Bring a project's revisions.yaml up to the installed package; `dvc repro` then makes again what changed."""
    from dbgan.project.new import outdated
    from dbgan.project.revisions import FILE, write_revisions

    if not (folder / "dvc.yaml").is_file():
        raise DbganError(f"{folder / 'dvc.yaml'}: no such file.\nNext: name the project's folder: dbgan revisions DIR")
    changed = write_revisions(folder)
    typer.echo(f"{folder / FILE}: {'written anew' if changed else 'up to date'}")
    if names := outdated(folder):
        typer.echo(
            f"{folder / 'pipelines'}: other than the package's: {', '.join(names)}; `dbgan new` elsewhere shows them."
        )
