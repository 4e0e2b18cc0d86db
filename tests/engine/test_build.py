"""The engine in this process: reuse, kills, failures, the lock, threads."""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dbgan.corpus import receipts
from dbgan.engine import build_corpus
from dbgan.engine.lock import locked
from dbgan.errors import DbganError, MissingPackageError
from tests.corpus.tiny import HEADER, TinyBuilder, contents, plan, plans

STATE_FILES = ("README.md", "corpus.json", "croissant.json", "manifest.parquet", "rejects.parquet", "shards.parquet")


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, bytes]:
    """The files of a corpus that was built without trouble."""
    build_corpus(tmp_path / "undisturbed", HEADER, TinyBuilder(), plans())
    return contents(tmp_path / "undisturbed")


def test_a_build_leaves_the_tars_the_tables_and_nothing_else(tmp_path: Path) -> None:
    report = build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans())
    assert sorted(contents(tmp_path / "c")) == sorted([*STATE_FILES, "a-000.tar", "a-001.tar", "b-000.tar"])
    assert (report.built, report.reused, report.removed, report.samples, report.rejects) == (4, 0, 0, 5, 2)


def test_the_line_that_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans())
    assert "tiny: 4 shards built, 0 reused, 0 removed; 5 samples, 2 rejects\n" in capsys.readouterr().out


def test_building_again_rewrites_no_file(tmp_path: Path) -> None:
    out = tmp_path / "c"
    build_corpus(out, HEADER, TinyBuilder(), plans())
    before = {path: path.stat().st_ino for path in out.iterdir()}
    report = build_corpus(out, HEADER, TinyBuilder(poison="a-000"), plans())
    assert (report.built, report.reused) == (0, 4)
    assert {path: path.stat().st_ino for path in out.iterdir()} == before


def test_adding_a_plan_reuses_every_other_shard(tmp_path: Path) -> None:
    out = tmp_path / "c"
    build_corpus(out, HEADER, TinyBuilder(), plans()[:3])
    inodes = {path: path.stat().st_ino for path in out.glob("*.tar")}
    report = build_corpus(out, HEADER, TinyBuilder(), [*plans(), plan("bb", {"001": 70})])
    assert (report.built, report.reused, report.removed) == (2, 3, 0)
    assert {path: path.stat().st_ino for path in inodes} == inodes


def test_a_changed_recipe_rebuilds_that_shard_alone(tmp_path: Path) -> None:
    out = tmp_path / "c"
    build_corpus(out, HEADER, TinyBuilder(), plans())
    report = build_corpus(out, HEADER, TinyBuilder(), [*plans()[:2], plan("b", {"001": 51, "002": 60}), plans()[3]])
    assert (report.built, report.reused) == (1, 3)


def test_shards_that_no_plan_names_are_removed(tmp_path: Path) -> None:
    out, fresh = tmp_path / "c", tmp_path / "fresh"
    build_corpus(out, HEADER, TinyBuilder(), plans())
    report = build_corpus(out, HEADER, TinyBuilder(), plans()[:1])
    assert (report.reused, report.removed) == (1, 3)
    build_corpus(fresh, HEADER, TinyBuilder(), plans()[:1])
    assert contents(out) == contents(fresh)


def test_a_tar_of_another_size_is_built_again(tmp_path: Path, undisturbed: dict[str, bytes]) -> None:
    out = tmp_path / "c"
    build_corpus(out, HEADER, TinyBuilder(), plans())
    (out / "b-000.tar").write_bytes(b"cut")
    assert build_corpus(out, HEADER, TinyBuilder(), plans()).built == 1
    assert contents(out) == undisturbed


def test_a_read_only_tar_shared_with_a_cache_is_replaced_and_not_written_into(tmp_path: Path) -> None:
    out = tmp_path / "c"
    build_corpus(out, HEADER, TinyBuilder(), plans())
    cached = tmp_path / "cache"
    os.link(out / "b-000.tar", cached)
    cached.chmod(0o444)
    before = cached.read_bytes()
    build_corpus(out, HEADER, TinyBuilder(), [*plans()[:2], plan("b", {"001": 99})])
    assert cached.read_bytes() == before
    assert (out / "b-000.tar").read_bytes() != before


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "holiday.tar").write_bytes(b"mine")
    with pytest.raises(DbganError, match=r"expected an empty folder or a corpus, found other files \(holiday.tar\)"):
        build_corpus(tmp_path, HEADER, TinyBuilder(), plans())
    assert contents(tmp_path) == {"holiday.tar": b"mine"}


def test_captures_are_never_replaced_by_synthesized_pairs_nor_these_by_captures(tmp_path: Path) -> None:
    synthesized = replace(HEADER, synthesized=True)
    for name, before, after in (("c", HEADER, synthesized), ("s", synthesized, HEADER)):
        build_corpus(tmp_path / name, before, TinyBuilder(), plans() if before is HEADER else [])
        whole = contents(tmp_path / name)
        with pytest.raises(DbganError, match=rf"{name}: expected a new folder or a corpus .*\nNext: choose"):
            build_corpus(tmp_path / name, after, TinyBuilder(), [])
        assert contents(tmp_path / name) == whole


def test_two_plans_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DbganError, match="two plans have the shard name 'A-000'"):
        build_corpus(tmp_path / "c", HEADER, TinyBuilder(), [plan("a", {"1": 1}), plan("A", {"1": 1})])


