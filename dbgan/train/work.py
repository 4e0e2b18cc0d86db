"""One training as a unit of work: known by its recipe, resumed from `.dbgan/train/RECIPE/`, given back when finished.

start.json      digest of the code that began it, and its canary: what one step of every phase gives
checkpoints/    the last two steps; dropped when the work is finished
outs/           weights.safetensors, curves.csv, summary.json, samples.png and further sheets of samples
done.json       sha256 of each out; written last, so its presence means that the work is whole
times.json      seconds and steps per second; here only, never in outs

Folders of recipes that nobody asks for any more are never removed: delete `.dbgan/train/` when it grows too large.
"""

from __future__ import annotations

import contextlib
import copy
import csv
import hashlib
import io
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dbgan import locks
from dbgan.errors import DbganError
from dbgan.files import replace_tree, sha256_file, state_dir, write_bytes, write_json
from dbgan.image.codec import encode
from dbgan.networks import save_weights
from dbgan.recipe import code_digest, codec_versions, device_class, digest
from dbgan.recipe import recipe as recipe_digest
from dbgan.train.loop import Record, Row, Task, get_state, in_words, set_state, train
from dbgan.train.numerics import Numerics
from dbgan.train.team import Team

if TYPE_CHECKING:
    from dbgan.params import PerceptualParams, TrainingParams

CODE = (
    "dbgan.train",
    "dbgan.networks",
    "dbgan.image",
    "dbgan.corpus",
    "dbgan.seeds",
    "dbgan.blur.camera_blur",
    "dbgan.blur.frames",
    "dbgan.blur.sensor",
    "dbgan.blur.response",
)
"""Where only the digest of these differs, the canary is run before finished or half-finished work is trusted."""

UNTIMED = ("checkpoint_every", "cache", "prefetch")
"""Training parameters that shape no byte of the outs; they are no part of the recipe."""


class StaleRevisionError(DbganError):
    """The code computes other bytes than it did, under the same REVISION."""


@dataclass(frozen=True)
class Work:
    """One training to be done.

    Attributes:
        kind: "bgan" or "dbgan".
        variant: its name: of the BGAN, or l1, minus, base, control, plus.
        revision: REVISION of the module that trains it.
        inputs: digests of everything read.
        params: parameters that shape the outs, JSON-able.
        training: the parameters all trainings share.
        numerics: device and precision.
        build: makes the task, in its initial state, for a worker's numerics; called only when there is something to
            compute.
        notes: remarks for summary.json, such as a missing validation split; also printed.
    """

    kind: str
    variant: str
    revision: int
    inputs: Any
    params: dict[str, Any]
    training: TrainingParams
    numerics: Numerics
    build: Callable[[Numerics], Task]
    notes: tuple[str, ...] = ()

    @property
    def recipe(self) -> str:
        """The digest that names this work."""
        # codecs: captures are decoded, reduced and perhaps coded again while training, and pictures are encoded
        computed = {**self.numerics.describe(), "codecs": codec_versions()}
        return recipe_digest(f"train-{self.kind}-{self.variant}", self.revision, self.inputs, self.params, computed)

    @property
    def label(self) -> str:
        """How messages name it."""
        return f"train {self.kind} {self.variant}"


def shaping(training: TrainingParams) -> dict[str, Any]:
    """The training parameters that belong to the recipe."""
    return {k: v for k, v in training.model_dump(mode="json").items() if k not in UNTIMED}


def perceptual_digest(params: PerceptualParams) -> str:
    """For the recipe: sha256 of a weights file given by its path; "" for `random` and for the pinned `imagenet`."""
    path = Path(params.weights)
    return sha256_file(path) if params.weights not in ("random", "imagenet") and path.is_file() else ""


def do(work: Work, out: Path) -> None:
    """Make `out` hold the finished training: given back if it was done before, resumed, or done from the start.

    Raises:
        StaleRevisionError: the recipe is known, and the present code computes something else under it.
        dbgan.train.loop.DivergedError: a loss or gradient became NaN or infinite.
    """
    folder = state_dir() / "train" / work.recipe
    code = code_digest(*CODE)
    with _locked(folder, work.label):
        started = _read(folder / "start.json")
        if not started:  # written before the first step: without it nobody knows which code made what is here
            shutil.rmtree(folder, ignore_errors=True)
        finished = _is_finished(folder)
        if finished and started.get("code") == code:
            _give(folder, out)
            print(f"{work.label}: nothing changed, finished work given back", flush=True)
            return
        for note in work.notes:
            print(f"{work.label}: {note}", flush=True)
        if work.training.workers > 1:
            from dbgan.train import distributed  # the only thing here that needs ray

            distributed.run(work, folder)
        else:
            compute(work, folder, work.numerics)
        _give(folder, out)


def compute(work: Work, folder: Path, numerics: Numerics) -> None:
    """What is still to be done of `work` in `folder`: the canary where its code was another, then the training.

    All workers of `numerics.team` call it; the first one decides what there is to do, and writes.
    """
    team, code = numerics.team, code_digest(*CODE)
    started, finished = team.agree((_read(folder / "start.json"), _is_finished(folder)))
    with numerics.active():
        task = work.build(numerics)
        if started.get("code") != code:
            _check_canary(work, folder, task, started, code, team)
        if not finished:
            _train_and_write(work, folder, task, team)


