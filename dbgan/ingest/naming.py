"""Key parts from names as found: slugs of bounded length that stay apart even where case is not told apart."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from dbgan.corpus.layout import slug

MAX_SEQUENCE = 48
MAX_FRAME = 36
"""With these, `SEQUENCE/FRAME` leaves 5 of the 90 characters of a key for `-v999` of synthesized variants."""


def key_parts(names: Iterable[str], limit: int) -> dict[str, str]:
    """A key part for each different name.

    Names whose slug is too long, or equal to another's but for upper and lower case (one file on many disks, and one
    shard name), get `-` and 8 hex digits of their sha256.
    """
    slugs = {name: slug(name) for name in names}
    alike = Counter(part.casefold() for part in slugs.values())
    return {
        name: part if len(part) <= limit and alike[part.casefold()] == 1 else _hashed(name, part, limit)
        for name, part in slugs.items()
    }


def _hashed(name: str, part: str, limit: int) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{part.removesuffix(f'-{digest}')[: limit - 9].rstrip('-')}-{digest}"
