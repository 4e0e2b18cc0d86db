"""What a corpus would take: counted, not built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dbgan.corpus.layout import Plan
from dbgan.params import SynthesizeParams
from dbgan.synthesize import Estimate, synthesize
from dbgan.synthesize.estimate import PROBES, probes, seconds_per_pair
from dbgan.synthesize.plan import Item
from tests.conftest import PROJECT
from tests.synthesize.tiny import make_source


def params(**changes: object) -> SynthesizeParams:
    values = {"sharp": ["city"], "generator": "g", "variants": 2, "shard_samples": 2, "threads": 1, **changes}
    return SynthesizeParams.model_validate(values)


def test_a_dry_run_counts_what_a_run_then_builds(datasets: Path, models: Path, tmp_path: Path) -> None:
    out = tmp_path / "syn"
    told = synthesize("syn", params(), datasets, models, out, dry_run=True)
    assert isinstance(told, Estimate)
    assert not out.exists()
    report = synthesize("syn", params(), datasets, models, out)
    assert (told.shards, told.kept, told.pairs, told.missing) == (report.built, 0, 14, 14)
    written = sum(path.stat().st_size for path in out.glob("*.tar"))
    # These pictures are so small that the tar's own blocks are most of it.
    assert 0 < told.bytes < written
    again = synthesize("syn", params(variants=3), datasets, models, out, dry_run=True)
    assert isinstance(again, Estimate)
    assert (again.kept, again.missing, again.pairs) == (report.built, 7, 21)


def test_hours_are_seconds_per_pair_over_workers(datasets: Path, models: Path, tmp_path: Path) -> None:
    mixed = params(models={"bgan": 1, "kernel": 1}, variants=6)
    told = synthesize("syn", mixed, datasets, models, tmp_path / "syn", workers=4, dry_run=True)
    assert isinstance(told, Estimate)
    assert set(told.models) == {"bgan", "kernel"}
    assert sum(told.models.values()) == told.missing == 42
    seconds = sum(told.seconds[model] * count for model, count in told.models.items())
    assert told.hours == pytest.approx(seconds / 4 / 3600)
    assert told.facts()["hours"].endswith("with 4 workers")


def test_steps_that_share_the_cores_of_a_machine_take_longer_than_the_slowest_of_them() -> None:
    kernel = params(model="kernel", generator="", threads=2, io_threads=2, variants=2)
    steps = (0.02, 0.04, 0.05)
    # 0.01 s to read, 0.04 to blur and 0.05 to encode on 2 cores; with cores to spare encoding by 2 threads decides.
    assert seconds_per_pair(steps, kernel, 2, 2, on_cpu=True) == pytest.approx(0.05)
    assert seconds_per_pair(steps, kernel, 2, 64, on_cpu=True) == pytest.approx(0.025)
    # A network takes both threads for one picture; a GPU takes none.
    network = params(threads=2, io_threads=2)
    assert seconds_per_pair((0.02, 0.4, 0.06), network, 1, 2, on_cpu=True) == pytest.approx(0.435)
    assert seconds_per_pair((0.02, 0.01, 0.06), network, 1, 2, on_cpu=False) == pytest.approx(0.035)


def test_nothing_to_do_costs_nothing(datasets: Path, models: Path, tmp_path: Path) -> None:
    synthesize("syn", params(), datasets, models, tmp_path / "syn")
    told = synthesize("syn", params(), datasets, models, tmp_path / "syn", dry_run=True)
    assert isinstance(told, Estimate)
    assert (told.missing, told.bytes, told.hours) == (0, 0, 0.0)
    assert told.facts()["models"] == "nothing to do"


def test_probes_are_spread_over_what_is_to_be_made() -> None:
    items = [Item(f"a/{n}", "s", f"a/{n}", 0, "m" if n % 2 else "other") for n in range(60)]
    chosen = probes([Plan("a-000", "a", "", tuple(items[:30])), Plan("a-001", "a", "", tuple(items[30:]))], "m")
    assert len(chosen) == PROBES
    assert [int(item.source_key[2:]) // 20 for item in chosen] == [0, 1, 2]
    assert {item.model for item in chosen} == {"m"}
    assert len(probes([Plan("a-000", "a", "", tuple(items[:3]))], "m")) == 1


def test_the_stage_prints_the_estimate_and_writes_nothing(datasets: Path, models: Path) -> None:
    values = yaml.safe_load((PROJECT / "params.yaml").read_text())
    values["synthesize"] = {"demo": {"sharp": ["demo-gopro"], "generator": "demo", "threads": 1}}
    make_source(datasets, "demo-gopro", {"street": [f"{n:03d}" for n in range(1, 8)]})
    (models / "bgan/g").rename(models / "bgan/demo")
    project = datasets.parent
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    done = subprocess.run(
        [sys.executable, "-m", "pipelines.synthesize", "demo", "--dry-run"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    facts = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert facts["pairs"] == "7, of which 7 are to be made"
    assert facts["bytes"].startswith("about 0.00 GB")
    assert not (datasets / "synthetic").exists()
