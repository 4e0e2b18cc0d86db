"""Rules over a corpus's manifest -> a selection: which samples to use, in which split, and why the others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbgan.curate.curation import Summary as Summary
    from dbgan.curate.curation import curate as curate

__all__ = ["Summary", "curate"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from dbgan.curate import curation

        return getattr(curation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
