"""Where the time of a training step goes, and how much of the device's arithmetic it uses. Nothing is written."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import cast

import torch
from torch.utils.flop_counter import FlopCounterMode

from dbgan.train.loop import Task
from dbgan.train.numerics import Numerics
from dbgan.train.spans import PARTS, Stopwatch, measured

MINUTE_S = 60.0
SETTLING = 2
"""Steps before the clock starts: allocations, compilation, the first batches."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What was measured.

    Attributes:
        label: of the training.
        steps: that were timed.
        step_s: seconds per step, without a stopwatch inside.
        parts: name -> seconds per step; with `other, idle` they make up a step with the stopwatch in it.
        flops: floating point operations of one step, convolutions and matrix products; 0 where torch cannot tell.
        peak_flops: per second, measured by large matrix products in the training's precision.
        device: in words.
    """

    label: str
    steps: int
    step_s: float
    parts: dict[str, float]
    flops: int
    peak_flops: float
    device: str

    def table(self) -> str:
        """The profile as lines of text."""
        whole = sum(self.parts.values())
        lines = [f"{self.label}: {self.step_s * 1e3:.1f} ms per step over {self.steps} steps on {self.device}"]
        lines += [f"  {name:<12} {s * 1e3:9.2f} ms {s / whole:7.1%}" for name, s in self.parts.items()]
        if self.flops:
            reached = self.flops / self.step_s
            lines.append(
                f"  {reached / 1e12:.3f} TFLOP/s ({self.flops / 1e9:.1f} GFLOP per step), "
                f"{reached / self.peak_flops:.0%} of the {self.peak_flops / 1e12:.3f} TFLOP/s of matrix products"
            )
        return "\n".join(lines)


def profile(task: Task, numerics: Numerics, *, seconds: float = MINUTE_S) -> Profile:
    """Steps of the last phase, from the task's initial state, for about `seconds`.

    Args:
        task: its weights are changed; throw it away afterwards.
        numerics: of the task.
        seconds: a third goes to steps without a stopwatch inside, the rest to steps with it.
    """
    with numerics.active():
        if "warmup_steps" in task.memory:
            task.memory["warmup_steps"] = 0.0  # the discriminator's lead is over
        step = task.total_steps  # the last phase, whatever the lengths
        for _ in range(SETTLING):
            task.step(step)
            step += 1
        with FlopCounterMode(display=False) as counter:
            task.step(step)
        plain, plain_s = _run(task, step + 1, seconds / 3, numerics)
        watch = Stopwatch(numerics.device)
        with measured(watch):
            watched, watched_s = _run(task, step + 1 + plain, seconds * 2 / 3, numerics)
        parts = {name: watch.seconds[name] / watched for name in PARTS}
        parts["other, idle"] = max(0.0, watched_s / watched - sum(parts.values()))
        peak = matmul_peak(numerics)
    return Profile(
        label=task.label,
        steps=plain,
        step_s=plain_s / plain,
        parts=parts,
        flops=cast(int, counter.get_total_flops()),
        peak_flops=peak,
        device=_device(numerics),
    )


def matmul_peak(numerics: Numerics, *, rounds: int = 5) -> float:
    """FLOP/s of the fastest of several large square matrix products in the training's precision."""
    side = 8192 if numerics.device == "cuda" else 2048
    kind = torch.bfloat16 if numerics.bf16 else torch.float32
    a, b = (torch.randn(side, side, device=numerics.device, dtype=kind) for _ in range(2))
    fastest = float("inf")
    for _ in range(rounds + 1):
        started = _now(numerics)
        torch.mm(a, b)
        fastest = min(fastest, _now(numerics) - started)
    return 2.0 * side**3 / fastest


def _run(task: Task, first: int, seconds: float, numerics: Numerics) -> tuple[int, float]:
    """Steps from `first` for about `seconds`: (how many, seconds they took)."""
    started, done = _now(numerics), 0
    while done == 0 or time.perf_counter() - started < seconds:
        task.step(first + done)
        done += 1
    return done, _now(numerics) - started


def _now(numerics: Numerics) -> float:
    if numerics.device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _device(numerics: Numerics) -> str:
    if numerics.device == "cuda":
        return f"{torch.cuda.get_device_name()}, {numerics.precision}"
    return f"CPU, {numerics.threads} threads, {numerics.precision}"
