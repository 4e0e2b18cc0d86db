"""The leak gate's result as plain data for the template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dbgan.report.inputs import Inputs, texts


@dataclass(frozen=True, slots=True)
class LeakCheck:
    """What `reports/leaks/leaks.json` says: a sentence, what was compared, and every pair it names."""

    said: str
    pairs: tuple[str, ...]
    notes: tuple[str, ...]


def leak_check(inputs: Inputs) -> LeakCheck:
    """The gate's result in words; where the file is absent, that nothing was compared."""
    values = inputs.json("reports", "leaks/leaks.json", "leaks")
    if not values:
        return LeakCheck("The splits were not compared with each other: leaks may exist.", (), ())
    leaks, known = total(values.get("leaks")), total(values.get("known"))
    samples: dict[str, int] = {}
    for side in values.get("sides", ()):
        samples[side["split"]] = samples.get(side["split"], 0) + int(side["samples"])
    compared = ", ".join(f"{split} {count:,}" for split, count in samples.items()) or "no samples"
    said = (
        f"Splits compared with each other ({compared} kept samples) by sequence names, pixels and perceptual hashes "
        f"(near-identical: at most {values.get('near_bits')} of 256 bits): "
        f"{leaks or 'no'} {'leak' if leaks == 1 else 'leaks'}"
        + (f", {known} known {'exception' if known == 1 else 'exceptions'}." if known else ".")
    )
    pairs = tuple(str(pair.get("words", "")) for pair in values.get("pairs", ()))
    return LeakCheck(said, pairs, tuple(texts(values.get("notes"))))


def total(counts: Any) -> int:
    """Sum of a mapping of counts."""
    return sum(counts.values()) if isinstance(counts, Mapping) else 0
