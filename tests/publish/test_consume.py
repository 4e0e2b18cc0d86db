"""docs/consume.md as a stranger would follow it: every snippet runs, in order, in a folder with a published corpus."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dbgan.corpus import Corpus
from dbgan.publish.folder import publish
from tests import tiny_corpora
from tests.conftest import PROJECT
from tests.documents.reading import blocks
from tests.publish.test_publish import params_with
from tests.tiny_corpora import Tiny

SNIPPETS = [(block.kind, block.text) for block in blocks("docs/consume.md") if block.kind in ("sh", "python")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that holds `published/demo`."""
    project = tmp_path / "project"
    rng = np.random.default_rng(0)
    samples = [
        Tiny(f"s/{k}", {field: rng.integers(0, 256, (24, 32, 3), dtype=np.uint8) for field in ("blur", "sharp")})
        for k in range(4)
    ]
    tiny_corpora.write(project / "datasets/train/demo-gopro", "paired", samples)
    (project / "reports/leaks").mkdir(parents=True)
    (project / "reports/leaks/passed.json").write_text("{}")
    work = tmp_path / "work"
    work.mkdir()
    publish("demo-gopro", params_with(project), project, work / "published/demo")
    monkeypatch.chdir(work)
    return work


def run(kind: str, code: str) -> None:
    """A shell snippet in a shell, or a Python snippet in a process of its own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(PROJECT), "HF_DATASETS_OFFLINE": "1"}
    command = [sys.executable, "-c", code] if kind == "python" else ["bash", "-euc", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"


HERE = [(kind, code) for kind, code in SNIPPETS if "s3://" not in code and "dvc get" not in code]


@pytest.mark.slow
def test_the_snippets_that_need_no_server_run_as_written(folder: Path) -> None:
    assert len(HERE) == len(SNIPPETS) - 2
    for kind, code in HERE:
        run(kind, code)
    assert (folder / "exported").is_dir()


@pytest.mark.slow
def test_the_snippet_that_reads_from_a_bucket_runs_as_written(folder: Path, s3: str) -> None:
    import s3fs

    system = s3fs.S3FileSystem(endpoint_url=s3)
    system.makedirs("corpora", exist_ok=True)
    system.put(str(folder / "published/demo"), "corpora/demo", recursive=True)
    ((kind, code),) = [snippet for snippet in SNIPPETS if "s3://" in snippet[1]]
    run(kind, code + "assert len(corpus) == 4 and corpus[0].images\n")


@pytest.mark.slow
def test_dvc_get_brings_one_corpus_out_of_a_repository(folder: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.rmtree(project / "reports")
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (
        ["git", "init", "-q"],
        ["dvc", "init", "-q"],
        ["dvc", "remote", "add", "-q", "-d", "store", str(tmp_path / "store")],
        ["dvc", "add", "-q", "datasets/train/demo-gopro"],
        ["dvc", "push", "-q"],
        ["git", "add", "-A"],
        ["git", *who, "commit", "-qm", "a corpus"],
    ):
        subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True)
    ((kind, code),) = [snippet for snippet in SNIPPETS if "dvc get" in snippet[1]]
    run(kind, code.replace("ADDRESS_OF_THE_REPOSITORY", str(project)))
    assert Corpus.open(folder / "demo-gopro").verify() == []
