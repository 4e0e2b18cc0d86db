"""The results table: rows blurry input, l1, minus, base, control, plus; three metrics per test source."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from dbgan.report.inputs import VARIANTS, Inputs, evaluate_stage, number

METRICS = ("psnr_rgb", "ssim", "ssim_matlab3d")
METRIC_HEADS = {"psnr_rgb": "PSNR, dB", "ssim": "SSIM", "ssim_matlab3d": "SSIM 3-D"}
"""Metric -> its name for readers."""
INPUT = "input"
ROW_NAMES = (INPUT, *VARIANTS)
SAME_INPUT = 1e-6
"""Two variants' scores of the same blurry input may differ by this much before the page warns."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Means on the test scenes.

    Attributes:
        sources: test sources, sorted.
        values: (row, source, metric) -> mean; what is missing is absent. `row` is "input" or a variant.
        images: source -> number of scored test images.
        conflicts: sentences about variants that disagree on the blurry input's score.
        ends: (row, source, metric) -> low and high of the mean's 95 % interval, where the stage wrote them.
    """

    sources: tuple[str, ...]
    values: dict[tuple[str, str, str], float]
    images: dict[str, int] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()
    ends: dict[tuple[str, str, str], tuple[float, float]] = field(default_factory=dict)

    def get(self, row: str, source: str, metric: str = "psnr_rgb") -> float | None:
        """One mean, or None where no stage wrote it."""
        return self.values.get((row, source, metric))

    def gain(self, row: str, source: str) -> float | None:
        """dB of `psnr_rgb` over the blurry input of the same source."""
        ours, blurry = self.get(row, source), self.get(INPUT, source)
        return None if ours is None or blurry is None else ours - blurry

    def best(self, source: str) -> str | None:
        """The variant with the highest `psnr_rgb` on a source."""
        scored = [(value, v) for v in VARIANTS if (value := self.get(v, source)) is not None]
        return max(scored, key=lambda pair: pair[0])[1] if scored else None


def read_scores(inputs: Inputs, variants: tuple[str, ...] = VARIANTS) -> Scores:
    """Means of every variant from `reports/evaluate/VARIANT/metrics.json`; absent files are noted in `inputs`.

    `variants` may name any restorer that was scored, so also those of `evaluate.external`.
    """
    ends: dict[tuple[str, str, str], tuple[float, float]] = {}
    values: dict[tuple[str, str, str], float] = {}
    images: dict[str, int] = {}
    conflicts: list[str] = []
    for variant in variants:
        metrics = inputs.json("reports", f"evaluate/{variant}/metrics.json", evaluate_stage(variant))
        for name, value in sorted(metrics.items()):
            source, *rest = name.split(".")
            mean = number(value)
            if mean is not None and rest == ["images"]:
                images[source] = round(mean)
            if mean is None or not rest or rest[-1] not in METRICS:
                continue
            if rest[:-1] not in ([], [INPUT]):
                continue
            cell = (INPUT if rest[:-1] else variant, source, rest[-1])
            known = values.setdefault(cell, mean)
            low, high = (number(metrics.get(f"{name}.{end}")) for end in ("low", "high"))
            if low is not None and high is not None:
                ends[cell] = (low, high)
            if abs(known - mean) > SAME_INPUT:
                conflicts.append(
                    f"The blurry input of {source} scores {known:.4f} {rest[-1]} in one variant's file and {mean:.4f} "
                    f"in that of {variant}: they were evaluated on different inputs. Run every evaluation again."
                )
    return Scores(tuple(sorted({source for _, source, _ in values})), values, images, tuple(conflicts), ends)


def format_metric(metric: str, value: float | None) -> str:
    """dB with two digits, SSIM with four; "missing" where nothing was measured."""
    if value is None:
        return "missing"
    return f"{value:.2f}" if metric == "psnr_rgb" else f"{value:.4f}"


def format_ends(metric: str, ends: tuple[float, float] | None) -> str:
    """`26.12 to 28.09`, digits as in `format_metric`; nothing where there is no interval."""
    return "" if ends is None else " to ".join(format_metric(metric, end) for end in ends)


def results_table(reports: Path, restorers: tuple[str, ...] = VARIANTS) -> list[tuple[str, ...]]:
    """The results as text rows for a terminal, header first.

    Args:
        reports: the project's `reports` folder.
        restorers: what was scored, in the order of the rows: variants, and names under `evaluate.external`.

    Returns:
        `[("", "SOURCE psnr_rgb", "SOURCE ssim", "SOURCE ssim_matlab3d", ...), ("blurry input", "24.10", ...), ...]`;
        a cell that no stage wrote reads "missing". Without any test source the header has one column.
    """
    scores = read_scores(Inputs(reports, Path(), Path()), restorers)
    header = ("", *(f"{source} {metric}" for source in scores.sources for metric in METRICS))
    rows = [header]
    for row in (INPUT, *restorers):
        cells = (format_metric(m, scores.get(row, source, m)) for source in scores.sources for m in METRICS)
        rows.append(("blurry input" if row == INPUT else row, *cells))
    return rows


def print_table(reports: Path, restorers: tuple[str, ...] = VARIANTS) -> None:
    """`results_table` on the terminal; says so where nothing was evaluated yet."""
    from rich.console import Console
    from rich.table import Table

    header, *rows = results_table(reports, restorers)
    if len(header) == 1:
        print(f"{reports}: nothing was evaluated yet.\nNext: dvc repro evaluate@l1")
        return
    table = Table(header[0], title="Means on the test scenes (psnr_rgb in dB)")
    for name in header[1:]:
        table.add_column(name.replace(" ", "\n"), justify="right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
