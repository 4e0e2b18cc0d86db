"""The engine on a cluster: a node is killed, GPUs are counted, any number of actors gives the same bytes."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dbgan.cluster import connected
from dbgan.corpus.layout import EncodedSample, Plan, Reject
from dbgan.engine import build_corpus
from dbgan.engine.actors import _Waiting
from dbgan.engine.watch import metrics_file
from dbgan.errors import DbganError
from tests.corpus.tiny import HEADER, TinyBuilder, contents, plan

PLANS = [plan(f"s{n}", {f"{frame:03d}": 10 * n + frame for frame in range(1, 5)}) for n in range(12)]


@dataclass(frozen=True)
class SlowBuilder(TinyBuilder):
    """Takes its time, and notes in `log` which processes began a plan."""

    pause_s: float = 0.0
    log: Path | None = None

    def open(self) -> Callable[[Plan], Iterator[EncodedSample | Reject]]:
        return self.slowly

    def slowly(self, shard: Plan) -> Iterator[EncodedSample | Reject]:
        if self.log is not None:
            (self.log / str(os.getpid())).touch()
        for sample in self._build(shard):
            time.sleep(self.pause_s)
            yield sample


@pytest.fixture
def serial(tmp_path: Path) -> dict[str, bytes]:
    build_corpus(tmp_path / "serial", HEADER, TinyBuilder(), PLANS)
    return contents(tmp_path / "serial")


def test_plans_of_a_group_stay_with_a_worker_until_others_idle() -> None:
    def grouped(shard: str, group: str) -> Plan:
        return Plan(shard, "s", "r", (), group)

    waiting = _Waiting([grouped(f"{name}{n}", name) for name in "ab" for n in range(3)])
    assert waiting.take("", set()).shard == "a0"
    assert waiting.take("", {"a"}).shard == "b0"
    assert waiting.take("a", {"b"}).shard == "a1"
    waiting.put_back(grouped("b0", "b"))
    assert waiting.take("b", {"a"}).shard == "b0"
    assert waiting.take("a", {"b"}).shard == "a2"
    assert waiting.take("a", {"b"}).shard == "b1", "nothing else is left: another's group is shared"
    assert waiting.take("b", {"b"}).shard == "b2"
    assert not waiting


def test_a_cluster_that_is_not_there_or_refuses_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**options: Any) -> None:
        raise ConnectionError("Failed to connect to Ray cluster") from RuntimeError("a\nInvalidAuthToken: missing")

    monkeypatch.setattr(_needs_ray(), "init", init)
    monkeypatch.setenv("RAY_ADDRESS", "192.0.2.1:6379")
    wanted = (
        r"RAY_ADDRESS=192.0.2.1:6379: expected a Ray cluster .*Failed to connect.*InvalidAuthToken(.|\n)*Next: `ray"
    )
    with pytest.raises(DbganError, match=wanted), connected("a test", 1):
        pass
    monkeypatch.delenv("RAY_ADDRESS")
    with pytest.raises(ConnectionError), connected("a test", 1):
        pass


def _needs_ray() -> Any:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed")
    import ray

    return ray


@pytest.fixture
def started() -> Iterator[Any]:
    ray = _needs_ray()
    ray.init(
        address="local",
        num_cpus=4,
        num_gpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield ray
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.usefixtures("started")
def test_any_number_of_actors_makes_the_bytes_of_this_process_also_resumed_and_on_counted_gpus(
    tmp_path: Path, serial: dict[str, bytes]
) -> None:
    build_corpus(tmp_path / "four", HEADER, TinyBuilder(), PLANS, workers=4)
    assert contents(tmp_path / "four") == serial
    with pytest.raises(DbganError, match="1 shards failed"):
        build_corpus(tmp_path / "two", HEADER, TinyBuilder(poison="s3-000"), PLANS, workers=2)
    assert build_corpus(tmp_path / "two", HEADER, TinyBuilder(), PLANS, workers=4).reused == 11
    assert contents(tmp_path / "two") == serial
    # CPU builders, but as many actors as there are GPUs to hand out: shares of them, and one for each.
    build_corpus(tmp_path / "shares", HEADER, TinyBuilder(), PLANS, workers=4, gpus_per_worker=0.5)
    build_corpus(tmp_path / "each", HEADER, TinyBuilder(), PLANS, workers=0, gpus_per_worker=1)
    assert contents(tmp_path / "shares") == contents(tmp_path / "each") == serial
    with pytest.raises(DbganError, match=r"3 workers of 1 CPUs and 1 GPUs each .* can hold 2"):
        build_corpus(tmp_path / "more", HEADER, TinyBuilder(), PLANS, workers=3, gpus_per_worker=1)


@pytest.mark.slow
def test_a_node_that_dies_costs_its_plans_an_attempt_and_no_byte(tmp_path: Path, serial: dict[str, bytes]) -> None:
    ray = _needs_ray()
    from ray.cluster_utils import Cluster

    # By default a silent node is given up after half a minute.
    impatient = {"health_check_period_ms": 1000, "health_check_timeout_ms": 1000, "health_check_failure_threshold": 4}
    head = {"num_cpus": 1, "include_dashboard": False, "_system_config": impatient}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        log = tmp_path / "log"
        log.mkdir()

        def kill() -> None:
            deadline = time.monotonic() + 60
            while len(list(log.iterdir())) < 3 and time.monotonic() < deadline:
                time.sleep(0.02)
            cluster.remove_node(nodes[-1], allow_graceful=False)

        killer = threading.Thread(target=kill)
        killer.start()
        build_corpus(tmp_path / "c", HEADER, SlowBuilder(pause_s=0.4, log=log), PLANS, workers=3)
        killer.join()
        assert json.loads(metrics_file(tmp_path / "c").read_text())["retries"] >= 1, "no plan was lost with the node"
        assert contents(tmp_path / "c") == serial
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.mark.slow
def test_a_cluster_that_somebody_else_runs_on_this_machine_is_left_alone() -> None:
    """Ray by itself connects to the one it finds, and then refuses the number of CPUs that we ask for."""
    _needs_ray()
    code = (
        "from dbgan.cluster import connected\nwith connected('a test', 3) as ray: print(ray.cluster_resources()['CPU'])"
    )
    # Ray's sockets lie below, and their names may have 107 characters: no folder of pytest's is short enough.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        found = Path(folder) / "ray/ray_current_cluster"
        found.parent.mkdir()
        found.write_text("192.0.2.1:6379")
        environment = {**os.environ, "RAY_TMPDIR": folder}
        environment.pop("RAY_ADDRESS", None)
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert float(done.stdout) >= 3, done.stderr
