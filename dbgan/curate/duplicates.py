"""Samples whose pixels are exactly those of another: only the first by key is worth keeping."""

from __future__ import annotations

import pandas as pd


def first_of_equal(table: pd.DataFrame, field: str) -> dict[str, str]:
    """Key -> the key of the first sample with the same pixels, for every sample but that first one.

    Args:
        table: columns key and `FIELD_pixels_sha256` (the digest of shape and pixels, so that a PNG and a JPEG of equal
            pixels are equal).
        field: the image field to compare; pairs are judged by `blur`, because several blurs of one sharp frame are no
            duplicates.
    """
    ordered = table[["key", f"{field}_pixels_sha256"]].sort_values("key")
    first = ordered.groupby(f"{field}_pixels_sha256", sort=False)["key"].transform("first")
    repeated = ordered["key"] != first
    return dict(zip(ordered["key"][repeated], first[repeated], strict=True))
