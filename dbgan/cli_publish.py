"""`dbgan publish`: check a corpus or a model, then make the folder that others get."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from dbgan.console import print_table


def publish(
    name: Annotated[str, typer.Argument(help="a source, a synthetic corpus, bgan/NAME, or a variant such as plus")],
    out: Annotated[Path | None, typer.Option("--out", help="folder to write; published/NAME when not given")] = None,
) -> None:
    """Check that NAME may leave the house, and write the folder that does. Run in the project's root."""
    from dbgan.params import load
    from dbgan.publish.folder import publish as run

    target = out or Path("published") / name.replace("/", "-")
    checks = run(name, load(), Path(), target)
    print_table(["check", ""], [(check.what, "ok" if not check.problem else "not met") for check in checks])
    problems = [check.problem for check in checks if check.problem]
    if problems:
        for problem in problems:
            typer.echo(f"- {problem}", err=True)
        typer.echo(f"{name}: {len(problems)} of {len(checks)} checks are not met; nothing was written.", err=True)
        raise typer.Exit(1)
    quoted = shlex.quote(str(target))
    typer.echo(f"{target}: ready. To share it with DVC: dvc add {quoted} && dvc push")
    kind = "model" if (target / "weights.safetensors").exists() else "dataset"
    typer.echo(f"On the Hugging Face hub, with its own tool: hf upload ORGANISATION/NAME {quoted} --repo-type {kind}")
