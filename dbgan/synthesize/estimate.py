"""What a synthetic corpus would take: shards, pairs, bytes and hours, from a few pictures that are really made."""

from __future__ import annotations

import itertools
import math
import os
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dbgan.blur.model import Blur
from dbgan.corpus import receipts
from dbgan.corpus.layout import Plan
from dbgan.engine.build import reusable
from dbgan.engine.worker import threads
from dbgan.params import SynthesizeParams
from dbgan.synthesize.build import Pairs
from dbgan.synthesize.plan import Item, SharpSource, plan
from dbgan.synthesize.prepare import make_builder, settings_of

PROBES = 3
"""Pictures that are made of each model; the first also loads weights and is not timed."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What would be done. `bytes` and `hours` are of the pairs that are missing, and are estimates.

    Attributes:
        shards, pairs: of the whole corpus. kept: shards that are finished already. missing: pairs to make.
        models: model -> missing pairs. seconds: model -> seconds per pair of one worker.
        bytes: that will be written. workers: that `hours` counts with.
    """

    shards: int
    kept: int
    pairs: int
    missing: int
    models: Mapping[str, int]
    seconds: Mapping[str, float]
    bytes: int
    workers: int
    hours: float

    def facts(self) -> dict[str, str]:
        """As `dbgan.console.print_facts` takes them."""
        rates = [f"{model} {count:,} at {self.seconds[model]:.2f} s" for model, count in sorted(self.models.items())]
        return {
            "shards": f"{self.shards:,}, of which {self.kept:,} are finished",
            "pairs": f"{self.pairs:,}, of which {self.missing:,} are to be made",
            "models": ", ".join(rates) or "nothing to do",
            "bytes": f"about {self.bytes / 1e9:.2f} GB to write",
            "hours": f"about {self.hours:.2f} with {self.workers} workers",
        }


def estimate(
    sources: Sequence[SharpSource], blurs: Mapping[str, Blur], params: SynthesizeParams, out: Path, workers: int
) -> Estimate:
    """Plan the corpus `out` and make a few of its pairs in memory; writes nothing. Arguments as `pairs.make_pairs`."""
    plans = plan(sources, settings_of(params, blurs))
    kept = reusable(out, plans, receipts.finished(out))
    pending = [shard for shard in plans if shard.shard not in kept]
    counts = Counter(item.model for shard in pending for item in shard.items)
    seconds: dict[str, float] = {}
    written = 0.0
    number = workers or _workers_here(blurs, params)
    # A worker of this machine has its share of the cores; one of another machine at least those it asks for.
    cores = max(params.threads, (os.cpu_count() or 1) / number)
    pairs = Pairs(make_builder(sources, blurs, params))
    with threads(params.threads):
        for model, count in counts.items():
            on_cpu = getattr(blurs[model], "device", "cpu") == "cpu"
            makers = pairs.makers(model)
            steps, each = _probe(pairs, probes(pending, model))
            seconds[model] = seconds_per_pair(steps, params, makers, cores, on_cpu=on_cpu)
            written += each * count
    hours = sum(seconds[model] * count for model, count in counts.items()) / number / 3600
    total = sum(len(shard.items) for shard in plans)
    return Estimate(
        len(plans), len(kept), total, counts.total(), dict(counts), seconds, math.ceil(written), number, hours
    )


def probes(plans: Sequence[Plan], model: str) -> list[Item]:
    """Up to `PROBES` pairs of a model, spread evenly over those to be made."""
    items = [item for shard in plans for item in shard.items if item.model == model]
    count = min(PROBES, len(items))
    return [items[(2 * k + 1) * len(items) // (2 * count)] for k in range(count)]


def seconds_per_pair(
    steps: tuple[float, float, float], params: SynthesizeParams, makers: int, cores: float, *, on_cpu: bool
) -> float:
    """Of one worker: its slowest step decides, or the cores that its steps share.

    Args:
        steps: seconds of reading, blurring and encoding, one after the other.
        params: threads, io_threads; all variants of a picture share one reading of it.
        makers: pictures that are blurred beside each other; each takes `params.threads / makers` threads.
        cores: that the worker has. on_cpu: whether blurring takes any of them.
    """
    read, blur, encode = steps[0] / params.variants, steps[1], steps[2]
    busy = read + encode + (blur * params.threads / makers if on_cpu else 0.0)
    return max(read / params.io_threads, blur / makers, encode / params.io_threads, busy / cores)


def _probe(pairs: Pairs, items: Sequence[Item]) -> tuple[tuple[float, float, float], float]:
    """Mean seconds of the three steps of a pair, and bytes per pair."""
    times: list[tuple[float, ...]] = []
    sizes: list[int] = []
    for item in items:
        marks = [time.perf_counter()]
        frames = pairs.read(item)
        marks.append(time.perf_counter())
        made = pairs.blurred(item, frames)
        marks.append(time.perf_counter())
        sample = pairs.encoded(item, frames, made)
        marks.append(time.perf_counter())
        times.append(tuple(later - earlier for earlier, later in itertools.pairwise(marks)))
        sizes.append(sum(len(data) for data in sample.fields.values()))
    timed = times[1:] or times
    read, blur, encode = (sum(step) / len(timed) for step in zip(*timed, strict=True))
    return (read, blur, encode), sum(sizes) / len(sizes)


def _workers_here(blurs: Mapping[str, Blur], params: SynthesizeParams) -> int:
    """One per device of this machine: what a cluster holds beyond it is not asked for."""
    if any(getattr(blur, "device", "cpu") != "cpu" for blur in blurs.values()):
        import torch

        return max(1, torch.cuda.device_count())
    return max(1, (os.cpu_count() or 1) // params.threads)
