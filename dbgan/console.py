"""What the command line prints: facts, tables and counts as text."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def counted(counts: Mapping[str, int], most: int = 6) -> str:
    """`name count` for the most frequent, and how many others there are.

    >>> counted({"Pixel 8": 3, "iPhone XS": 9})
    'iPhone XS 9, Pixel 8 3'
    """
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{name} {count:,}" for name, count in ordered[:most]]
    return ", ".join(shown + ([f"and {len(ordered) - most} others"] if len(ordered) > most else []))


def print_facts(facts: Mapping[str, Any]) -> None:
    """One `name  value` a line, aligned."""
    wide = max(len(name) for name in facts)
    for name, value in facts.items():
        print(f"{name:<{wide}}  {value}")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table that is as wide as its content where the output is a file, so that nothing is cut off."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None)
    for row in rows:
        # Names of files may hold brackets, which are no markup, and bytes that are no Unicode.
        table.add_row(*(cell.encode("utf-8", "backslashreplace").decode() for cell in row))
    Console(width=None if sys.stdout.isatty() else 10_000, markup=False, emoji=False, highlight=False).print(table)
