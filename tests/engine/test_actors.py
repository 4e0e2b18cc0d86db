"""The engine on Ray: the same bytes, whatever is killed."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from dbgan.cluster import slots
from dbgan.corpus import receipts
from dbgan.corpus.layout import EncodedSample, Plan, Reject
from dbgan.engine import build_corpus
from dbgan.engine.actors import ray_pool
from dbgan.engine.watch import Watch
from dbgan.engine.worker import Task
from dbgan.errors import DbganError
from tests.corpus.tiny import HEADER, TinyBuilder, contents, plans, sample


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, bytes]:
    """The files of a corpus that was built in this process, without trouble."""
    build_corpus(tmp_path / "undisturbed", HEADER, TinyBuilder(), plans())
    return contents(tmp_path / "undisturbed")


def test_slots_never_span_nodes() -> None:
    nodes = [{"CPU": 3.0}, {"CPU": 3.0, "GPU": 1.0}]
    assert slots(nodes, 2, 0) == 2
    assert slots(nodes, 4, 0) == 0
    assert slots(nodes, 1, 0.5) == 2
    assert slots(nodes, 1, 0.1) == 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """One Ray for the module: starting it costs seconds."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed")
    import ray

    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield ray
    ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_two_ray_workers_build_the_bytes_of_this_process(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    report = build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans(), workers=2)
    assert report.built == 4
    assert contents(tmp_path / "c") == undisturbed


@pytest.mark.usefixtures("cluster")
def test_a_ray_worker_killed_in_the_middle_of_a_shard_is_replaced_and_the_bytes_are_the_same(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    marker = tmp_path / "killed"
    build_corpus(tmp_path / "c", HEADER, TinyBuilder(killer="a-000", marker=marker), plans(), workers=2)
    assert marker.exists()
    assert contents(tmp_path / "c") == undisturbed


@pytest.mark.usefixtures("cluster")
def test_a_plan_that_always_kills_its_ray_worker_takes_no_other_with_it(tmp_path: Path) -> None:
    out = tmp_path / "c"
    builder = TinyBuilder(killer="a-000", marker=tmp_path / "killed", always=True)
    with pytest.raises(
        DbganError, match=r"1 shards failed 3 times; 3 shards are finished and kept.\n  a-000: the worker"
    ):
        build_corpus(out, HEADER, builder, plans(), workers=2)
    assert sorted(receipts.finished(out)) == ["a-001", "b-000", "c-000"]
    assert not list(out.glob(".*.partial"))


class _Hasty:
    """Begins the next plan before one is done, as `dbgan.synthesize` does: what kills there kills here."""

    def __init__(self, builder: HastyBuilder) -> None:
        self._builder = builder

    def __call__(self, shard: Plan) -> Iterator[EncodedSample | Reject]:
        if shard.shard == self._builder.killer:
            time.sleep(0.5)  # the plan before has told its driver that it is done
            os.kill(os.getpid(), signal.SIGKILL)
        yield from self._builder._build(shard)
        deadline = time.monotonic() + 0.5
        while (ahead := self._upcoming()) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        if ahead is not None:
            with (self._builder.log / shard.shard).open("a") as told:
                told.write(f"{ahead.shard} ")
            if ahead.shard == self._builder.killer:
                os.kill(os.getpid(), signal.SIGKILL)

    def foresee(self, upcoming: Callable[[], Plan | None]) -> None:
        self._upcoming = upcoming

    def forget(self) -> None:
        pass


@dataclass(frozen=True)
class HastyBuilder(TinyBuilder):
    """A builder of `_Hasty`; it notes in `log` which plan was foreseen at which."""

    log: Path = Path()

    def open(self) -> Callable[[Plan], Iterator[EncodedSample | Reject]]:
        return _Hasty(self)


@pytest.mark.usefixtures("cluster")
def test_a_plan_that_kills_when_it_is_begun_early_takes_no_other_with_it(tmp_path: Path) -> None:
    out = tmp_path / "c"
    (out / ".receipts").mkdir(parents=True)
    task = Task(HastyBuilder(killer="b-000", log=tmp_path), HEADER, "", 1, tmp_path / "lock")
    with ray_pool(task, 1, 0, 4) as pool:
        made, failed = pool.run(out, plans(), Watch())
    assert (sorted(made), sorted(failed)) == (["a-000", "a-001", "c-000"], ["b-000"])
    told = {shard: (tmp_path / shard).read_text().split() for shard in ("a-000", "a-001")}
    assert told == {"a-000": ["a-001"], "a-001": ["b-000"]}, "after the death a-001 was built alone"


@pytest.mark.usefixtures("cluster")
def test_a_plan_that_raises_on_ray_gives_the_message_of_the_serial_engine(tmp_path: Path) -> None:
    messages = []
    for workers in (1, 2):
        with pytest.raises(DbganError) as failure:
            build_corpus(tmp_path / str(workers), HEADER, TinyBuilder(poison="b-000"), plans(), workers=workers)
        messages.append(str(failure.value))
    assert messages[0] == messages[1]


@pytest.mark.usefixtures("cluster")
def test_a_request_the_cluster_can_never_satisfy_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(DbganError, match=r"2 workers of 1 CPUs and 1 GPUs each were asked for; the cluster has 2 CPUs"):
        build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans(), workers=2, gpus_per_worker=1)


