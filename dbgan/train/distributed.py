"""The same training on several GPUs or nodes: `training.workers` processes of Ray Train around the one loop.

Every worker builds the same task and walks the same steps; `dbgan.train.team` says what each computes of them. The
first worker alone writes, into the same folder of `.dbgan/train/` as a training in one process: checkpoints, outs, and
at the end done.json. So a worker that dies costs the steps since the last checkpoint, and so does the whole run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from dbgan import locks
from dbgan.cluster import connected, require_room
from dbgan.errors import DbganError
from dbgan.files import write_bytes
from dbgan.recipe import code_digest
from dbgan.train import checkpoints, work
from dbgan.train.numerics import Numerics
from dbgan.train.team import Team, Workers

RESTARTS = 3
"""Deaths of workers that are borne without a new checkpoint between them; then something kills every one of them."""

REFUSED = "refused.txt"
"""In the work's folder: the words of an error that trying again cannot mend, from a worker to whoever asked."""

SCRATCH = "ray"
"""In the work's folder: what Ray Train keeps of its own, and `SAID`; dropped at the end."""

SAID = "said.txt"
"""What the first worker prints. Ray can print it as well, but only with every worker's log around it."""

ECHO_S = 0.5
"""How often it is looked at, s."""


def run(todo: work.Work, folder: Path) -> None:
    """Do the work in `folder` (`dbgan.train.work.compute`) with `training.workers` workers.

    Each takes `training.threads` CPUs and, where the device is a GPU, one GPU. They must see `folder` and the datasets
    under the same paths: on several nodes, the project lies on shared storage.

    Raises:
        DbganError: the cluster is too small, a worker is another kind of machine than this one, workers died again
            and again, or what the training itself refuses.
        MissingPackageError: ray is not installed.
    """
    folder = folder.absolute()
    count, threads = todo.training.workers, todo.training.threads
    os.environ.update({"RAY_TRAIN_V2_ENABLED": "1", "RAY_TRAIN_ENABLE_PRINT_PATCH": "0"})  # read when ray.train starts
    with connected(f"training with {count} workers", count * threads) as ray, _scratch(folder) as scratch:
        require_room(ray, count, threads, _gpus(todo))
        trainer = _trainer(todo, folder, scratch)
        while True:
            before = checkpoints.latest_path(folder / "checkpoints")
            with _echoing(scratch / SAID):
                death = _fit(trainer)
            if (folder / REFUSED).is_file():
                raise DbganError((folder / REFUSED).read_text())
            if not death:
                return
            if checkpoints.latest_path(folder / "checkpoints") == before:
                raise DbganError(
                    f"{todo.label}: {count} workers failed {RESTARTS + 1} times with no new checkpoint in between "
                    f"({death}).\nLast checkpoint: {before or 'none yet'}.\n"
                    "Next: the same command goes on from there; training.workers: 1 shows the error in this process."
                )


def _gpus(todo: work.Work) -> int:
    """GPUs per worker."""
    return 1 if todo.numerics.device == "cuda" else 0


def _trainer(todo: work.Work, folder: Path, scratch: Path) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    gpus = _gpus(todo)
    resources = {"CPU": todo.training.threads, **({"GPU": gpus} if gpus else {})}
    home, expected = os.getcwd(), _kind(todo.numerics)
    return TorchTrainer(
        lambda: _work(todo, folder, home, expected),
        scaling_config=ScalingConfig(
            num_workers=todo.training.workers, use_gpu=bool(gpus), resources_per_worker=resources
        ),
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
        run_config=RunConfig(
            name="train", storage_path=str(scratch), failure_config=FailureConfig(max_failures=RESTARTS)
        ),
    )


def _fit(trainer: Any) -> str:
    """Run to the end. Returns how it ended: empty, or the last death in a line."""
    from ray.train import TrainingFailedError

    try:
        trainer.fit()
    except TrainingFailedError as error:
        return " ".join(str(error).split())[-400:]
    return ""


def _work(todo: work.Work, folder: Path, home: str, expected: dict[str, Any]) -> None:
    """What every worker does. An error of ours is written down and not tried again: it would only come again."""
    refused = folder / REFUSED
    if refused.is_file():
        return
    os.chdir(home)  # the datasets' paths may be relative, and Ray Train has a folder of its own
    team = Workers()
    try:
        numerics = replace(Numerics.choose(todo.training), team=team)
        _require_alike(_kind(numerics), expected)
        with _writing(folder, team), _speaking(todo, folder / SCRATCH / SAID, team):
            work.compute(todo, folder, numerics)
    except DbganError as error:
        write_bytes(refused, str(error).encode())
        raise


def _kind(numerics: Numerics) -> dict[str, Any]:
    return {**numerics.describe(), "code": code_digest(*work.CODE)}


def _require_alike(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """The recipe was made where the command was given: a machine of another kind would compute other bytes under it."""
    other = [f"{name}: expected {expected.get(name)}, found {value}" for name, value in found.items()]
    other = [line for line, name in zip(other, found, strict=True) if found[name] != expected.get(name)]
    if other:
        raise DbganError(
            f"{socket.gethostname()}: this worker is not like the machine that started the training "
            f"({'; '.join(other)}).\n"
            "Next: start it on a machine of the workers' kind, with the same versions and the same code on all."
        )


@contextlib.contextmanager
def _writing(folder: Path, team: Team) -> Iterator[None]:
    """The first worker holds a lock while it may write: one of a killed run may outlive that run by seconds."""
    if not team.leads:
        yield
        return
    with locks.exclusive(folder.parent.parent / "locks" / f"train-{folder.name}.writer.lock"):
        yield


@contextlib.contextmanager
def _speaking(todo: work.Work, said: Path, team: Team) -> Iterator[None]:
    """The first worker's words go into `said`; the others have none."""
    if not team.leads:
        yield
        return
    again = said.is_file()
    with said.open("a", buffering=1) as handle, contextlib.redirect_stdout(handle):
        print(f"{todo.label}: {'a worker died; started again with ' if again else ''}{team.size} workers")
        yield


@contextlib.contextmanager
def _echoing(said: Path) -> Iterator[None]:
    """Print what comes to stand in `said`, as it comes."""
    ended = threading.Event()
    echo = threading.Thread(target=_echo, args=(said, ended), daemon=True)
    echo.start()
    try:
        yield
    finally:
        ended.set()
        echo.join()


def _echo(said: Path, ended: threading.Event) -> None:
    done = said.stat().st_size if said.is_file() else 0
    last = False
    while not last:
        last = ended.wait(ECHO_S)
        if said.is_file():
            with said.open("rb") as handle:
                handle.seek(done)
                text = handle.read()
            done += len(text)
            print(text.decode(errors="replace"), end="", flush=True)


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder for Ray Train, empty at the start and gone at the end; and no refusal of an earlier run."""
    (folder / REFUSED).unlink(missing_ok=True)
    shutil.rmtree(folder / SCRATCH, ignore_errors=True)
    (folder / SCRATCH).mkdir(parents=True)
    try:
        yield folder / SCRATCH
    finally:
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)
        (folder / REFUSED).unlink(missing_ok=True)
