"""`dvc repro` on a copy of the project at toy size: what a change reruns, and what it leaves alone."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from PIL import Image

from dbgan.corpus.selection import read_selection
from dbgan.review.decisions import Decision, write_decisions
from tests.conftest import SECRET
from tests.documents.reading import blocks, commands, runnable
from tests.pipelines.conftest import Project
from tests.review.chromium import until
from tests.tiny_corpora import moved, scene

pytestmark = pytest.mark.slow

REMOTES = [command.text for command in commands("docs/remotes.md")]

TRAINING = ("train_bgan@demo", "pretrain_dbgan", "train_dbgan@base", "finetune_dbgan@control", "finetune_dbgan@plus")


def outs(project: Project, *stages: str) -> dict[str, dict[str, str]]:
    locked = project.locked()
    return {stage: locked[stage] for stage in stages}


def test_the_whole_graph_leaves_every_promised_file(finished: Project) -> None:
    for path in (
        "datasets/train/demo-gopro/manifest.parquet",
        "datasets/train/demo-phones.selection.parquet",
        "models/bgan/demo/weights.safetensors",
        "datasets/synthetic/demo/shards.parquet",
        "reports/audit/demo/audit.json",
        "models/dbgan/plus/curves.csv",
        "reports/evaluate/plus/images.parquet",
        "reports/leaks/leaks.json",
        "reports/evaluate/plus/groups.csv",
        "reports/compare/differences.csv",
        "reports/index.html",
    ):
        assert (finished.root / path).is_file(), path
    metrics = json.loads((finished.root / "reports/evaluate/l1/metrics.json").read_text())
    assert {"demo-gopro-test.psnr_rgb", "demo-gopro-test.input.psnr_rgb"} <= set(metrics)
    assert "demo-gopro-test.psnr_rgb" in finished.dvc("metrics", "show", "--json")
    said = finished.run("python", "-m", "pipelines.report", "--run").stdout
    count = len(finished.locked())
    assert f"{count} of {count} items were computed in the last run: .dbgan/run.html" in said
    assert "stage-box computed" in (finished.root / ".dbgan/run.html").read_text()


def test_a_second_repro_runs_nothing(finished: Project) -> None:
    assert finished.repro() == set()


def test_a_source_that_no_model_names_retrains_nothing(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    before = outs(project, *TRAINING, "synthesize@demo")
    shutil.copytree(project.root / "datasets/raw/demo/phones/train", project.root / "datasets/raw/other")
    values = project.params()
    # the same photos again, in the same splits: in other splits they would be leaks
    other = {"root": "datasets/raw/other"}
    values["sources"]["other"] = values["sources"]["demo-phones"] | other
    project.write_params(values)
    (project.root / "datasets/reviews/other.csv").touch()
    receipts = {p: p.stat().st_mtime_ns for p in (project.root / ".dbgan/train").glob("*/done.json")}
    assert receipts
    ran = project.repro()
    assert {"ingest@other", "curate@other", "leaks"} <= ran
    # the parent folder changed, so trainings may start; their recipe is that of finished work, which is given back
    assert outs(project, *TRAINING, "synthesize@demo") == before
    assert {p: p.stat().st_mtime_ns for p in (project.root / ".dbgan/train").glob("*/done.json")} == receipts
    assert not any(stage.startswith("evaluate") for stage in ran)


def test_a_leaking_test_set_stops_the_graph_by_name_and_a_clean_one_retrains_nothing(
    finished: Project, tmp_path: Path
) -> None:
    project = finished.copy(tmp_path / "project")
    before = project.locked()
    values = project.params()
    added = values["sources"]["demo-gopro-test"] | {"root": "datasets/raw/demo/gopro/train"}
    values["sources"]["more-test"] = added
    project.write_params(values)
    (project.root / "datasets/reviews/more-test.csv").touch()
    done = project.run("dvc", "repro", check=False)
    assert done.returncode != 0
    started = {line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage '")}
    assert started == {"ingest@more-test", "curate@more-test", "leaks"}
    clip = "GOPR9001_11_00"
    assert f"one sequence on both sides: demo-gopro (train) {clip} and more-test (test) {clip}" in done.stderr
    assert "reports/leaks/leaks.csv lists all" in done.stderr
    assert "Traceback" not in done.stderr
    pairs = (project.root / "reports/leaks/leaks.csv").read_text()
    assert f"pixels,demo-gopro,train,{clip}/000001,more-test,test,{clip}/000001,0," in pairs

    added["root"] = "datasets/raw/demo/gopro/test"
    project.write_params(values)
    assert project.repro() == {
        "ingest@more-test",
        "curate@more-test",
        "leaks",
        "evaluate@l1",
        "evaluate@plus",
        "compare",
        "report",
    }
    for stage in (*TRAINING, "synthesize@demo"):
        assert project.locked()[stage] == before[stage]


def test_the_page_on_new_devices_works_as_written(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    lines = [command.text for command in commands("docs/new-device.md")]
    assert [line.split()[0] for line in lines] == ["mkdir", "dvc", "echo", "dvc", "dbgan", "dvc", "git"]
    for number in range(6):
        folder = tmp_path / "photos" / f"walk-{number // 2}"
        folder.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        exif[0x010F], exif[0x0110] = "Google", "Pixel 8"
        photo = Image.fromarray(moved(scene(300 + number, 288, 384), 5 + number))
        photo.save(folder / f"IMG_{number}.jpg", quality=92, exif=exif)
    (block,) = blocks("docs/new-device.md", "yaml")
    described = yaml.safe_load(block.text)
    before = project.locked()
    # the same in other words: a page of its own, and the card of datasets/
    assert {command.text for command in runnable("docs/review.md")} <= set(lines)
    lines[2:2] = [command.text for command in commands("datasets/README.md")]
    for command in lines:
        if command.startswith("dbgan review"):
            review_and_drop(project, command, "walk-1/IMG_2")
            continue
        if "curate@" in command:
            values = project.params()
            values["sources"] |= described["sources"]
            values["bgan"]["demo"]["real"] = described["bgan"]["demo"]["real"]
            project.write_params(values)
        project.run("bash", "-euc", command.replace("$PHOTOS", str(tmp_path / "photos")))
    selection = read_selection(project.root / "datasets/train/pixel-8.selection.parquet").set_index("key")
    assert selection["reason"].to_dict()["walk-1/IMG_2"] == "dropped by hand: tried"
    assert selection["keep"].sum() == 5
    assert project.locked()["train_bgan@demo"] != before["train_bgan@demo"]
    assert project.locked()["pretrain_dbgan"] == before["pretrain_dbgan"]
    assert project.run("git", "status", "--porcelain").stdout == ""
    committed = project.run("git", "show", "--name-only", "--format=").stdout.split()
    assert {"datasets/raw/pixel-8.dvc", "datasets/reviews/pixel-8.csv", "params.yaml", "dvc.lock"} <= set(committed)
    assert not any(name.endswith((".jpg", ".tar", ".parquet")) for name in committed)


def review_and_drop(project: Project, command: str, key: str) -> None:
    """Start the page as a person does, ask it for its grid, decide as it would, end it by Ctrl-C."""
    pytest.importorskip("nicegui")
    log = project.root.parent / "review.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *command.split()], cwd=project.root, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        address = until(lambda: re.search(r"http://127\.0\.0\.1:\S+", log.read_text()), "the page's address", 60)[0]
        with urllib.request.urlopen(address) as answer:
            assert answer.status == 200
        decisions = project.root / "datasets/reviews/pixel-8.csv"
        write_decisions(decisions, {key: Decision("drop", "tried")})
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
    assert "Next: dvc repro curate@pixel-8" in log.read_text()


def test_a_sources_params_redo_it_and_the_models_that_name_it(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    before = project.locked()
    values = project.params()
    values["sources"]["demo-phones"]["curate"]["pinned"] = {"phone-a-train-1": "val"}
    project.write_params(values)
    ran = project.repro()
    after = project.locked()
    assert "curate@demo-phones" in ran
    assert not any(stage.startswith("ingest") for stage in ran)
    assert after["train_bgan@demo"] != before["train_bgan@demo"]
    # DBGAN's l1, base and control name demo-gopro alone: started by their parent folder, they give back the same bytes,
    # and what depends on them alone does not run
    for stage in ("pretrain_dbgan", "train_dbgan@base", "finetune_dbgan@control"):
        assert after[stage] == before[stage]
    assert after["finetune_dbgan@plus"] != before["finetune_dbgan@plus"]
    assert "evaluate@l1" not in ran
    said = project.run("python", "-m", "pipelines.report", "--run").stdout
    assert f"{len(ran)} of {len(after)} items were computed in the last run; {len(after) - len(ran)} unchanged" in said


def test_a_parameter_set_back_gives_the_training_back_and_trains_nothing(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    values, before = project.params(), outs(project, "train_bgan@demo")
    project.write_params(values | {"bgan": {"demo": values["bgan"]["demo"] | {"beta": 0.7}}})
    project.dvc("repro", "--single-item", "train_bgan@demo")
    assert outs(project, "train_bgan@demo") != before
    project.write_params(values)
    shutil.rmtree(project.root / ".dbgan" / "train")  # dbgan's own memory of finished work
    said = project.dvc("repro", "--single-item", "train_bgan@demo")
    assert "Stage 'train_bgan@demo' is cached - skipping run, checking out outputs" in said
    assert outs(project, "train_bgan@demo") == before
    assert not (project.root / ".dbgan" / "train").exists()


def test_a_code_edit_that_changes_no_byte_leaves_all_below_untouched(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    before = project.locked()
    module = project.root / "dbgan/ingest/__init__.py"
    module.write_text(module.read_text() + "\n# a comment\n")
    ran = project.repro()
    assert ran == {stage for stage in before if stage.startswith("ingest@")}
    assert project.locked() == before


def test_a_pull_into_an_empty_clone_adds_no_data_to_git(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    for line in REMOTES[:2]:
        project.run("bash", "-euc", line.replace("/mnt/team", shlex.quote(str(tmp_path / "a store"))))
    assert any((tmp_path / "a store/dbgan").rglob("*"))
    project.run("git", "commit", "-qam", "remote")
    project.run("git", "clone", "-q", str(project.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.dvc("pull", "-q", "--allow-missing")
    assert (clone.root / "datasets/train/demo-gopro/manifest.parquet").is_file()
    assert (clone.root / "reports/index.html").is_file()
    assert not (clone.root / "datasets/raw/demo").exists(), "raw input holds positions: it is never pushed"
    clone.run("git", "add", "-A")
    assert clone.run("git", "status", "--porcelain").stdout == ""
    assert "changed" not in clone.dvc("repro", "--allow-missing", "--dry").lower()


def test_raw_folders_can_be_versioned(finished: Project, tmp_path: Path) -> None:
    project = finished.copy(tmp_path / "project")
    raw = project.root / "datasets/raw/new-phone"
    raw.mkdir()
    (raw / "a.jpg").write_bytes(b"not yet a picture")
    project.dvc("add", "datasets/raw/new-phone")
    project.run("git", "add", "-A")
    assert project.run("git", "diff", "--cached", "--name-only").stdout.split() == ["datasets/raw/new-phone.dvc"]


def test_a_folder_that_no_params_name_is_refused_with_the_command_that_mends_it(
    finished: Project, tmp_path: Path
) -> None:
    project = finished.copy(tmp_path / "project")
    values = project.params()
    del values["sources"]["demo-phones-test"]
    project.write_params(values)
    done = project.run("dvc", "repro", check=False)  # no ingest changed: a later stage refuses
    assert done.returncode != 0
    assert "rm -r datasets/test/demo-phones-test datasets/test/demo-phones-test.selection.parquet" in done.stderr
    assert "Traceback" not in done.stderr
    project.run("rm", "-r", "datasets/test/demo-phones-test", "datasets/test/demo-phones-test.selection.parquet")
    assert project.repro() == {"leaks", "evaluate@l1", "evaluate@plus", "compare", "report"}
    assert "demo-phones-test" not in (project.root / "reports/index.html").read_text()


def test_a_second_clone_pulls_one_corpus_from_s3_and_trains_from_it(
    finished: Project, tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the commands of docs/remotes.md: the remote's settings and the credentials are all there is."""
    import s3fs

    s3fs.S3FileSystem(endpoint_url=s3).mkdir("team-bucket")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    project = finished.copy(tmp_path / "project")
    for line in REMOTES[2:5]:
        project.run("bash", "-euc", line.replace("https://minio.example.com", s3))
    project.run("git", "commit", "-qam", "remote")

    (tmp_path / "colleague").mkdir()
    pull = " && ".join(REMOTES[5:]).replace("ADDRESS", shlex.quote(str(project.root)))
    pull = pull.replace("dbgan corpus", "python -m dbgan corpus")  # the clone's own code, whatever is installed
    Project(tmp_path / "colleague").run("bash", "-euc", pull)
    clone = Project(tmp_path / "colleague/project")
    assert sorted(p.name for p in (clone.root / "datasets/train").iterdir() if p.name != ".gitignore") == [
        "demo-gopro",
        "demo-gopro.selection.parquet",
    ]

    # the same weights as the first clone's, from this one corpus alone
    clone.run("python", "-m", "pipelines.pretrain_dbgan")
    weights = Path("models/dbgan/l1/weights.safetensors")
    assert _digest(clone.root / weights) == _digest(project.root / weights)

    clone.dvc("pull", "-q", "--allow-missing")
    assert "changed" not in clone.dvc("repro", "--allow-missing", "--dry").lower()
    secrets = [p for p in clone.root.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    assert secrets == []
    assert SECRET not in yaml.safe_dump(clone.locked())


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
