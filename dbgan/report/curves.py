"""Learning curves as inline SVG: small multiples, one per column of curves.csv, coloured by the page's own style."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 340, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 24
SKIPPED = ("step", "phase", "lr")
COMPANIONS = {
    "psnr_input": ("psnr", "input"),
    "laplacian_sharp": ("laplacian", "sharp"),
    "laplacian_real": ("laplacian", "real"),
}
"""Columns that only mean something beside another one: column -> (whose panel, line name there)."""

WORDS = {
    "loss": "Generator's loss",
    "content": "Content loss",
    "perceptual": "Perceptual loss",
    "adversarial": "Generator's adversarial loss",
    "d_loss": "Discriminator's loss; 2 ln 2 = 1.386 is chance",
    "d_accuracy": "Discriminator's accuracy",
    "psnr": "PSNR of held-out crops, dB",
    "psnr_to_sharp": "PSNR of blur against sharp, dB; over 35 is the identity",
    "z_sensitivity": "Change under another noise z",
    "z_tint": "Of that, change of colour only",
    "z_low": "Of that, low frequencies (tint)",
    "z_high": "Of that, high frequencies (blur)",
    "colour_shift": "Change of the mean light of each channel",
    "laplacian": "Laplacian variance; falls with blur",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: `name` is also its CSS class (`line-NAME`), `points` are (step, value)."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One small chart: the column it shows, what that is, its SVG, and the last value of every line."""

    column: str
    words: str
    svg: Markup
    last: tuple[tuple[str, str], ...]


def panels(curves: Mapping[str, Mapping[str, Sequence[float | str]]]) -> list[Panel]:
    """One panel per numeric column, in the order in which the files name them.

    Args:
        curves: line name -> column -> cells, as in `curves.csv`; the column `step` is the x axis.
    """
    columns = dict.fromkeys(c for table in curves.values() for c in table if c not in (*SKIPPED, *COMPANIONS))
    starts = phase_starts(next(iter(curves.values()))) if len(curves) == 1 else ()
    made = []
    for column in columns:
        lines = [line for name, table in curves.items() if (line := _line(name, table, column)).points]
        if lines:
            lines += _companions(curves, column)
            last = tuple((line.name, short(line.points[-1][1])) for line in lines)
            made.append(Panel(column, WORDS.get(column, column), draw(column, lines, starts), last))
    return made


def _companions(curves: Mapping[str, Mapping[str, Sequence[float | str]]], column: str) -> list[Line]:
    """Lines that share the panel of `column`; what all tables say of them is one line."""
    found = []
    for other, (host, name) in COMPANIONS.items():
        if host == column:
            points = {point for table in curves.values() for point in _line(name, table, other).points}
            found.append(Line(name, tuple(sorted(points))))
    return [line for line in found if line.points]


def phase_starts(table: Mapping[str, Sequence[float | str]]) -> tuple[tuple[float, str], ...]:
    """(step after which it began, name) of every phase but the first, from the column `phase`."""
    rows = list(zip(table.get("step", []), table.get("phase", []), strict=False))
    changes = itertools.pairwise(rows)
    return tuple((x, str(new)) for (x, old), (_, new) in changes if old != new and isinstance(x, float))


def chained(
    curves: Mapping[str, Mapping[str, Sequence[float | str]]], parents: Mapping[str, str]
) -> dict[str, dict[str, list[float | str]]]:
    """The same tables with each line's steps counted on from its parent's last row, which becomes its first.

    Args:
        curves: line name -> columns, parents before children.
        parents: line -> the line whose weights it started from.
    """
    joined: dict[str, dict[str, list[float | str]]] = {}
    for name, table in curves.items():
        last = {column: cells[-1] for column, cells in joined.get(parents.get(name, ""), {}).items() if cells}
        before = last.get("step", "")
        start = before if isinstance(before, float) else 0.0
        counted = {**table, "step": [x + start if isinstance(x, float) else x for x in table.get("step", [])]}
        joined[name] = {c: [*([last.get(c, "")] if last else []), *cells] for c, cells in counted.items()}
    return joined


def _line(name: str, table: Mapping[str, Sequence[float | str]], column: str) -> Line:
    steps = table.get("step", [])
    pairs = zip(steps, table.get(column, []), strict=False)
    return Line(name, tuple((x, y) for x, y in pairs if isinstance(x, float) and isinstance(y, float)))


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers that cover [low, high], about `count` of them.

    >>> ticks(0.0, 800.0)
    [0.0, 200.0, 400.0, 600.0, 800.0]
    """
    if high <= low:
        pad = abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    raw = (high - low) / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def short(value: float) -> str:
    """At most four significant digits, without needless zeros.

    >>> short(0.000123), short(27.1834), short(800.0)
    ('0.000123', '27.18', '800')
    """
    return f"{value:.4g}"


def draw(label: str, lines: Sequence[Line], starts: Sequence[tuple[float, str]] = ()) -> Markup:
    """The SVG of one panel. Colours come from the classes `line-NAME`, so that dark mode applies to it.

    Args:
        label: what is plotted.
        lines: curves, each with at least one point.
        starts: (step, name) of phases, drawn as dotted upright lines.
    """
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    x_ticks, y_ticks = ticks(min(xs), max(xs)), ticks(min(ys), max(ys))
    x_low, x_high, y_low, y_high = min(xs), max(xs), y_ticks[0], y_ticks[-1]

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - x_low) / (x_high - x_low) if x_high > x_low else 0.5
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM),
        )

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(_described(label, lines))}">',
        *(_y_tick(y, place(x_low, y)[1]) for y in y_ticks),
        *(_x_tick(x, place(x, y_low)[0]) for x in x_ticks if x_low <= x <= x_high),
        *(_phase(name, place(x, y_low)[0]) for x, name in starts if x_low < x <= x_high),
        *(_path(line, [place(x, y) for x, y in line.points]) for line in lines),
        "</svg>",
    ]
    return Markup("".join(parts))


def _described(label: str, lines: Sequence[Line]) -> str:
    ends = "; ".join(f"{ln.name} from {short(ln.points[0][1])} to {short(ln.points[-1][1])}" for ln in lines)
    return f"{label} over training steps: {ends}"


def _y_tick(value: float, y: float) -> str:
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{short(value)}</text>'
    )


def _x_tick(value: float, x: float) -> str:
    return f'<text x="{x:.1f}" y="{HEIGHT - 7}" text-anchor="middle">{short(value)}</text>'


def _phase(name: str, x: float) -> str:
    return (
        f'<line class="phase" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text x="{x + 3:.1f}" y="{TOP + 8}">{escape(name)}</text>'
    )


def _path(line: Line, places: Sequence[tuple[float, float]]) -> str:
    name = escape(line.name)
    x, y = places[-1]
    dot = f'<circle class="line-{name}" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'
    if len(places) == 1:
        return dot
    points = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
    return f'<polyline class="line-{name}" points="{points}"/>{dot}'
