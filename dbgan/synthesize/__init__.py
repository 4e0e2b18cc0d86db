"""Sharp corpora and a blur -> a corpus of blurry/sharp pairs with lineage; the trained BGAN as a blur.

Names are imported on first use, so that `import dbgan.synthesize` does not import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbgan.synthesize.estimate import Estimate as Estimate
    from dbgan.synthesize.learned import BganBlur as BganBlur
    from dbgan.synthesize.like import make_like as make_like
    from dbgan.synthesize.pairs import blur_corpus as blur_corpus
    from dbgan.synthesize.pairs import synthesize as synthesize

_HOMES = {
    "BganBlur": "learned",
    "Estimate": "estimate",
    "blur_corpus": "pairs",
    "make_like": "like",
    "synthesize": "pairs",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
