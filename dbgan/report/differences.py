"""How sure the differences are: paired differences and gains by group, as plain data for the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dbgan.report.inputs import Inputs, evaluate_stage, parsed

GROUPED_BY = {"blur": "blur strength of the input", "device": "camera", "sequence": "sequence"}
"""Column `by` of groups.csv -> what that is, in words."""

MOST_GROUPS = 40
"""A table of more groups (sequences of a large test set) is left to groups.csv."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of (variant - against) in dB of `psnr_rgb` over the images that both scored.

    Attributes:
        variant, against: restorers.
        images: how many were compared.
        mean: dB.
        ends: its 95 % bootstrap interval, or None where one image cannot have one.
        better: share of the images on which `variant` is better.
        drawn: what the bootstrap draws again, images or whole sequences.
    """

    variant: str
    against: str
    images: int
    mean: float
    ends: tuple[float, float] | None
    better: float
    drawn: str

    @property
    def sure(self) -> bool:
        """Zero is outside the interval."""
        return self.ends is not None and (self.ends[0] > 0 or self.ends[1] < 0)


@dataclass(frozen=True, slots=True)
class Differences:
    """All paired differences on one test source, and `reach`: the largest |end| in dB, the scale of its chart."""

    source: str
    rows: tuple[Difference, ...]

    @property
    def reach(self) -> float:
        """Half the width of the chart, dB."""
        values = (value for row in self.rows for value in (row.mean, *(row.ends or ())))
        return max((abs(value) for value in values), default=0.0) or 1.0

    def place(self, value: float) -> float:
        """Where a value is on the chart, percent from its left; zero is in the middle."""
        return round(50 + 48 * value / self.reach, 2)

    def get(self, variant: str, against: str) -> Difference | None:
        """The difference of two restorers, in whichever order compare subtracted them."""
        for row in self.rows:
            if (row.variant, row.against) == (variant, against):
                return row
            if (row.against, row.variant) == (variant, against):
                ends = None if row.ends is None else (-row.ends[1], -row.ends[0])
                return Difference(variant, against, row.images, -row.mean, ends, 1 - row.better, row.drawn)
        return None


def read_differences(inputs: Inputs) -> dict[str, Differences]:
    """Test source -> its paired differences, from `reports/compare/differences.csv`; empty, and noted, where absent."""
    found: dict[str, list[Difference]] = {}
    for cells in inputs.rows("reports", "compare/differences.csv", "compare"):
        mean, images = parsed(cells.get("difference")), parsed(cells.get("images"))
        if cells.get("metric") != "psnr_rgb" or mean is None or images is None:
            continue
        variant, against, source = (cells.get(name, "") for name in ("variant", "against", "source"))
        row = Difference(
            variant,
            against,
            round(images),
            mean,
            _ends(cells, "low", "high"),
            parsed(cells.get("better")) or 0.0,
            cells.get("drawn", ""),
        )
        found.setdefault(source, []).append(row)
    return {source: Differences(source, tuple(rows)) for source, rows in sorted(found.items())}


@dataclass(frozen=True, slots=True)
class GroupTable:
    """Gains over the blurry input by group: a row per group, a column per restorer.

    Attributes:
        source: test source.
        by: what groups it, in words.
        restorers: columns.
        rows: (group, images, cells); a cell is (gain, interval) in words, empty where nothing was measured.
    """

    source: str
    by: str
    restorers: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[tuple[str, str], ...]], ...]


def read_groups(inputs: Inputs, restorers: tuple[str, ...], sources: tuple[str, ...]) -> list[GroupTable]:
    """Where each restorer gains and where it fails, from `reports/evaluate/NAME/groups.csv`.

    A table is left out where there is one group only, which says what the results say, or more than `MOST_GROUPS`.
    """
    gains: dict[tuple[str, str], dict[str, dict[str, tuple[str, str]]]] = {}
    images: dict[tuple[str, str, str], int] = {}
    for name in restorers:
        for cells in inputs.rows("reports", f"evaluate/{name}/groups.csv", evaluate_stage(name)):
            source, by = cells.get("source", ""), cells.get("by", "")
            gain, count = parsed(cells.get("gain")), parsed(cells.get("images"))
            if by not in GROUPED_BY or gain is None or count is None:
                continue
            ends = _ends(cells, "gain_low", "gain_high")
            group = cells.get("group") or "unknown"
            images[source, by, group] = round(count)
            said = (f"{gain:+.2f}", "" if ends is None else f"{ends[0]:+.2f} to {ends[1]:+.2f}")
            gains.setdefault((source, by), {}).setdefault(group, {})[name] = said
    tables = []
    for source in sources:
        for by, words in GROUPED_BY.items():
            groups = gains.get((source, by), {})
            if 2 <= len(groups) <= MOST_GROUPS:
                columns = tuple(name for name in restorers if any(name in cells for cells in groups.values()))
                rows = tuple(
                    (group, images[source, by, group], tuple(cells.get(name, ("", "")) for name in columns))
                    for group, cells in groups.items()
                )
                tables.append(GroupTable(source, words, columns, rows))
    return tables


def plural(count: int, word: str) -> str:
    """`image` for one, `images` for others."""
    return word if count == 1 else f"{word}s"


def _ends(cells: Mapping[str, str], low: str, high: str) -> tuple[float, float] | None:
    ends = parsed(cells.get(low)), parsed(cells.get(high))
    return None if ends[0] is None or ends[1] is None else (ends[0], ends[1])
