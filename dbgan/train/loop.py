"""The one training loop: steps, curve rows, checkpoints, and a stop within the step where a number is lost.

A task is a set of networks that knows how to do step `n`. Everything random in it is a function of (seed, n), so its
state is its weights, its optimizers and a few numbers; with these, resume is exact.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from dbgan.errors import DbganError
from dbgan.networks.registry import Generator
from dbgan.progress import progress
from dbgan.train import checkpoints
from dbgan.train.optimise import NotFiniteError
from dbgan.train.pictures import Sheet
from dbgan.train.team import ALONE, Team

if TYPE_CHECKING:
    from dbgan.params import TrainingParams

Row = dict[str, Any]
"""One row of curves.csv: `step`, `phase`, mean loss terms since the row before, and gauges."""


class DivergedError(DbganError):
    """A loss or gradient became NaN or infinite."""


class Task(Protocol):
    """What the loop trains."""

    label: str
    generator: Generator
    """What is trained."""
    facts: dict[str, Any]
    """Further entries of summary.json: `perceptual` (which weights, in words), `start` (digest of its weights)."""
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    memory: dict[str, float]
    """Numbers that outlive a step, such as the smoothed accuracy of the discriminator."""
    columns: tuple[str, ...]
    """Columns of curves.csv after `step` and `phase`, in order."""

    @property
    def product(self) -> Generator:
        """What is evaluated and kept: the generator, or its running average where `training.ema` is above 0."""

    @property
    def total_steps(self) -> int:
        """Length of the training; it may shrink when a phase ends early."""

    def phase(self, step: int) -> str:
        """Name of the phase that `step` belongs to."""

    def step(self, step: int) -> dict[str, float]:
        """Do step `step` (from 0) and return its terms. Raises `NotFiniteError` before any weight is touched."""

    def evaluate(self) -> dict[str, float]:
        """Gauges on fixed samples."""

    def final_gauges(self) -> dict[str, float]:
        """Gauges of the finished product that cost too much for every evaluation; by the first worker alone."""

    def sheets(self) -> dict[str, Sheet]:
        """Grids of fixed samples by the name of their file, without its suffix; `samples` among them."""

    def warnings(self, row: Row) -> list[str]:
        """What a row's gauges say is wrong, in words, with what to change."""

    def rehearse(self) -> None:
        """One step of every phase from the initial state: the canary."""


@dataclass(slots=True)
class Record:
    """Curve rows so far, and the sums of terms since the last one."""

    rows: list[Row] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, terms: Mapping[str, float]) -> None:
        """Count the terms of one step."""
        for name, value in terms.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def close(self, step: int, phase: str, gauges: Mapping[str, float]) -> Row:
        """Append the row of `step`: means of the terms since the last row, and gauges."""
        means = {name: total / self.counts[name] for name, total in self.sums.items()}
        row: Row = {"step": step, "phase": phase, **means, **gauges}
        self.rows.append(row)
        self.sums, self.counts = {}, {}
        return row


def train(task: Task, training: TrainingParams, folder: Path, *, device: str = "cpu", team: Team = ALONE) -> list[Row]:
    """Train to the end from the newest checkpoint in `folder`, or from the start. Returns the curve rows.

    Of several workers the first alone evaluates, reads and writes checkpoints, and speaks.

    Raises:
        DivergedError: naming the step, the loss terms and the last good checkpoint.
    """
    record = Record()
    restored = team.agree(checkpoints.load_latest(folder, "cpu" if team.size > 1 else device) if team.leads else None)
    step = 0
    if restored is not None:
        step = restored[0]
        set_state(task, record, restored[1])
    said: set[str] = set()
    resumed = f" (resumed at step {step})" if step else ""
    with progress(task.label + resumed, task.total_steps - step, shown=team.leads) as tracker:
        while step < task.total_steps:
            length = task.total_steps
            phase = task.phase(step)
            terms = _checked_step(task, step, folder)
            record.add(terms)
            step += 1
            last = step >= task.total_steps
            if last or step % training.evaluate_every == 0:
                row = record.close(step, phase, task.evaluate() if team.leads else {})
                if team.leads:
                    _say(task.warnings(row), task.label, step, said)
            if team.leads and (last or step % training.checkpoint_every == 0):
                checkpoints.save(folder, step, get_state(task, record))
            tracker.advance(1 + length - task.total_steps, note=_note(terms))
    return record.rows


def get_state(task: Task, record: Record) -> dict[str, Any]:
    """Everything a training needs to go on: tensors, numbers and text only."""
    return {
        "modules": {name: module.state_dict() for name, module in task.modules.items()},
        "optimizers": {name: optimizer.state_dict() for name, optimizer in task.optimizers.items()},
        "memory": dict(task.memory),
        "rows": [dict(row) for row in record.rows],
        "sums": dict(record.sums),
        "counts": dict(record.counts),
    }


def set_state(task: Task, record: Record, state: Mapping[str, Any]) -> None:
    """Put back what `get_state` took."""
    for name, module in task.modules.items():
        module.load_state_dict(state["modules"][name])
    for name, optimizer in task.optimizers.items():
        optimizer.load_state_dict(state["optimizers"][name])
    task.memory.clear()
    task.memory.update(state["memory"])
    record.rows = [dict(row) for row in state["rows"]]
    record.sums, record.counts = dict(state["sums"]), dict(state["counts"])


def _checked_step(task: Task, step: int, folder: Path) -> dict[str, float]:
    with in_words(task.label, f"at step {step}", folder):
        return task.step(step)


@contextlib.contextmanager
def in_words(label: str, when: str, folder: Path, lower: str = "the learning rates of this model") -> Iterator[None]:
    """A number that is lost inside ends in words: `DivergedError` with the loss terms and the last checkpoint.

    Args:
        label: of the training.
        when: completes "is not finite".
        folder: of its checkpoints.
        lower: what may be too high.
    """
    try:
        yield
    except NotFiniteError as error:
        terms = ", ".join(f"{name} {value:.6g}" for name, value in error.terms.items())
        good = checkpoints.latest_path(folder)
        raise DivergedError(
            f"{label}: {error.what} is not finite {when} ({terms}).\n"
            f"Last good checkpoint: {good if good else 'none yet'}.\n"
            f"Next: lower {lower}, set training.clip_gradient (such as 1.0), or try training.precision: fp32."
        ) from None


def _say(warnings: list[str], label: str, step: int, said: set[str]) -> None:
    for text in warnings:
        kind = text.split("(")[0]  # the same warning with other numbers is said once
        if kind not in said:
            said.add(kind)
            print(f"{label}, step {step}: warning: {text}", flush=True)


def _note(terms: Mapping[str, float]) -> str:
    return " ".join(f"{name} {value:.4f}" for name, value in terms.items() if name in ("loss", "d_loss"))
