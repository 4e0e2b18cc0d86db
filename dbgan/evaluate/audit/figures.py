"""Plots of an audit as PNG bytes, drawn by matplotlib's Agg without time or software in the file."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from dbgan.evaluate.audit.compare import FLOOR, Distances
from dbgan.evaluate.audit.measures import MEASURES

# Okabe-Ito: told apart by people with any colour vision. Line styles repeat the difference for grey prints.
COLOURS = {"real": "#000000", "synthetic": "#D55E00", "pairs": "#0072B2", "sharp": "#009E73", "kernel": "#CC79A7"}
STYLES: dict[str, object] = {
    "real": "-",
    "synthetic": "-",
    "pairs": (0, (6, 2)),
    "sharp": (0, (1.5, 1.5)),
    "kernel": (0, (4, 1.5, 1, 1.5)),
}
WIDTHS = {"real": 2.6, "synthetic": 2.0, "pairs": 1.8, "sharp": 1.8, "kernel": 1.5}
MARKERS = {"synthetic": "o", "pairs": "s", "kernel": "D"}


STYLE: dict[Any, Any] = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E3E6E8",
    "axes.axisbelow": True,
}
DPI = 120


def distributions(
    title: str, panels: Mapping[str, Mapping[str, NDArray[np.float64]]], labels: Mapping[str, str]
) -> bytes:
    """Cumulative distributions, one panel per measure, one line per set.

    Args:
        title: the finding in words.
        panels: axis label with unit -> set -> values.
        labels: set -> its name in the legend.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(4.6 * len(panels) + 0.4, 4.2), dpi=DPI, layout="constrained")
        axes = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for axis, (label, sets) in zip(axes, panels.items(), strict=True):
            _cumulative(axis, sets, labels)
            axis.set_xlabel(label, wrap=True)
        axes[0].set_ylabel("share of crops at or below")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, wrap=True)
        handles, names = axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=min(4, len(names)), frameon=False)
        return png(figure)


def _cumulative(axis: Axes, sets: Mapping[str, NDArray[np.float64]], labels: Mapping[str, str]) -> None:
    pooled = np.concatenate([values for values in sets.values() if len(values)] or [np.zeros(1)])
    low, high = np.quantile(pooled, [0.005, 0.995])
    margin = 0.05 * max(high - low, 1e-6)
    for name, values in sets.items():
        if not len(values):
            continue
        ordered = np.sort(values)
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        x = np.concatenate([[low - margin], ordered, [high + margin]])
        y = np.concatenate([[0.0], share, [1.0]])
        axis.step(x, y, where="post", color=COLOURS[name], ls=STYLES[name], lw=WIDTHS[name], label=labels[name])
        axis.plot([np.median(values)], [0.5], "o", color=COLOURS[name], ms=5, mec="white", mew=0.8, zorder=4)
    axis.set_xlim(low - margin, high + margin)
    axis.set_ylim(-0.02, 1.02)
    axis.axhline(0.5, color="#9AA3AB", lw=0.8, zorder=1)


def psnr(title: str, sets: Mapping[str, NDArray[np.float64]], labels: Mapping[str, str], alarm: float) -> bytes:
    """Histograms of PSNR(blurry, sharp), dB, as shares of pairs; `alarm` is where blur is hardly there any more.

    Args:
        title: the finding in words.
        sets: set -> dB.
        labels: set -> its name in the legend.
        alarm: dB, drawn as a line.
    """
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.8), dpi=DPI, layout="constrained")
        axis = figure.subplots()
        pooled = np.concatenate([values for values in sets.values() if len(values)] or [np.zeros(1)])
        low, high = min(18.0, np.floor(pooled.min())), max(alarm + 2, np.ceil(pooled.max()))
        bins = np.arange(low, high + 1.0, 1.0 if high - low < 60 else 2.0)
        tallest = 0.0
        for name, values in sets.items():
            if not len(values):
                continue
            shares = np.histogram(values, bins)[0] / len(values)
            tallest = max(tallest, float(shares.max()))
            axis.stairs(shares, bins, fill=True, color=COLOURS[name], alpha=0.25)
            axis.stairs(shares, bins, color=COLOURS[name], ls=STYLES[name], lw=1.8, label=labels[name])
        axis.axvline(alarm, color="#7A838B", lw=1.2, ls=(0, (4, 3)))
        axis.text(alarm - 0.3, 1.1 * tallest, "identity alarm", ha="right", va="top", color="#5F6870", fontsize=9)
        axis.set(xlabel="PSNR of blurry against sharp, dB (lower: more blur)", ylabel="share of pairs")
        axis.set_ylim(0, 1.12 * max(tallest, 0.01))
        axis.set_xlim(bins[0], bins[-1])
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, wrap=True)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        return png(figure)


