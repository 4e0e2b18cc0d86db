"""A copy of the project at toy size, with its own git and DVC, to run `dvc` in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbgan import locks

PROJECT = Path(__file__).resolve().parent.parent.parent
COPIED = ("dbgan", "pipelines", "datasets", "dvc.yaml", "params.yaml", ".gitignore", ".dvcignore", ".dvc")


@dataclass(frozen=True)
class Project:
    """A project folder and the commands of its user."""

    root: Path

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the project; on an unexpected failure the test shows its whole output."""
        environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DVC_NO_ANALYTICS": "1",
            "GIT_AUTHOR_NAME": "t",
            "GIT_AUTHOR_EMAIL": "t@example.com",
            "GIT_COMMITTER_NAME": "t",
            "GIT_COMMITTER_EMAIL": "t@example.com",
            "PYTHONPATH": "",
        }
        environment.pop("DBGAN_STATE", None)
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} exited {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def dvc(self, *arguments: str, check: bool = True) -> str:
        """stdout and stderr of `dvc ...`."""
        done = self.run("dvc", *arguments, check=check)
        return done.stdout + done.stderr

    def repro(self) -> set[str]:
        """`dvc repro`; the names of the stages that ran (and were not skipped or restored)."""
        output = self.dvc("repro")
        return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")}

    def params(self) -> dict[str, Any]:
        """params.yaml as a dict."""
        values: dict[str, Any] = yaml.safe_load((self.root / "params.yaml").read_text())
        return values

    def write_params(self, values: dict[str, Any]) -> None:
        """Write params.yaml."""
        (self.root / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))

    def locked(self) -> dict[str, dict[str, str]]:
        """stage -> {out path: digest} from dvc.lock."""
        lock = yaml.safe_load((self.root / "dvc.lock").read_text())["stages"]
        return {name: {out["path"]: out["md5"] for out in stage["outs"]} for name, stage in lock.items()}

    def copy(self, target: Path) -> Project:
        """A copy of everything, caches included."""
        shutil.copytree(self.root, target, symlinks=True)
        return Project(target)


def toy(values: dict[str, Any]) -> dict[str, Any]:
    """The demo's params, shrunk until a stage costs little more than its imports."""
    values["samples"]["demo"] |= {"width": 96, "height": 64, "frames_per_sequence": 2, "captures_per_phone": 6}
    values["samples"]["demo"] |= {"phone_pairs": 2}
    for source in values["sources"].values():
        source["curate"] |= {"min_side": 32}
        source["curate"].pop("limits", None)
    schedule = {"steps": 2, "lr": 1.0e-3, "lr_end": 1.0e-4}
    training = {"crop": 32, "batch": 2, "evaluate_every": 1, "checkpoint_every": 1, "threads": 1}
    small = {"discriminator": {"width": 4}, "perceptual": {"weights": "random", "width": 4}, "training": training}
    del values["bgan"]["residual"]
    bgan = values["bgan"]["demo"]
    bgan |= small | {"warmup": {"max_steps": 2}, "phase_synthetic": schedule, "phase_real": schedule}
    bgan |= {"generator": {"block": "plain", "blocks": 1, "width": 4}, "moving": 0.0}
    values["synthesize"]["demo"] |= {"variants": 2, "threads": 1, "tile": 64}
    values["audit"]["demo"] |= {"crop": 32, "crops_per_image": 1}
    dbgan = values["dbgan"]
    dbgan["common"] |= small | {"generator": {"block": "plain", "blocks": 1, "width": 4, "init": "zero_last"}}
    dbgan["pretrain"]["schedule"] = schedule
    for stage in [*dbgan["train"].values(), *dbgan["finetune"].values()]:
        stage["schedule"] = schedule
    del dbgan["train"]["minus"]
    values["evaluate"] |= {"variants": ["l1", "plus"], "scoring": {"pictures": 1, "threads": 1, "tile": 64}}
    return values


def new_project(root: Path) -> Project:
    """A toy project with git and DVC, nothing run yet."""
    root.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__", "raw", "train", "test", "synthetic", "cache", "tmp")
    for name in COPIED:
        source = PROJECT / name
        if source.is_dir():
            # data folders of the checkout stay behind, code folders called `train` do not
            keep_all = shutil.ignore_patterns("__pycache__") if name in ("dbgan", "pipelines") else ignore
            shutil.copytree(source, root / name, ignore=keep_all)
        else:
            shutil.copy(source, root / name)
    project = Project(root)
    project.write_params(toy(project.params()))
    project.run("git", "init", "-q")
    project.run("git", "add", "-A")
    project.run("git", "commit", "-qm", "toy project")
    return project


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A toy project after its first `dvc repro`, one for all xdist workers: tests use `finished.copy(...)`."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    root = shared / "toy" / "naïve Ω 日本" / "my project"  # the whole graph runs below spaces and Unicode
    with locks.exclusive(shared / "toy.lock"):
        if not (shared / "toy" / "whole").exists():
            project = new_project(root)
            project.repro()
            project.run("git", "add", "-A")
            project.run("git", "commit", "-qm", "first repro")
            (shared / "toy" / "whole").touch()
    return Project(root)
