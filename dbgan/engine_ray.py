"""Shard plans on Ray Core actors: one per device, at most two plans in flight each, dead actors replaced."""

from __future__ import annotations

import collections
import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbgan.corpus.layout import Finished, Plan
from dbgan.engine import ATTEMPTS, Done, Task, Worker, describe
from dbgan.errors import DbganError, StorageError, require

IN_FLIGHT = 2
"""Plans per actor: one being built and one waiting, so that the device never waits for us."""


class Actor:
    """A `Worker` in a process of Ray. Errors come back as text: they are then the same as in the serial engine.

    Runs in the driver's folder, because plans may hold relative paths, and holds the task's lock until it ends.
    """

    def __init__(self, task: Task, folder: str) -> None:
        self._task, self._folder = task, folder
        self._worker: Worker | None = None

    def open(self) -> str:
        """Open the builder. Returns its error, empty if there was none."""
        if os.path.isdir(self._folder):
            os.chdir(self._folder)
        self._task.lock.parent.mkdir(parents=True, exist_ok=True)
        self._lock = self._task.lock.open("a")
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        try:
            self._worker = Worker(self._task)
        except Exception as error:
            return describe(error)
        return ""

    def build(self, folder: Path, plan: Plan) -> Finished | str | StorageError:
        """The plan's receipt, or the error of this attempt."""
        assert self._worker is not None
        try:
            return self._worker.build(folder, plan)
        except StorageError as error:
            return error
        except Exception as error:
            return describe(error)


@contextlib.contextmanager
def ray_pool(task: Task, workers: int, gpus_per_worker: float, jobs: int) -> Iterator[RayPool]:
    """Actors for `jobs` plans on the cluster of `RAY_ADDRESS`, or on one started here and stopped after.

    Args:
        task: what every actor needs.
        workers: number of actors; 0: as many as the cluster's devices hold, at most one per job.
        gpus_per_worker: GPUs per actor.
        jobs: number of plans.

    Raises:
        DbganError: the cluster can never hold that many actors. Ray itself would only warn and wait.
        MissingPackageError: ray is not installed.
    """
    require("ray", f"building with {workers or 'all'} workers")
    # Set before the import: Ray reads it then. Its start-up should not report to anyone.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    started = not ray.is_initialized()
    if started:
        _start(ray, workers * task.threads)
    try:
        room = slots([node["Resources"] for node in ray.nodes() if node["Alive"]], task.threads, gpus_per_worker)
        if room < max(1, workers):
            raise DbganError(_refusal(workers, task.threads, gpus_per_worker, room, ray.cluster_resources()))
        count = workers or min(room, max(1, jobs))
        options = {"num_cpus": task.threads, "num_gpus": gpus_per_worker, "max_restarts": 0, "max_task_retries": 0}
        pool = RayPool(ray, task, count, options)
        with contextlib.closing(pool):
            yield pool
    finally:
        if started:
            ray.shutdown()


def _start(ray: Any, cpus: int) -> None:
    quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    if not os.environ.get("RAY_ADDRESS"):
        # CPUs are bookkeeping in a cluster of our own: who asks for more actors than cores gets them, slower.
        quiet["num_cpus"] = max(os.cpu_count() or 1, cpus)
    ray.init(**quiet)


def slots(nodes: Sequence[Mapping[str, float]], cpus: float, gpus: float) -> int:
    """How many actors of `cpus` and `gpus` each the nodes can hold. An actor never spans nodes.

    >>> slots([{"CPU": 16.0, "GPU": 2.0}, {"CPU": 3.0}], cpus=2, gpus=0)
    9
    >>> slots([{"CPU": 16.0, "GPU": 2.0}, {"CPU": 3.0}], cpus=2, gpus=1)
    2
    """
    total = 0
    for node in nodes:
        by_cpu = int(node.get("CPU", 0.0) // cpus)
        total += by_cpu if gpus == 0 else min(by_cpu, int(node.get("GPU", 0.0) / gpus + 1e-9))
    return total


def _refusal(workers: int, cpus: int, gpus: float, room: int, has: Mapping[str, float]) -> str:
    each = f"{cpus} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")
    return (
        f"Ray: {workers or 'any'} workers of {each} each were asked for; the cluster has {has.get('CPU', 0):g} CPUs "
        f"and {has.get('GPU', 0):g} GPUs and can hold {room}.\n"
        "Next: ask for fewer workers or threads, or point RAY_ADDRESS at a larger cluster."
    )


