"""Samples whose pixels are those of another, exactly or nearly: only the first by key are worth keeping."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from dbgan.image.quality.hashes import BITS, distances


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


class Near(NamedTuple):
    """The first sample of the burst, and in how many bits of the perceptual hash it differs."""

    first: str
    bits: int


def bursts(table: pd.DataFrame, field: str, near_bits: int, keep: int) -> dict[str, Near]:
    """Key -> the burst's first sample, for all samples of a burst but its `keep` first by key.

    In the order of keys a sample joins the nearest burst of its sequence whose first sample is at most `near_bits`
    away, or begins one: a later sample never changes what became of an earlier one.

    Args:
        table: columns key, sequence and `FIELD_phash`; samples without a hash are left alone.
        field: the image field to compare.
        near_bits: 0 to 256. keep: 1 or more.
    """
    column = f"{field}_phash"
    surplus: dict[str, Near] = {}
    for _, rows in table[table[column].notna()].sort_values("key").groupby("sequence", sort=True):
        hashes = np.frombuffer(b"".join(rows[column]), np.uint8).reshape(-1, BITS // 8)
        firsts: list[int] = []
        members: list[int] = []
        keys = rows["key"].tolist()
        for index in range(len(rows)):
            near = distances(hashes[index : index + 1], hashes[firsts])[0] if firsts else np.empty(0, np.int64)
            if near.size and int(near.min()) <= near_bits:
                burst = int(near.argmin())
                members[burst] += 1
                if members[burst] > keep:
                    surplus[keys[index]] = Near(keys[firsts[burst]], int(near[burst]))
            else:
                firsts.append(index)
                members.append(1)
    return surplus