def png(figure: Figure) -> bytes:
    """The figure's PNG, without metadata."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def relative(title: str, found: Distances, labels: Mapping[str, str]) -> bytes:
    """Distances by measure as shares of that of sharp frames, with intervals and the floor as a band.

    Args:
        title: the finding in words.
        found: set (and `floor`) -> measure -> share, see `compare.relative`.
        labels: set -> its name in the legend.
    """
    shown = [m for m in MEASURES if any(m in own for own in found.values())]
    names = [name for name in labels if name in found]
    with rc_context(STYLE):
        figure = Figure(figsize=(7.6, 1.4 + 0.5 * max(1, len(shown))), dpi=DPI, layout="constrained")
        axis = figure.subplots()
        for row, measure in enumerate(shown):
            if measure in found.get(FLOOR, {}):
                own = found[FLOOR][measure]
                band: dict[str, Any] = {
                    "color": "#B9C0C6",
                    "alpha": 0.6,
                    "lw": 0,
                    "label": "real against other real captures",
                }
                axis.barh(row, own.high - own.low, left=own.low, height=0.75, **band)
            for place, name in enumerate(names):
                if measure in found[name]:
                    own = found[name][measure]
                    at = row + 0.22 * (place - (len(names) - 1) / 2)
                    axis.plot([own.low, own.high], [at, at], color=COLOURS[name], lw=1.6)
                    dot: dict[str, Any] = {
                        "color": COLOURS[name],
                        "ms": 6,
                        "mec": "white",
                        "mew": 0.8,
                        "label": labels[name],
                    }
                    axis.plot([own.value], [at], MARKERS[name], **dot)
        axis.axvline(1.0, color=COLOURS["sharp"], lw=1.4, ls=(0, (1.5, 1.5)), label="sharp frames")
        axis.set_yticks(range(len(shown)), [MEASURES[m].words for m in shown])
        axis.set_ylim(len(shown) - 0.4, -0.6)
        axis.set_xlim(left=0)
        axis.grid(visible=False, axis="y")
        axis.set_xlabel("distance to the real captures; 1 is that of the sharp frames")
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, wrap=True)
        unique = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
        figure.legend(unique.values(), unique.keys(), loc="outside lower center", ncols=2, frameon=False)
        return png(figure)


def spectrum(
    title: str, frequencies: NDArray[np.float64], sets: Mapping[str, NDArray[np.float64]], labels: Mapping[str, str]
) -> bytes:
    """Power against the lowest band, dB, over frequency, one line per set."""
    with rc_context(STYLE):
        figure = Figure(figsize=(7.2, 3.8), dpi=DPI, layout="constrained")
        axis = figure.subplots()
        for name, levels in sets.items():
            line: dict[str, Any] = {
                "color": COLOURS[name],
                "ls": STYLES[name],
                "lw": WIDTHS[name],
                "label": labels[name],
            }
            axis.plot(frequencies, levels, **line)
        axis.set(xscale="log", xlabel="frequency, cycles per px", ylabel="power against the lowest band, dB")
        axis.set_xticks(frequencies, [f"{f:.2g}" for f in frequencies])
        axis.minorticks_off()
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, wrap=True)
        figure.legend(loc="outside lower center", ncols=min(3, len(sets)), frameon=False)
        return png(figure)