def _build_on_ray_and_die(out: Path, state: str, marker: Path) -> None:
    os.environ["DBGAN_STATE"] = state
    builder = TinyBuilder(killer="a-000", marker=marker, victim=os.getpid())
    build_corpus(out, HEADER, builder, plans(), workers=2)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_the_whole_command_killed_on_ray_and_started_again_equals_undisturbed(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    out, marker = tmp_path / "c", tmp_path / "killed"
    child = multiprocessing.get_context("spawn").Process(
        target=_build_on_ray_and_die, args=(out, os.environ["DBGAN_STATE"], marker)
    )
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert not (out / "manifest.parquet").exists()
    build_corpus(out, HEADER, TinyBuilder(), plans(), workers=2)
    assert contents(out) == undisturbed


def _refused_by_the_cluster(out: Path, address: str, answer: object) -> None:
    os.environ["RAY_ADDRESS"] = address
    try:
        build_corpus(out, HEADER, TinyBuilder(), plans(), workers=3)
    except DbganError as error:
        answer.put(str(error))


@pytest.mark.slow
def test_ray_address_names_the_cluster_that_is_used(tmp_path: Path, cluster: Any) -> None:
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    address = cluster.get_runtime_context().gcs_address
    child = context.Process(target=_refused_by_the_cluster, args=(tmp_path / "c", address, answer))
    child.start()
    # A cluster of its own would have had room for three.
    assert "3 workers of 1 CPUs each were asked for; the cluster has 2 CPUs" in answer.get(timeout=120)
    child.join()
    assert cluster.is_initialized()


@dataclass(frozen=True)
class EndlessBuilder(TinyBuilder):
    """Writes a sample that fills the writer's buffer, and then works for ever."""

    def open(self) -> Callable[[Plan], Iterator[EncodedSample | Reject]]:
        return self._endless

    def _endless(self, shard: Plan) -> Iterator[EncodedSample | Reject]:
        made = sample(f"{shard.sequence}/001", 1)
        yield replace(made, fields={**made.fields, "blur": made.fields["blur"] + bytes(1 << 20)})
        time.sleep(600)


def _build_endlessly(out: Path, state: str, address: str) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ |= {"DBGAN_STATE": state, "RAY_ADDRESS": address}
    with contextlib.suppress(KeyboardInterrupt):
        build_corpus(out, HEADER, EndlessBuilder(), plans(), workers=2)


@pytest.mark.slow
def test_ctrl_c_on_ray_leaves_no_half_written_shard(tmp_path: Path, cluster: Any) -> None:
    out = tmp_path / "c"
    arguments = (out, os.environ["DBGAN_STATE"], cluster.get_runtime_context().gcs_address)
    child = multiprocessing.get_context("spawn").Process(target=_build_endlessly, args=arguments)
    child.start()
    deadline = time.monotonic() + 120
    while len(list(out.glob(".*.partial"))) < 2:
        assert child.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGINT)
    child.join(60)
    assert child.exitcode == 0
    assert [path.name for path in out.iterdir()] == [".receipts"]
    assert not list((out / ".receipts").iterdir())
