"""The Ray cluster that a command works on: that of `RAY_ADDRESS`, or one of its own, quiet and for itself alone."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dbgan.errors import DbganError, require


@contextlib.contextmanager
def connected(verb: str, cpus: int) -> Iterator[Any]:
    """The `ray` module, connected; disconnected at the end if this connected it.

    Args:
        verb: what needs it, to name in an error: "building with 4 workers".
        cpus: CPUs wanted in all. In a cluster of our own they are bookkeeping: who asks for more workers than there
            are cores gets them, slower.

    Raises:
        MissingPackageError: ray is not installed.
        DbganError: there is no cluster at `RAY_ADDRESS`, or it refuses this process.
    """
    require("ray", verb)
    # Set before the import: Ray reads it then. Its start-up should not report to anyone.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    started = not ray.is_initialized()
    if started:
        # No dashboard: it would listen on a port that nobody asked for.
        options: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
        if not os.environ.get("RAY_ADDRESS"):
            # Told, because Ray would look for a cluster on this machine by itself, and refuse the number of CPUs there.
            options |= {"address": "local", "num_cpus": max(os.cpu_count() or 1, cpus)}
        _init(ray, options)
    try:
        yield ray
    finally:
        if started:
            ray.shutdown()


def _init(ray: Any, options: Mapping[str, Any]) -> None:
    address = os.environ.get("RAY_ADDRESS")
    try:
        ray.init(**options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        if not address:
            raise
        cause = str(error.__cause__ or error.__context__ or error).strip().splitlines()[-1]
        raise DbganError(
            f"RAY_ADDRESS={address}: expected a Ray cluster that takes this process, found none "
            f"({error}: {cause[:300]}).\n"
            "Next: `ray status` here; RAY_AUTH_MODE=token where the cluster asks for a token (docs/cluster.md)."
        ) from None


def require_room(ray: Any, workers: int, cpus: int, gpus: float) -> int:
    """How many workers of `cpus` and `gpus` each the cluster can hold; `DbganError` where fewer than `workers`.

    Ray itself would only warn and wait.
    """
    room = slots([node["Resources"] for node in ray.nodes() if node["Alive"]], cpus, gpus)
    if room < max(1, workers):
        raise DbganError(_refusal(workers, cpus, gpus, room, ray.cluster_resources()))
    return room


def slots(nodes: Sequence[Mapping[str, float]], cpus: float, gpus: float) -> int:
    """How many workers of `cpus` and `gpus` each the nodes can hold. A worker never spans nodes.

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
