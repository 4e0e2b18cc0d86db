"""Shard plans on Ray Core actors: one per device, at most two plans in flight each, dead actors replaced."""

from __future__ import annotations

import collections
import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbgan import locks
from dbgan.cluster import connected, require_room
from dbgan.corpus.layout import Finished, Plan
from dbgan.engine.watch import Watch
from dbgan.engine.worker import ATTEMPTS, Built, Task, Worker, describe
from dbgan.errors import DbganError, StorageError

IN_FLIGHT = 2
"""Plans per actor: one being built and one waiting, so that the device never waits for us."""

TELL_S = 5.0
"""Seconds without an event after which the actors are asked what they do."""

TELL = "tell"
"""Ray's concurrency group in which they listen and answer while they build."""


class Actor:
    """A `Worker` in a process of Ray. Errors come back as text: they are then the same as in the serial engine.

    Runs in the driver's folder, because plans may hold relative paths, and holds the task's lock until it ends.
    """

    def __init__(self, task: Task, folder: str) -> None:
        self._task, self._folder = task, folder
        self._shard = ""
        self._worker: Worker | None = None

    def open(self) -> str:
        """Open the builder. Returns its error, empty if there was none."""
        if os.path.isdir(self._folder):
            os.chdir(self._folder)
        self._lock = locks.opened(self._task.lock)
        locks.take(self._lock, self._task.lock, shared=True, wait=True)
        try:
            self._worker = Worker(self._task)
        except Exception as error:
            return describe(error)
        return ""

    def build(self, folder: Path, plan: Plan) -> Built | str | StorageError:
        """The finished shard, or the error of this attempt."""
        assert self._worker is not None
        self._shard = plan.shard
        try:
            return self._worker.build(folder, plan)
        except StorageError as error:
            return error
        except Exception as error:
            return describe(error)

    def expect(self, plan: Plan) -> None:
        """The plan that will be built after the one in work; told while `build` runs."""
        assert self._worker is not None
        self._worker.upcoming = plan

    def told(self) -> tuple[str, int]:
        """The shard in work and how many of its samples are made; answered while `build` runs."""
        return self._shard, self._worker.made if self._worker else 0


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
    with connected(f"building with {workers or 'all'} workers", workers * task.threads) as ray:
        room = require_room(ray, workers, task.threads, gpus_per_worker)
        count = workers or min(room, max(1, jobs))
        options = {"num_cpus": task.threads, "num_gpus": gpus_per_worker, "max_restarts": 0, "max_task_retries": 0}
        with contextlib.closing(RayPool(ray, task, count, options)) as pool:
            yield pool


@dataclass(slots=True, eq=False)
class _Seat:
    """One actor and its plans in flight, in the order in which it builds them.

    Attributes:
        opening: reference to the answer of `Actor.open`; None once it is open.
        group: of the plan handed out last.
        deaths: actors of this seat that died before they were open.
    """

    number: int
    actor: Any
    opening: Any
    flying: collections.OrderedDict[Any, Plan] = field(default_factory=collections.OrderedDict)
    group: str = ""
    deaths: int = 0


class _Waiting:
    """Plans that nobody builds yet, by group, in their order; those to be tried again come first."""

    def __init__(self, plans: Sequence[Plan]) -> None:
        self._groups: collections.OrderedDict[str, collections.deque[Plan]] = collections.OrderedDict()
        for plan in plans:
            self._groups.setdefault(_group(plan), collections.deque()).append(plan)

    def __bool__(self) -> bool:
        return bool(self._groups)

    def take(self, own: str, others: set[str]) -> Plan:
        """The next plan for a worker: of its own group, else of one that no other worker is at, else of any."""
        group = own
        if own not in self._groups:
            # At most as many groups are skipped as there are workers: this stays short for a million plans.
            group = next((name for name in self._groups if name not in others), next(iter(self._groups)))
        plan = self._groups[group].popleft()
        if not self._groups[group]:
            del self._groups[group]
        return plan

    def put_back(self, plan: Plan) -> None:
        """To be built again, before the others."""
        group = _group(plan)
        self._groups.setdefault(group, collections.deque()).appendleft(plan)
        self._groups.move_to_end(group, last=False)


def _group(plan: Plan) -> str:
    return plan.group or plan.shard


