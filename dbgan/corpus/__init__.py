"""Shards of samples with their manifest: one format for ingested sources and synthesized pairs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbgan.corpus.layout import EncodedSample as EncodedSample
    from dbgan.corpus.layout import Plan as Plan
    from dbgan.corpus.layout import Receipt as Receipt
    from dbgan.corpus.layout import Reject as Reject
    from dbgan.corpus.layout import Sample as Sample
    from dbgan.corpus.read import Corpus as Corpus
    from dbgan.corpus.tables import Header as Header
    from dbgan.corpus.verify import Problem as Problem

_HOMES = {
    "Corpus": "read",
    "EncodedSample": "layout",
    "Header": "header",
    "Plan": "layout",
    "Problem": "verify",
    "Receipt": "layout",
    "Reject": "layout",
    "Sample": "layout",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import on first use (PEP 562): naming the package must not cost pyarrow and pandas."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"dbgan.corpus.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
