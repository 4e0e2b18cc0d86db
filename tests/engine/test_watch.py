"""What a build tells: progress with the state of workers, metrics at the end."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path

import pytest

from dbgan.corpus.layout import Finished
from dbgan.engine import build as engine_build
from dbgan.engine import build_corpus
from dbgan.engine.watch import Watch, metrics, metrics_file
from dbgan.engine.worker import Built
from dbgan.errors import DbganError, StorageError
from dbgan.progress import Progress
from tests.corpus.tiny import HEADER, TinyBuilder, plan, plans


def built(shard: str, wall_s: float, **busy_s: float) -> Built:
    return Built(Finished(shard, "a", "r", 1, "d", 2, 0, "a/1"), wall_s, busy_s)


def test_samples_of_a_failed_attempt_are_taken_back() -> None:
    bar = Progress("t", 4)
    watch, shard = Watch(bar, 2), plan("a", {"1": 1, "2": 2})
    watch.works(0, shard, 1)
    watch.again()
    watch.works(1, shard, 0)
    assert (watch.samples, bar.done, watch.retries) == (0, 0, 1)
    watch.works(1, shard, 1)
    watch.ended(1, shard, built("a-000", 2.0))
    assert (watch.samples, bar.done, watch.shards) == (2, 2, 1)
    assert watch.state[1] == "a-000 done"


def test_utilisation_is_busy_seconds_of_the_seconds_on_shards() -> None:
    watch = Watch()
    watch.ended(0, plan("a", {"1": 1}), built("a-000", 4.0, make=3.8, read=1.0))
    watch.ended(1, plan("b", {"1": 1}), built("b-000", 6.0, make=5.2, write=0.5))
    told = metrics(watch, name="c", workers=2, reused=1, failed=0)
    assert told["utilisation"] == {"make": 0.9, "read": 0.1, "write": 0.05}
    assert (told["samples"], told["shards_built"], told["shards_reused"]) == (2, 2, 1)


def test_a_build_leaves_its_metrics_beside_and_not_in_the_corpus(tmp_path: Path) -> None:
    out = tmp_path / "c"
    build_corpus(out, HEADER, TinyBuilder(), plans())
    told = json.loads(metrics_file(out).read_text())
    assert (told["corpus"], told["samples"], told["shards_built"], told["retries"]) == ("tiny", 7, 4, 0)
    assert told["busy_s"]["write"] > 0
    assert not list(out.glob("*builds*"))


def test_metrics_count_retries_and_failures(tmp_path: Path) -> None:
    with pytest.raises(DbganError, match="1 shards failed"):
        build_corpus(tmp_path / "c", HEADER, TinyBuilder(poison="b-000"), plans())
    told = json.loads(metrics_file(tmp_path / "c").read_text())
    assert (told["retries"], told["shards_failed"], told["shards_built"]) == (2, 1, 3)


# The rehearsal.


def test_a_rehearsal_changes_no_byte_and_leaves_nothing(tmp_path: Path) -> None:
    from dbgan.files import state_dir
    from tests.corpus.tiny import contents

    build_corpus(tmp_path / "plain", HEADER, TinyBuilder(), plans())
    build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans(), rehearse=True)
    assert contents(tmp_path / "c") == contents(tmp_path / "plain")
    assert list((state_dir() / "rehearsal").iterdir()) == []


def test_one_broken_plan_does_not_stop_a_rehearsed_build(tmp_path: Path) -> None:
    with pytest.raises(DbganError, match="1 shards failed 3 times; 3 shards are finished and kept"):
        build_corpus(tmp_path / "c", HEADER, TinyBuilder(poison="a-000"), plans(), rehearse=True)


def test_where_every_rehearsed_plan_fails_nothing_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: TinyBuilder, shard: object) -> object:
        raise ValueError("no such device")

    monkeypatch.setattr(TinyBuilder, "_build", broken)
    with pytest.raises(DbganError, match=r"single samples of 3 shards(.|\n)*a-000: ValueError: no such device"):
        build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans(), rehearse=True)
    assert not list((tmp_path / "c").glob("*.tar"))


def test_a_disk_without_room_is_told_before_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(engine_build.shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(StorageError, match=r"7 samples of about 0.01 MB each(.|\n)*nothing was built yet"):
        build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans(), rehearse=True)
    assert not list((tmp_path / "c").glob("*.tar"))