class RayPool:
    """Our own loop over `ray.wait`: Ray's pools retry a killing plan for ever, or lose the others with it."""

    def __init__(self, ray: Any, task: Task, count: int, options: Mapping[str, Any]) -> None:
        self._ray = ray
        self._remote = ray.remote(concurrency_groups={TELL: 1})(Actor).options(**options)
        self._task, self._count = task, count
        self._seats: list[_Seat] = []
        self._attempts: collections.Counter[str] = collections.Counter()

    def run(self, folder: Path, plans: Sequence[Plan], watch: Watch) -> tuple[dict[str, Finished], dict[str, str]]:
        """See `engine.worker.Pool.run`."""
        if not self._seats:
            self._seats = [self._hire(number) for number in range(self._count)]
        waiting = _Waiting(plans)
        attempts = self._attempts = collections.Counter()
        made: dict[str, Finished] = {}
        failed: dict[str, str] = {}
        while waiting or any(seat.flying for seat in self._seats):
            self._hand_out(waiting, folder)
            seat, ready = self._next(watch)
            if seat is None:
                continue
            if ready == seat.opening:
                self._open(seat)
                continue
            for plan, result in self._results(seat, ready):
                if isinstance(result, Built):
                    made[plan.shard] = result.finished
                    watch.ended(seat.number, plan, result)
                    continue
                if isinstance(result, StorageError):
                    raise result
                attempts[plan.shard] += bool(result)
                if attempts[plan.shard] < ATTEMPTS:
                    if result:
                        watch.again()
                    waiting.put_back(plan)
                else:
                    failed[plan.shard] = result
                    watch.ended(seat.number, plan, None)
        return made, failed

    def close(self) -> None:
        """End the actors, also in the middle of a plan."""
        for seat in self._seats:
            self._ray.kill(seat.actor)
        self._seats = []

    def _hand_out(self, waiting: _Waiting, folder: Path) -> None:
        """Give plans to the least busy open actors first, so that few plans spread over all of them."""
        open_seats = [seat for seat in self._seats if seat.opening is None]
        while waiting and open_seats:
            seat = min(open_seats, key=lambda seat: len(seat.flying))
            if len(seat.flying) >= IN_FLIGHT:
                return
            plan = waiting.take(seat.group, {other.group for other in self._seats if other is not seat})
            seat.group = _group(plan)
            # A plan that kills its worker must not take another's attempts: what failed once is built alone.
            if seat.flying and not any(self._attempts[near.shard] for near in (*seat.flying.values(), plan)):
                seat.actor.expect.options(concurrency_group=TELL).remote(plan)
            seat.flying[seat.actor.build.remote(folder, plan)] = plan

    def _next(self, watch: Watch) -> tuple[_Seat | None, Any]:
        """The seat and reference of what comes next; (None, None) after `TELL_S` seconds in which nothing came."""
        owners = {reference: seat for seat in self._seats for reference in seat.flying}
        owners |= {seat.opening: seat for seat in self._seats if seat.opening is not None}
        ready, _ = self._ray.wait(list(owners), num_returns=1, timeout=TELL_S)
        if ready:
            return owners[ready[0]], ready[0]
        self._ask(watch)
        return None, None

    def _ask(self, watch: Watch) -> None:
        """Tell `watch` what each actor does."""
        from ray.exceptions import RayError

        asked = {}
        for seat in self._seats:
            if seat.opening is not None:
                watch.waits(seat.number, "waits for a place" if seat.deaths else "starts")
            elif seat.flying:
                asked[seat.actor.told.options(concurrency_group=TELL).remote()] = seat
        answered, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=TELL_S) if asked else ([], [])
        for reference in answered:
            seat = asked[reference]
            # An actor that died does not answer; its plans will say so.
            with contextlib.suppress(RayError):
                shard, count = self._ray.get(reference)
                plan = next((plan for plan in seat.flying.values() if plan.shard == shard), None)
                if plan is not None:
                    watch.works(seat.number, plan, count)

    def _results(self, seat: _Seat, ready: Any) -> list[tuple[Plan, Built | str | StorageError]]:
        """What came of the plan that is ready: its receipt, or the error of an attempt.

        If the actor died, this holds for all its plans, and the actor is replaced: those that were done before give
        their receipt, the first other one was being built and has failed an attempt, the rest ("") only waited.
        """
        from ray.exceptions import RayError

        try:
            result: Built | str | StorageError = self._ray.get(ready)
            return [(seat.flying.pop(ready), result)]
        except RayError as error:
            death = _death(error)
        self._ray.kill(seat.actor)
        results: list[tuple[Plan, Built | str | StorageError]] = []
        for reference, plan in seat.flying.items():
            try:
                results.append((plan, self._ray.get(reference)))
            except RayError:
                results.append((plan, death))
                death = ""
        self._replace(seat)
        return results

    def _hire(self, number: int) -> _Seat:
        """A new actor that is opening its builder. After a node was lost it may wait for a place; the others go on."""
        actor = self._remote.remote(self._task, os.getcwd())
        return _Seat(number, actor, actor.open.remote())

    def _replace(self, seat: _Seat) -> None:
        fresh = self._hire(seat.number)
        seat.actor, seat.opening, seat.group = fresh.actor, fresh.opening, ""
        seat.flying.clear()

    def _open(self, seat: _Seat) -> None:
        """The builder of the seat is open. An error of the builder is final; an actor that died is tried again."""
        from ray.exceptions import RayError

        try:
            problem = self._ray.get(seat.opening)
            if not problem:
                seat.opening, seat.deaths = None, 0
                return
        except RayError as error:
            problem = _death(error)
            seat.deaths += 1
            if seat.deaths < ATTEMPTS:
                self._ray.kill(seat.actor)
                self._replace(seat)
                return
        raise DbganError(f"{self._task.header.name}: no worker could start: {problem}")


def _death(error: BaseException) -> str:
    """How a worker died, in a line: killed by a signal, out of memory, its node gone."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"the worker died ({type(error).__name__}: {' '.join(lines)[:400]})"
