"""Nothing leaves the house unchecked; what leaves it is whole, described, and readable by others' tools."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dbgan.corpus import Corpus
from dbgan.errors import DbganError
from dbgan.networks import generator, save_weights
from dbgan.params import Params, load
from dbgan.publish.checks import sources_of_corpus, sources_of_model
from dbgan.publish.folder import publish
from tests import tiny_corpora
from tests.conftest import PROJECT
from tests.tiny_corpora import Tiny

RIGHTS = {"licence": "CC-BY-4.0", "attribution": "A. Photographer", "consent": "none shown"}


def params_with(tmp_path: Path, **rights: dict[str, str] | None) -> Params:
    """The demo's params, every source with rights but those that are given others."""
    values: dict[str, Any] = yaml.safe_load((PROJECT / "params.yaml").read_text())
    for name, source in values["sources"].items():
        source["rights"] = rights.get(name, RIGHTS)
        if source["rights"] is None:
            del source["rights"]
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    return load(tmp_path / "params.yaml")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the source demo-gopro, whose leak gate has passed."""
    rng = np.random.default_rng(0)
    samples = [
        Tiny(f"s{n}/{k}", {field: rng.integers(0, 256, (24, 32, 3), dtype=np.uint8) for field in ("blur", "sharp")})
        for n in range(2)
        for k in range(3)
    ]
    tiny_corpora.write(tmp_path / "datasets/train/demo-gopro", "paired", samples)
    (tmp_path / "reports/leaks").mkdir(parents=True)
    (tmp_path / "reports/leaks/passed.json").write_text("{}")
    return tmp_path


def problems(checks: list[Any]) -> list[str]:
    return [check.problem for check in checks if check.problem]


def test_a_published_corpus_is_whole_described_and_checked_by_sha256sum(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "published"
    assert problems(publish("demo-gopro", params_with(tmp_path), root, out)) == []
    assert Corpus.open(out / "data").verify() == []
    done = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=out, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert len((out / "SHA256SUMS").read_text().splitlines()) == sum(p.is_file() for p in out.rglob("*")) - 1
    matter = yaml.safe_load((out / "README.md").read_text().split("---")[1])
    assert matter["license"] == "cc-by-4.0"
    assert matter["configs"][0]["data_files"][0]["path"] == "data/*.tar"
    assert "| demo-gopro | CC-BY-4.0 | A. Photographer | none shown |" in (out / "README.md").read_text()
    assert (out / "samples/samples.png").stat().st_size > 1000


def test_others_load_the_published_folder(root: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "published"
    publish("demo-gopro", params_with(tmp_path), root, out)
    loaded = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert sorted(loaded["__key__"]) == Corpus.open(out / "data").keys
    croissant = json.loads((out / "croissant.json").read_bytes())
    assert croissant["license"] == "CC-BY-4.0"
    files = [one["contentUrl"] for one in croissant["distribution"] if "contentUrl" in one]
    assert files
    assert all((out / file).is_file() for file in files)


def test_everything_that_is_missing_is_told_at_once_and_nothing_is_written(root: Path, tmp_path: Path) -> None:
    shutil.rmtree(root / "reports")
    tar = next((root / "datasets/train/demo-gopro").glob("*.tar"))
    tar.write_bytes(tar.read_bytes()[:-100])
    rights = {"demo-gopro": RIGHTS | {"consent": " "}}
    told = problems(publish("demo-gopro", params_with(tmp_path, **rights), root, tmp_path / "published"))
    assert len(told) == 3
    assert tar.name in told[0]
    assert "sources.demo-gopro.rights lacks consent" in told[1]
    assert "dvc repro leaks" in told[2]
    assert not (tmp_path / "published").exists()


def test_rights_of_all_that_a_corpus_and_a_model_learnt_from_are_wanted(tmp_path: Path) -> None:
    params = params_with(tmp_path)
    assert sources_of_corpus("demo", params) == ["demo-gopro", "demo-phones"]
    assert sources_of_model("base", params) == ["demo-gopro"]
    assert sources_of_model("plus", params) == ["demo-gopro", "demo-phones"]


def test_a_corpus_past_a_limit_of_its_audit_stays_in_the_house(root: Path, tmp_path: Path) -> None:
    values = yaml.safe_load((PROJECT / "params.yaml").read_text())
    for source in values["sources"].values():
        source["rights"] = RIGHTS
    values["audit"]["demo"]["gates"] = {"max_psnr": 30.0}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    shutil.copytree(root / "datasets/train/demo-gopro", root / "datasets/synthetic/demo")
    audit = root / "reports/audit/demo/audit.json"
    audit.parent.mkdir(parents=True)
    for psnr, count in ((41.0, 1), (27.0, 0)):
        audit.write_text(json.dumps({"psnr": {"synthetic": {"mean": psnr}}}))
        told = problems(publish("demo", load(tmp_path / "params.yaml"), root, tmp_path / f"published-{count}"))
        assert len(told) == count, told
    audit.unlink()
    (told,) = problems(publish("demo", load(tmp_path / "params.yaml"), root, tmp_path / "published-2"))
    assert "dvc repro audit@demo" in told


def test_a_model_leaves_with_card_scores_and_rights(tmp_path: Path) -> None:
    folder = tmp_path / "models/dbgan/base"
    folder.mkdir(parents=True)
    save_weights(folder / "weights.safetensors", generator("dbgan", blocks=1, width=4))
    (tmp_path / "reports/evaluate/base").mkdir(parents=True)
    (tmp_path / "reports/evaluate/base/metrics.json").write_text('{"t.psnr_rgb": 24.51}')
    out = tmp_path / "published"
    assert problems(publish("base", params_with(tmp_path), tmp_path, out)) == []
    card = (out / "README.md").read_text()
    assert "| `t.psnr_rgb` | 24.5100 |" in card
    assert "dbgan deblur" in card
    assert (out / "weights.safetensors").read_bytes() == (folder / "weights.safetensors").read_bytes()


def test_a_name_that_is_nothing_and_a_folder_that_is_something_are_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DbganError, match=r"Expected one of: demo, .*bgan/demo.*plus"):
        publish("demos", params_with(tmp_path), root, tmp_path / "published")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("")
    with pytest.raises(DbganError, match="found other files"):
        publish("demo-gopro", params_with(tmp_path), root, tmp_path / "mine")


def test_a_corpus_of_kernels_and_a_model_that_mixed_it_in_can_be_published(tmp_path: Path) -> None:
    """`blur` in params.yaml makes synthetic corpora as `synthesize` does."""
    values = yaml.safe_load((PROJECT / "params.yaml").read_text())
    values["blur"]["shaken"] = {"sharp": ["demo-gopro"], "model": "kernel"}
    values["sources"]["demo-gopro"].pop("rights", None)
    tune = values["dbgan"]["finetune"]["plus"]
    del tune["corpus"]
    tune |= {"corpora": {"demo": 1.0, "shaken": 1.0}, "reads": "datasets/synthetic"}
    params = Params.model_validate(values)
    assert sources_of_corpus("shaken", params) == ["demo-gopro"]
    assert {"demo-gopro", "demo-phones"} <= set(sources_of_model("plus", params))
    said = problems(publish("shaken", params, tmp_path, tmp_path / "out"))
    assert any("audit has no 'shaken'" in text for text in said)
    assert any("sources.demo-gopro.rights lacks licence" in text for text in said)