def canary(task: Task) -> str:
    """Digest of what one step of every phase makes of the initial state: weights, gauges and picture.

    The task is put back into the state it came in.
    """
    record = Record()
    initial = copy.deepcopy(get_state(task, record))
    task.rehearse()
    hashed = hashlib.sha256()
    for name, module in task.modules.items():
        for key, tensor in module.state_dict().items():
            hashed.update(f"{name}.{key}:{tuple(tensor.shape)}".encode())
            hashed.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    hashed.update(curves_csv([{"step": 0, "phase": "canary", **task.evaluate()}], task.columns))
    for name, sheet in task.sheets().items():
        hashed.update(f"{name}: {', '.join(sheet.columns)}".encode())
        hashed.update(sheet.pixels.tobytes())
    set_state(task, record, initial)
    return hashed.hexdigest()


def curves_csv(rows: Sequence[Row], columns: Sequence[str]) -> bytes:
    """Curve rows as CSV: `step`, `phase`, then `columns`; floats with 6 significant digits, what is missing empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = ["step", "phase", *columns]
    writer.writerow(names)
    for row in rows:
        writer.writerow([f"{v:.6g}" if isinstance(v := row.get(name, ""), float) else v for name in names])
    return text.getvalue().encode()


def _train_and_write(work: Work, folder: Path, task: Task, team: Team) -> None:
    started = time.monotonic()
    rows = train(task, work.training, folder / "checkpoints", device=work.numerics.device, team=team)
    if not team.leads:
        return
    seconds = time.monotonic() - started
    _write_outs(work, folder, task, rows)
    times = {"seconds": round(seconds, 3), "steps": task.total_steps, "threads": torch.get_num_threads()}
    write_json(folder / "times.json", times)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)  # NFS keeps what somebody has open


def _write_outs(work: Work, folder: Path, task: Task, rows: list[Row]) -> None:
    outs = folder / "outs"
    outs.mkdir(parents=True, exist_ok=True)
    save_weights(outs / "weights.safetensors", task.product)
    write_bytes(outs / "curves.csv", curves_csv(rows, task.columns))
    sheets = {f"{name}.png": sheet for name, sheet in task.sheets().items()}
    for name, sheet in sheets.items():
        write_bytes(outs / name, encode(sheet.pixels, "png"))
    layouts = {name: sheet.layout for name, sheet in sheets.items()}
    write_json(outs / "summary.json", {**_summary(work, folder, task, rows), "pictures": layouts})
    write_json(folder / "done.json", {p.name: sha256_file(p) for p in sorted(outs.iterdir()) if p.is_file()})


def _summary(work: Work, folder: Path, task: Task, rows: list[Row]) -> dict[str, Any]:
    with in_words(task.label, "in the discriminator that judges at the end", folder / "checkpoints", "judge.lr"):
        last: Row = {**rows[-1], **task.final_gauges()}
    return {
        "kind": work.kind,
        "variant": work.variant,
        "parameters": sum(p.numel() for p in task.generator.parameters()),
        "steps": task.total_steps,
        "precision": work.numerics.precision,
        "device_class": device_class(work.numerics.device, work.numerics.threads),
        "warnings": task.warnings(last),
        "notes": list(work.notes),
        "gauges": {k: float(f"{v:.6g}") for k, v in last.items() if isinstance(v, float)},
        **task.facts,
    }


def _check_canary(work: Work, folder: Path, task: Task, started: dict[str, Any], code: str, team: Team) -> None:
    with in_words(task.label, "in the steps tried before the first", folder / "checkpoints"):
        found = team.agree(canary(task))
    if started and started.get("canary") != found:
        raise StaleRevisionError(
            f"{folder}: this training was done by other code, and the first steps of the present code give other "
            f"weights (canary {found[:12]}..., expected {str(started.get('canary'))[:12]}...).\n"
            f"Next: bump REVISION (now {work.revision}) in dbgan/train/{work.kind}.py, because its bytes changed; "
            f"or, if that work is not wanted, remove the folder {folder}."
        )
    if team.leads:
        write_json(folder / "start.json", {"code": code, "canary": found, "kind": work.kind, "variant": work.variant})


def _is_finished(folder: Path) -> bool:
    digests = _read(folder / "done.json")
    outs = folder / "outs"
    return bool(digests) and all((outs / n).is_file() and sha256_file(outs / n) == d for n, d in digests.items())


def _read(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty where it is absent or damaged: what it would prove is then done again."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


@contextlib.contextmanager
def _locked(folder: Path, label: str) -> Iterator[None]:
    """Two processes never train the same recipe at once: the second waits and is given the first one's outs."""

    def busy(holder: str) -> None:
        print(
            f"{label}: {holder} does this same training; waiting for it to end, to be given what it makes. "
            f"Ctrl-C gives up and leaves it alone (lock {lock})",
            flush=True,
        )

    lock = state_dir() / "locks" / f"train-{folder.name}.lock"
    with locks.exclusive(lock, busy):
        yield


def _give(folder: Path, out: Path) -> None:
    """Copy finished outs into `out`; a training with other params into the same place waits, so that none mix."""
    with locks.exclusive(state_dir() / "locks" / f"out-{digest(str(out.absolute()))[:16]}.lock"):
        replace_tree(folder / "outs", out)