@dataclass(slots=True, eq=False)
class _Seat:
    """One actor and its plans in flight, in the order in which it builds them."""

    actor: Any
    opening: Any
    flying: collections.OrderedDict[Any, Plan] = field(default_factory=collections.OrderedDict)


class RayPool:
    """Our own loop over `ray.wait`: Ray's pools retry a killing plan for ever, or lose the others with it."""

    def __init__(self, ray: Any, task: Task, count: int, options: Mapping[str, Any]) -> None:
        self._ray = ray
        self._remote = ray.remote(Actor).options(**options)
        self._task, self._count = task, count
        self._seats: list[_Seat] = []

    def run(self, folder: Path, plans: Sequence[Plan], done: Done) -> tuple[dict[str, Finished], dict[str, str]]:
        """See `engine.Pool.run`."""
        if not self._seats:
            hired = [self._hire() for _ in range(self._count)]
            self._seats = [self._opened(seat) for seat in hired]
        waiting = collections.deque(plans)
        attempts: collections.Counter[str] = collections.Counter()
        made: dict[str, Finished] = {}
        failed: dict[str, str] = {}
        while waiting or any(seat.flying for seat in self._seats):
            self._hand_out(waiting, folder)
            flying = [reference for seat in self._seats for reference in seat.flying]
            ready, _ = self._ray.wait(flying, num_returns=1)
            seat = next(seat for seat in self._seats if ready[0] in seat.flying)
            again = []
            for plan, result in self._results(seat, ready[0]):
                if isinstance(result, Finished):
                    made[plan.shard] = result
                    done(plan.shard)
                    continue
                if isinstance(result, StorageError):
                    raise result
                attempts[plan.shard] += bool(result)
                if attempts[plan.shard] < ATTEMPTS:
                    again.append(plan)
                else:
                    failed[plan.shard] = result
                    done(plan.shard)
            waiting.extendleft(reversed(again))
        return made, failed

    def close(self) -> None:
        """End the actors, also in the middle of a plan."""
        for seat in self._seats:
            self._ray.kill(seat.actor)
        self._seats = []

    def _hand_out(self, waiting: collections.deque[Plan], folder: Path) -> None:
        """Give plans to the least busy actors first, so that few plans spread over all of them."""
        while waiting:
            seat = min(self._seats, key=lambda seat: len(seat.flying))
            if len(seat.flying) >= IN_FLIGHT:
                return
            plan = waiting.popleft()
            seat.flying[seat.actor.build.remote(folder, plan)] = plan

    def _results(self, seat: _Seat, ready: Any) -> list[tuple[Plan, Finished | str | StorageError]]:
        """What came of the plan that is ready: its receipt, or the error of an attempt.

        If the actor died, this holds for all its plans, and the actor is replaced: those that were done before give
        their receipt, the first other one was being built and has failed an attempt, the rest ("") only waited.
        """
        from ray.exceptions import RayError

        try:
            result: Finished | str | StorageError = self._ray.get(ready)
            return [(seat.flying.pop(ready), result)]
        except RayError as error:
            death = _death(error)
        self._ray.kill(seat.actor)
        results: list[tuple[Plan, Finished | str | StorageError]] = []
        for reference, plan in seat.flying.items():
            try:
                results.append((plan, self._ray.get(reference)))
            except RayError:
                results.append((plan, death))
                death = ""
        self._seats[self._seats.index(seat)] = self._opened(self._hire())
        return results

    def _hire(self) -> _Seat:
        """A new actor that is opening its builder."""
        actor = self._remote.remote(self._task, os.getcwd())
        return _Seat(actor, actor.open.remote())

    def _opened(self, seat: _Seat) -> _Seat:
        """The seat with its builder open. An error of the builder is final; an actor that dies is tried again."""
        from ray.exceptions import RayError

        problem = ""
        for _ in range(ATTEMPTS):
            try:
                problem = self._ray.get(seat.opening)
                if not problem:
                    return seat
                break
            except RayError as error:
                problem = _death(error)
                seat = self._hire()
        self._ray.kill(seat.actor)
        raise DbganError(f"{self._task.header.name}: no worker could start: {problem}")


def _death(error: BaseException) -> str:
    """How a worker died, in a line: killed by a signal, out of memory, its node gone."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"the worker died ({type(error).__name__}: {' '.join(lines)[:400]})"
