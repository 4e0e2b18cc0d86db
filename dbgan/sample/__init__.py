"""The embedded demo's input, rendered offline from photographs that scikit-image ships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbgan.sample.demo import render as render


def __getattr__(name: str) -> Any:
    if name != "render":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dbgan.sample.demo import render

    return render
