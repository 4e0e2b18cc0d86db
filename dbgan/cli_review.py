"""`dbgan review`: look at a source's pictures on a local page, keep or drop them, try limits."""

from __future__ import annotations

from typing import Annotated

import typer

from dbgan.errors import require


def review(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="a name under `sources` of params.yaml")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="of 127.0.0.1; 0: any free one")] = 0,
    open_browser: Annotated[bool, typer.Option("--open", help="open the page in the default browser")] = False,
) -> None:
    """Look at a source's pictures on a page of this machine; keep or drop them, try limits. Ctrl-C ends it."""
    require("nicegui", "dbgan review", distribution="'dbgan[review]'")
    from dbgan.review.server import serve
    from dbgan.review.source import open_source

    serve(open_source(source), port=port, open_browser=open_browser)
