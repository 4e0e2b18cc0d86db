"""l1, minus, base, control and plus of this project for several seeds: is the difference between two of them more than
the chance of a seed?

Trains from the project's finished corpora (`dvc repro`, or `make demo`), with its params.yaml, whose seed alone is
changed (`$DBGAN_BENCH_SEEDS`), scores each on datasets/test, and leaves in `$DBGAN_BENCH_OUT` (reports/seeds):
curves.csv, scores.csv, curves.png, and table.md, which is also printed. Started again it goes on: every training is
known by its recipe, every score by the digest of its weights. The demo's three seeds take 10 to 15 minutes on 2 cores.
"""

from __future__ import annotations

import csv
import json
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console

from dbgan.errors import DbganError
from dbgan.evaluate.restorers import NetworkRestorer
from dbgan.evaluate.scoring import evaluate
from dbgan.files import sha256_file, write_bytes
from dbgan.image.codec import encode
from dbgan.networks.restoring import open_network
from dbgan.params import Params, ScoringParams, load
from dbgan.recipe import digest
from dbgan.train.dbgan import finetune, pretrain, train_adversarial
from pipelines.stage import DATASETS, REPORTS

SEEDS = [int(seed) for seed in os.environ.get("DBGAN_BENCH_SEEDS", "0,1,2").split(",")]
OUT = Path(os.environ.get("DBGAN_BENCH_OUT", str(REPORTS / "seeds")))
STARTS = {"minus": "l1", "base": "l1", "control": "base", "plus": "base"}
"""Variant -> whose weights it starts from."""
COMPARED = (
    ("minus", "l1"),
    ("base", "l1"),
    ("base", "minus"),
    ("control", "base"),
    ("plus", "base"),
    ("plus", "control"),
)
COLOURS = {"l1": "#777777", "minus": "#c06000", "base": "#0060b0", "control": "#7040a0", "plus": "#108040"}


@dataclass(frozen=True, slots=True)
class Run:
    """One training of one seed: steps and PSNR on held-out crops, dB, and the mean test scores."""

    variant: str
    seed: int
    steps: tuple[int, ...]
    psnr: tuple[float, ...]
    scores: dict[str, float]


def run() -> None:
    """Train what is not trained yet; print the table and where the figure is."""
    started = time.monotonic()
    try:
        runs = list(train_and_score(load()))
    except DbganError as error:
        print(f"seeds: {error}\nNext: run `make demo` first; this benchmark works on a project's finished corpora.")
        return
    variants = [v for v in COLOURS if any(run.variant == v for run in runs)]
    write_bytes(OUT / "curves.csv", curves_csv(runs, variants))
    write_bytes(OUT / "scores.csv", scores_csv(runs))
    write_bytes(OUT / "curves.png", encode(figure(runs, variants), "png"))
    told = table(runs, variants)
    write_bytes(OUT / "table.md", told.encode())
    Console(soft_wrap=True).print(told, markup=False, highlight=False)
    print(f"{OUT}/curves.png, curves.csv, scores.csv, table.md; {time.monotonic() - started:.0f} s")


def train_and_score(params: Params) -> Iterator[Run]:
    """Every variant of every seed."""
    own = params.dbgan
    for seed in SEEDS:
        training = own.common.training.model_copy(update={"seed": seed})
        common = own.common.model_copy(update={"training": training})
        models = OUT / "models" / f"seed-{seed}"
        pretrain(common, own.pretrain, DATASETS, models / "l1")
        yield told("l1", seed, models, params.evaluate.scoring)
        for name, adversarial in own.train.items():
            start = models / STARTS[name] / "weights.safetensors"
            train_adversarial(name, common, adversarial, start, DATASETS, models / name)
            yield told(name, seed, models, params.evaluate.scoring)
        for stage2, mixed in own.finetune.items():
            start = models / STARTS[stage2] / "weights.safetensors"
            finetune(stage2, common, mixed, start, DATASETS, models / stage2)
            yield told(stage2, seed, models, params.evaluate.scoring)


def told(variant: str, seed: int, models: Path, params: ScoringParams) -> Run:
    """The curve and the test scores of a finished training."""
    with (models / variant / "curves.csv").open() as handle:
        rows = [row for row in csv.DictReader(handle) if row["phase"] != "warmup"]
    scores = test_scores(f"{variant}, seed {seed}", models / variant / "weights.safetensors", params)
    return Run(variant, seed, tuple(int(r["step"]) for r in rows), tuple(float(r["psnr"]) for r in rows), scores)


