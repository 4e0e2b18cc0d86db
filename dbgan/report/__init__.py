"""The HTML page that shows what a run did: numbers, pictures, warnings and provenance, from the stages' files only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbgan.report.page import build as build
    from dbgan.report.table import print_table as print_table
    from dbgan.report.table import results_table as results_table

__all__ = ["build", "print_table", "results_table"]


def __getattr__(name: str) -> Any:
    """Load on first use (PEP 562): the page's builder pulls in jinja2 and OpenCV."""
    if name == "build":
        from dbgan.report.page import build

        return build
    if name in ("print_table", "results_table"):
        from dbgan.report import table

        return getattr(table, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
