"""docs/experiments.md as written, queue included: our own params, metrics and plots, over a stage of no cost."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml

from tests.conftest import PROJECT
from tests.documents.reading import commands
from tests.documents.running import run

pytestmark = pytest.mark.slow

STAGE = """
import json, pathlib, yaml
params = yaml.safe_load(open("params.yaml"))
level = params["synthesize"]["demo"]["variants"] + params["dbgan"]["finetune"]["plus"]["mix"]
model, scores = pathlib.Path("models/dbgan/plus"), pathlib.Path("reports/compare")
for folder in (model, scores):
    folder.mkdir(parents=True, exist_ok=True)
(model / "curves.csv").write_text("step,psnr\\n1,20\\n2,%s\\n" % (20 + level))
(scores / "metrics.json").write_text(json.dumps({"plus": {"demo-gopro-test.psnr_rgb": 20 + level}}))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed project whose one stage reads the keys that the page sets, and writes what the real ones write."""
    graph = yaml.safe_load((PROJECT / "dvc.yaml").read_text())
    keys = ["synthesize.demo", "dbgan.finetune.plus"]
    outs = [{"models/dbgan/plus": {"cache": True}}, "reports/compare"]
    stage = {"cmd": "python stage.py", "deps": ["stage.py"], "params": keys, "outs": outs}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(graph | {"stages": {"train": stage}}))
    (tmp_path / "stage.py").write_text(STAGE)
    for name in ("params.yaml", ".gitignore", ".dvcignore"):
        (tmp_path / name).write_bytes((PROJECT / name).read_bytes())
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "t")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "t@example.com")
    monkeypatch.chdir(tmp_path)
    run("git init -q && dvc init -q && dvc config core.autostage true && dvc repro -q", monkeypatch)
    run("git add -A && git commit -qm first", monkeypatch)
    return tmp_path


def until_all_succeeded(monkeypatch: pytest.MonkeyPatch) -> str:
    deadline = time.monotonic() + 120
    while True:
        said = run("dvc queue status", monkeypatch)
        if not re.search(r"Queued|Running", said) and "Success" in said:
            return said
        assert "Failed" not in said, said
        assert time.monotonic() < deadline, said
        time.sleep(2)


def test_the_page_on_experiments_works_as_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: dict[str, str] = {}
    for command in commands("docs/experiments.md"):
        said[command.text] = run(command, monkeypatch)
        if command.text == "dvc queue start":
            done = until_all_succeeded(monkeypatch)
            assert {"two-variants", "less-mixed"} <= set(re.findall(r"[a-z]+-[a-z]+", done))
            # each differs from the commit by its own key alone
            changed = run("dvc params diff HEAD less-mixed", monkeypatch)
            assert "dbgan.finetune.plus.mix" in changed
            assert "synthesize.demo.variants" not in changed
        if command.text == "dvc exp apply one-variant":
            values = yaml.safe_load(Path("params.yaml").read_text())
            assert values["synthesize"]["demo"]["variants"] == 1
    assert "synthesize.demo.variants" in said["dvc params diff"]
    assert "plus.demo-gopro-test.psnr_rgb" in said["dvc metrics diff"]
    assert "failed to load some" not in said["dvc metrics diff"]
    assert "failed to load some plots" in said["dvc plots diff"]  # the page says why: this project has `plus` alone
    assert (project / "dvc_plots/index.html").is_file()
    assert "one-variant" in said["dvc exp show --only-changed"]
    assert run("dvc exp list --names-only", monkeypatch).strip() == ""