def test_a_plan_that_always_raises_is_named_after_three_attempts_and_the_others_finish(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    out = tmp_path / "c"
    with pytest.raises(DbganError) as failure:
        build_corpus(out, HEADER, TinyBuilder(poison="a-001"), plans())
    message = str(failure.value)
    assert "1 shards failed 3 times; 3 shards are finished and kept" in message
    assert "a-001: ValueError: frame 004 is poisoned (tiny.py:" in message
    assert sorted(receipts.finished(out)) == ["a-000", "b-000", "c-000"]
    assert not (out / "manifest.parquet").exists()
    report = build_corpus(out, HEADER, TinyBuilder(), plans())
    assert (report.built, report.reused) == (1, 3)
    assert contents(out) == undisturbed


# Kills. The child counts its own file operations in the corpus and kills itself just before the n-th.

CHANGES = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.chmod")


def _die_before_every_operation(start: Path, folder: Path, state: str) -> None:
    """For n = 1, 2, ... a copy of `start` in `folder`/n, and a build of it that is killed before its n-th operation."""
    import pandas  # noqa: F401  # pyarrow would import it in every child

    os.environ["DBGAN_STATE"] = state
    os.fsync = lambda descriptor: None
    for n in range(1, 200):
        out = folder / str(n)
        shutil.copytree(start, out)
        child = os.fork()
        if child == 0:
            _die_before(n, str(out))
            build_corpus(out, HEADER, TinyBuilder(), plans())
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


def _die_before(n: int, out: str) -> None:
    seen = 0

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in CHANGES and out in str(arguments[0]):
            seen += 1
            if seen == n:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


@pytest.mark.slow
def test_killed_before_any_file_operation_and_resumed_equals_undisturbed(
    tmp_path: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # matters to power cuts only, and costs most of the time
    # An earlier build has a shard to reuse, one to rebuild, one to remove: kills meet folded and new receipts.
    earlier = [plans()[0], plan("b", {"001": 1, "002": 2}), plan("z", {"001": 3})]
    build_corpus(tmp_path / "start", HEADER, TinyBuilder(), earlier)
    killed = tmp_path / "killed"
    killed.mkdir()
    # A fresh process without threads may fork; this one has those of pyarrow.
    nursery = multiprocessing.get_context("spawn").Process(
        target=_die_before_every_operation, args=(tmp_path / "start", killed, os.environ["DBGAN_STATE"])
    )
    nursery.start()
    nursery.join()
    assert nursery.exitcode == 0
    moments = sorted(killed.iterdir(), key=lambda folder: int(folder.name))
    assert contents(moments.pop()) == undisturbed, "the last one was not killed"
    assert len(moments) > 20
    for folder in moments:
        build_corpus(folder, HEADER, TinyBuilder(), plans())
        assert contents(folder) == undisturbed, f"killed before operation {folder.name}"


def test_killed_between_a_new_tar_and_its_receipt_the_old_receipt_is_not_believed(tmp_path: Path) -> None:
    out = tmp_path / "c"
    build_corpus(out, HEADER, TinyBuilder(), [plan("b", {"001": 1})])
    before = contents(out)
    # Same size, other content: only the retracted receipt tells them apart.
    receipts.retract(out, "b-000")
    replaced = bytearray(before["b-000.tar"])
    replaced[700] ^= 1
    (out / "b-000.tar").write_bytes(bytes(replaced))
    assert build_corpus(out, HEADER, TinyBuilder(), [plan("b", {"001": 1})]).built == 1
    assert contents(out) == before


# The lock.


def _hold(out: Path, state: str, ready: object, release: object) -> None:
    os.environ["DBGAN_STATE"] = state
    with locked(out, "tiny", synthesized=False):
        ready.set()
        release.wait(30)


def test_a_second_build_of_the_same_folder_names_the_first(tmp_path: Path) -> None:
    out = (tmp_path / "c").resolve()
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    child = context.Process(target=_hold, args=(out, os.environ["DBGAN_STATE"], ready, release))
    child.start()
    assert ready.wait(30)
    try:
        with pytest.raises(DbganError, match=rf"process {child.pid} .* is building this corpus \(tiny\) right now"):
            build_corpus(out, HEADER, TinyBuilder(), plans())
    finally:
        release.set()
        child.join()
    assert build_corpus(out, HEADER, TinyBuilder(), plans()).built == 4


def test_a_build_of_the_same_folder_from_another_project_is_noticed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its `.dbgan/` is another; the temporary file of the build that runs is left alone."""
    out = tmp_path / "c"
    with locked(out.resolve(), "tiny", synthesized=False):
        (out / ".a-000.tar.1.partial").write_bytes(b"being written")
        monkeypatch.setenv("DBGAN_STATE", str(tmp_path / "other"))
        with pytest.raises(DbganError, match=r"a process that was started in another folder is building this corpus"):
            build_corpus(out, HEADER, TinyBuilder(), plans())
        assert (out / ".a-000.tar.1.partial").exists()
    assert build_corpus(out, HEADER, TinyBuilder(), plans()).built == 4


# Threads and packages.


class _Torch:
    """What the engine asks of torch."""

    threads = 7

    def get_num_threads(self) -> int:
        return self.threads

    def set_num_threads(self, threads: int) -> None:
        self.threads = threads


def test_torch_computes_on_the_threads_of_the_recipe_and_is_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch, seen = _Torch(), []
    monkeypatch.setitem(sys.modules, "torch", torch)
    original = TinyBuilder._build
    monkeypatch.setattr(TinyBuilder, "_build", lambda self, p: seen.append(torch.threads) or original(self, p))
    build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans(), threads=3)
    assert seen == [3] * 4
    assert torch.threads == 7


def test_without_ray_this_process_builds_and_more_workers_say_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name, *rest))
    with pytest.raises(MissingPackageError, match="building with 2 workers needs the package 'ray'"):
        build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans(), workers=2)
    assert build_corpus(tmp_path / "c", HEADER, TinyBuilder(), plans()).built == 4
