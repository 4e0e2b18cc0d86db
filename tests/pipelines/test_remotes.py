"""Artifacts through S3: another clone pulls one corpus, checks it, trains from it, and rebuilds nothing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.pipelines.conftest import Project

pytestmark = pytest.mark.slow


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 server on this machine that has the bucket `team`."""
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("dvc_s3")
    import s3fs

    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "hunter2"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    s3fs.S3FileSystem(endpoint_url=f"http://{host}:{port}").mkdir("team")
    yield f"http://{host}:{port}"
    server.stop()


def test_a_second_clone_pulls_one_corpus_from_s3_and_trains_from_it(
    finished: Project, tmp_path: Path, bucket: str
) -> None:
    project = finished.copy(tmp_path / "project")
    project.dvc("remote", "add", "-q", "-d", "store", "s3://team/dbgan")
    project.dvc("remote", "modify", "store", "endpointurl", bucket)
    project.run("git", "commit", "-qam", "remote")
    project.dvc("push", "-q")

    project.run("git", "clone", "-q", str(project.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.dvc("pull", "-q", "datasets/train/demo-gopro", "datasets/train/demo-gopro.selection.parquet")
    assert sorted(p.name for p in (clone.root / "datasets/train").iterdir() if p.name != ".gitignore") == [
        "demo-gopro",
        "demo-gopro.selection.parquet",
    ]
    verify = [sys.executable, "-m", "dbgan", "corpus", "verify", "datasets/train/demo-gopro"]
    assert subprocess.run(verify, cwd=clone.root, capture_output=True).returncode == 0

    # the same weights as the first clone's, from this one corpus alone
    clone.run("python", "-m", "pipelines.pretrain_dbgan")
    weights = Path("models/dbgan/l1/weights.safetensors")
    assert _digest(clone.root / weights) == _digest(project.root / weights)

    clone.dvc("pull", "-q", "--allow-missing")
    assert "changed" not in clone.dvc("repro", "--allow-missing", "--dry").lower()
    secrets = [p for p in clone.root.rglob("*") if p.is_file() and b"hunter2" in p.read_bytes()]
    assert secrets == []
    assert "hunter2" not in yaml.safe_dump(clone.locked())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
