"""DVC gives a damaged object of its cache back unread: `dbgan corpus verify` is what tells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dbgan.corpus import Corpus


@pytest.mark.slow
def test_a_damaged_object_of_the_cache_is_found_by_verify(corpus: Path) -> None:
    root = corpus.parent
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def dvc(*arguments: str) -> None:
        subprocess.run(["dvc", *arguments], cwd=root, env=environment, check=True, capture_output=True)

    dvc("init", "-q", "--no-scm")
    dvc("add", "-q", corpus.name)
    shard = (corpus / "a-000.tar").read_bytes()
    (copy,) = [p for p in (root / ".dvc" / "cache").rglob("*") if p.is_file() and p.read_bytes() == shard]
    copy.chmod(0o644)
    copy.write_bytes(shard[:600] + bytes([shard[600] ^ 1]) + shard[601:])
    shutil.rmtree(corpus)
    dvc("checkout", "-q")
    problems = Corpus.open(corpus).verify()
    assert problems
    assert {problem.where.split(":")[0] for problem in problems} == {"a-000.tar"}