def test_scores(label: str, weights: Path, params: ScoringParams) -> dict[str, float]:
    """Means over datasets/test as `evaluate@VARIANT` writes them; known again by the digests of weights and params."""
    folder = OUT / "scores" / digest([sha256_file(weights), params.model_dump(mode="json")])[:16]
    if not (folder / "metrics.json").is_file():
        evaluate(label, NetworkRestorer(open_network(weights), params), params, DATASETS / "test", folder)
    known: dict[str, float] = json.loads((folder / "metrics.json").read_bytes())
    return known


def curves_csv(runs: Sequence[Run], variants: Sequence[str]) -> bytes:
    """variant, step, PSNR of each seed, their mean and standard deviation."""
    lines = [",".join(["variant", "step", *(f"seed_{seed}" for seed in SEEDS), "mean", "sd"])]
    for variant in variants:
        own = [run for run in runs if run.variant == variant]
        for step, *values in zip(own[0].steps, *(run.psnr for run in own), strict=True):
            cells = [*values, statistics.mean(values), spread(values)]
            lines.append(",".join([variant, str(step), *(f"{value:.4f}" for value in cells)]))
    return ("\n".join(lines) + "\n").encode()


def scores_csv(runs: Sequence[Run]) -> bytes:
    """variant, seed and every mean score on datasets/test."""
    names = list(runs[0].scores)
    lines = [",".join(["variant", "seed", *names])]
    lines += [",".join([run.variant, str(run.seed), *(f"{run.scores[name]:.6g}" for name in names)]) for run in runs]
    return ("\n".join(lines) + "\n").encode()


def table(runs: Sequence[Run], variants: Sequence[str]) -> str:
    """Mean and standard deviation over the seeds, then the differences between two variants of the same seed."""
    metrics = {"held-out PSNR, dB": {(run.variant, run.seed): run.psnr[-1] for run in runs}}
    for name in runs[0].scores:
        if name.endswith((".psnr_rgb", ".ssim")) and ".input." not in name:
            metrics[f"test {name}"] = {(run.variant, run.seed): run.scores[name] for run in runs}
    lines = [f"| seeds {', '.join(map(str, SEEDS))} | {' | '.join(metrics)} |", "|---" * (len(metrics) + 1) + "|"]
    for variant in variants:
        cells = [summary([values[variant, seed] for seed in SEEDS], name) for name, values in metrics.items()]
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    for better, than in COMPARED:
        if {better, than} <= set(variants):
            cells = [
                summary([values[better, seed] - values[than, seed] for seed in SEEDS], name, sign="+")
                for name, values in metrics.items()
            ]
            lines.append(f"| {better} - {than}, seed by seed | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def summary(values: Sequence[float], name: str, sign: str = "") -> str:
    """`28.31 ± 0.04`: mean and standard deviation; SSIM with two more digits."""
    digits = 2 if "psnr" in name.lower() else 4
    return f"{statistics.mean(values):{sign}.{digits}f} ± {spread(values):.{digits}f}"


def spread(values: Sequence[float]) -> float:
    """Standard deviation of a sample; 0 for one value."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


def figure(runs: Sequence[Run], variants: Sequence[str]) -> NDArray[np.uint8]:
    """PSNR on held-out crops by step from the start of l1: mean line, band from the lowest to the highest seed. Left
    all of it, right what follows l1. HWC uint8 RGB."""
    offsets = {"l1": 0}
    for variant in variants[1:]:
        start = next(run for run in runs if run.variant == STARTS[variant])
        offsets[variant] = offsets[STARTS[variant]] + start.steps[-1]
    drawing = Figure(figsize=(11, 4.2), dpi=100, layout="constrained")
    for axes, shown in zip(drawing.subplots(1, 2), (variants, variants[1:]), strict=True):
        for variant in shown:
            own = [run for run in runs if run.variant == variant]
            values = np.array([run.psnr for run in own])
            steps = np.array(own[0].steps) + offsets[variant]
            if variant in STARTS:  # from where its start weights ended
                values = np.hstack([[[run.psnr[-1]] for run in runs if run.variant == STARTS[variant]], values])
                steps = np.concatenate([[offsets[variant]], steps])
            axes.plot(steps, values.mean(0), color=COLOURS[variant], label=variant)
            axes.fill_between(steps, values.min(0), values.max(0), color=COLOURS[variant], alpha=0.15, linewidth=0)
        axes.set_xlabel("step")
        axes.set_ylabel("PSNR on held-out crops, dB")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    drawing.suptitle(f"Mean of {len(SEEDS)} seeds; the band is from the lowest to the highest")
    canvas = FigureCanvasAgg(drawing)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
