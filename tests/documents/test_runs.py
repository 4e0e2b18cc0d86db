"""README and single pages: their commands and snippets as written, in a folder that holds what they speak of."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from dbgan.corpus import Corpus
from dbgan.corpus.selection import write_selection
from dbgan.image.codec import decode, encode
from dbgan.networks import generator, load_weights, save_weights
from dbgan.params import load
from tests.conftest import PROJECT
from tests.deblur.test_clip import make_clip
from tests.documents.reading import blocks
from tests.documents.running import python_block, run, run_all, run_python
from tests.ingest.conftest import photo, put
from tests.ingest.test_clips import clip
from tests.networks.test_foreign import checkpoint
from tests.test_cli_calibrate import captures
from tests.tiny_corpora import Tiny, moved, scene, write

NETWORK = generator("dbgan", block="plain", blocks=1, width=4, seed=1)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, with a network where the demo would leave `plus`, a folder of photos and a clip."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models/dbgan/plus").mkdir(parents=True)
    save_weights(tmp_path / "models/dbgan/plus/weights.safetensors", NETWORK)
    put(tmp_path / "photos/a.png", encode(scene(1, 40, 50), "png"))
    make_clip(tmp_path / "clip.mp4")
    return tmp_path


def test_the_commands_of_the_readme(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        put(here / f"datasets/raw/pixel-8/walk/IMG_{number}.jpg", photo(number))
    write(here / "corpora/test", "blurry", [Tiny("other/0", {"blur": scene(5)})])
    write(here / "corpora/sharp", "sharp", [Tiny("SEQUENCE/FRAME", {"sharp": scene(6)})])
    _, original = checkpoint(here / "released.pth")

    def alter(line: str) -> str:
        # what the README says of --dry-run: without it the corpus is made, and the next line needs it
        return f"{line} && {line.replace(' --dry-run', '')}" if line.endswith("--dry-run") else line

    said = run_all("README.md", monkeypatch, alter=alter)
    assert len(said) == 10
    assert Corpus.open("corpora/pixel-8").verify() == []
    assert any((here / "exported").rglob("*.jpg"))
    assert {p.name for p in (here / "restored").iterdir()} >= {"a.png", "clip.mp4", "compare.html"}
    assert load_weights(Path("released.safetensors")).architecture == original.architecture
    assert (here / "plus.onnx").stat().st_size > 0


def test_the_snippet_of_the_readme(here: Path) -> None:
    names = ("GOPR9001_11_00/000001", "GOPR9002_11_00/000001")
    pairs = [Tiny(name, {"blur": moved(scene(n), 5), "sharp": scene(n)}) for n, name in enumerate(names)]
    write(here / "datasets/train/demo-gopro", "paired", pairs)
    splits = zip(names, ("train", "val"), strict=True)
    why = {"rule": "", "measure": "", "value": 0.0, "limit": 0.0, "reason": ""}
    rows = [{"key": name, "sequence": name[:14], "split": split, "keep": True} | why for name, split in splits]
    write_selection(here / "datasets/train/demo-gopro.selection.parquet", rows)
    found = run_python("README.md", {})
    assert found["corpus"].keys == [names[0]]
    assert np.array_equal(found["sample"].images["sharp"], scene(0))
    assert '"GOPR9001_11_00/000001"' in python_block("README.md", "sample").text


def test_the_commands_on_blur(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captures(here / "datasets/train/phones")
    frames = [Tiny(f"walk/{n:06d}", {"sharp": np.roll(scene(3), n, axis=1)}) for n in range(6)]
    write(here / "datasets/train/frames", "sharp", frames)
    put(here / "fading.py", python_block("docs/blur.md", "class Fading").text.encode())
    monkeypatch.setattr(sys, "path", [*sys.path])
    said = run_all("docs/blur.md", monkeypatch)
    assert (here / "cameras/phones.json").is_file()
    assert '"interpolator":"fading"' in Corpus.open(here / "corpora/faded")[0].meta["parameters"]
    assert "made again, the same" in "".join(said)
    found = run_python("docs/blur.md", {"sharp": scene(3)})
    assert found["blurry"].shape == scene(3).shape
    assert not np.array_equal(found["blurry"], scene(3))


def test_the_commands_on_restoring(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(here / "corpora/phones", "blurry", [Tiny("s/0", {"blur": scene(4)})])
    run_all("docs/restore.md", monkeypatch)
    assert decode((here / "restored/s/0.png").read_bytes()).shape == scene(4).shape
    assert (here / "restored/compare.html").is_file()


def test_the_commands_on_the_paper(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_all("docs/reproduce-paper.md", monkeypatch)
    assert (here / "deblur/.git").is_dir()
    assert "gopro" in load(here / "deblur/params.yaml").sources
    run("dbgan params explain schedule", monkeypatch)


@pytest.mark.slow
def test_the_commands_on_projects(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the first stage alone, its pictures small: the whole of `dvc repro` is the demo, which `.ci/run` runs."""

    def alter(line: str) -> str:
        if line == "dvc repro":
            path = Path("params.yaml")
            small = {"width": 96, "height": 64, "frames_per_sequence": 2, "captures_per_phone": 6, "phone_pairs": 2}
            values = yaml.safe_load(path.read_text())
            values["samples"]["demo"] |= small
            path.write_text(yaml.safe_dump(values))
            return "dvc repro sample@demo"
        return line

    said = run_all("docs/projects.md", monkeypatch, alter=alter)
    assert any((here / "my-project/datasets/raw/demo").rglob("*.png"))
    assert "Running stage 'sample@demo'" in said[3]
    assert "Running stage" not in said[5]


def test_the_commands_on_publishing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rights that the page writes down, given to each source that `plus` learnt from."""
    (block,) = blocks("docs/publish.md", "yaml")
    ((_, written),) = yaml.safe_load(block.text)["sources"].items()
    values = yaml.safe_load((PROJECT / "params.yaml").read_text())
    for source in values["sources"].values():
        source |= written
    (here / "params.yaml").write_text(yaml.safe_dump(values))
    write(here / "datasets/train/demo-gopro", "paired", [Tiny("s/0", {"blur": moved(scene(1), 5), "sharp": scene(1)})])
    (here / "reports/leaks").mkdir(parents=True)
    (here / "reports/leaks/passed.json").write_text("{}")
    run_all("docs/publish.md", monkeypatch)
    assert (here / "published/plus/weights.safetensors").is_file()


def test_the_commands_on_gpus(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_all("docs/gpu.md", monkeypatch) == [f"{torch.cuda.is_available()}\n"]


def test_the_commands_on_high_speed_frames(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    (here / "240fps").mkdir()
    clip(here / "240fps/walk.mp4", 12)
    run_all("docs/high-speed.md", monkeypatch)
    assert len(Corpus.open("datasets/train/mine")) == 1
    averaged = Corpus.open("corpora/averaged")
    assert len(averaged) == 2
    assert averaged[0].meta["method"].startswith("average")
