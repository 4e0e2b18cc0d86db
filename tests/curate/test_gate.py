"""The gate over a project's folders: it fails and names the pairs, or leaves a file that never changes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dbgan import cli
from dbgan.curate import curate
from dbgan.curate.gate import gate
from dbgan.errors import CorpusError, DbganError
from dbgan.params import CurateParams, LeaksParams
from tests.tiny_corpora import Tiny, moved, scene, write

PARAMS = LeaksParams()


@pytest.fixture
def datasets(tmp_path: Path) -> Path:
    """Two train sources (one with a val split) and a test source, all of different scenes."""
    add(
        tmp_path / "train" / "phones",
        {f"a/{i}": i for i in range(2)} | {f"b/{i}": 10 + i for i in range(2)},
        pinned={"b": "val"},
    )
    add(tmp_path / "train" / "more", {"c/0": 20})
    add(tmp_path / "test" / "held", {"d/0": 30})
    return tmp_path


def add(path: Path, scenes: dict[str, int], pinned: dict[str, str] | None = None, drop: str = "") -> None:
    write(path, "blurry", [Tiny(key, {"blur": moved(scene(seed), 9)}) for key, seed in scenes.items()])
    reviews = path.with_name(f"{path.name}.csv")
    reviews.write_text(f"key,decision,note\n{drop},drop,leak\n" if drop else "")
    params = CurateParams(min_side=64, val_fraction=0.0, pinned=pinned or {})
    selection = path.with_name(f"{path.name}.selection.parquet")
    curate(path.name, params, path, selection, path.parents[1] / "r" / path.name, path.parent.name, reviews)


def test_a_project_without_leaks_passes_and_its_file_never_changes(datasets: Path, tmp_path: Path) -> None:
    assert gate(datasets, PARAMS, tmp_path / "leaks") == []
    passed = (tmp_path / "leaks" / "passed.json").read_bytes()
    add(datasets / "test" / "another", {"e/0": 40})
    gate(datasets, PARAMS, tmp_path / "leaks")
    assert (tmp_path / "leaks" / "passed.json").read_bytes() == passed
    told = json.loads((tmp_path / "leaks" / "leaks.json").read_text())
    assert [(s["source"], s["split"], s["samples"]) for s in told["sides"]] == [
        ("more", "train", 1),
        ("phones", "train", 2),
        ("phones", "val", 2),
        ("another", "test", 1),
        ("held", "test", 1),
    ]


def test_it_fails_naming_key_source_split_and_distance_until_one_is_dropped(datasets: Path, tmp_path: Path) -> None:
    gate(datasets, PARAMS, tmp_path / "leaks")
    nearly = moved(scene(0), 11)
    write(
        datasets / "test" / "held",
        "blurry",
        [Tiny("d/0", {"blur": nearly}), Tiny("d/1", {"blur": moved(scene(11), 9)})],
    )
    curate_held(datasets, "")
    with pytest.raises(DbganError) as raised:
        gate(datasets, PARAMS, tmp_path / "leaks")
    words = str(raised.value)
    assert "the same pixels: phones (val) b/1 and held (test) d/1" in words
    assert "of 256 bits differ: phones (train) a/0 and held (test) d/0" in words
    assert "Next:" in words
    assert not (tmp_path / "leaks" / "passed.json").exists(), "what waits for the gate must not run"
    lines = (tmp_path / "leaks" / "leaks.csv").read_text().splitlines()
    assert lines[0] == "what,source,split,key,other_source,other_split,other_key,bits,known"
    assert "pixels,phones,val,b/1,held,test,d/1,0," in lines
    assert json.loads((tmp_path / "leaks" / "leaks.json").read_text())["leaks"] == {"near": 1, "pixels": 1}
    curate_held(datasets, "d/0,drop,leak\nd/1,drop,leak\n")
    assert gate(datasets, PARAMS, tmp_path / "leaks") == []


def curate_held(datasets: Path, drops: str) -> None:
    reviews = datasets / "test" / "held.csv"
    reviews.write_text("key,decision,note\n" + drops)
    selection = datasets / "test" / "held.selection.parquet"
    curate("held", CurateParams(min_side=64), datasets / "test" / "held", selection, datasets / "r", "test", reviews)


def test_a_known_name_passes_and_is_reported(datasets: Path, tmp_path: Path) -> None:
    add(datasets / "test" / "held", {"a/0": 30})
    with pytest.raises(DbganError, match=r"one sequence on both sides: phones \(train\) a and held \(test\) a"):
        gate(datasets, PARAMS, tmp_path / "leaks")
    found = gate(datasets, LeaksParams(known={"a": "another walk of that name"}), tmp_path / "leaks")
    assert [leak.known for leak in found] == ["another walk of that name"]


def test_a_source_that_was_not_curated_is_an_error(datasets: Path, tmp_path: Path) -> None:
    (datasets / "train" / "more.selection.parquet").unlink()
    with pytest.raises(CorpusError, match="dvc repro curate@more"):
        gate(datasets, PARAMS, tmp_path / "leaks")


def test_a_corpus_without_measures_is_compared_by_pixels_and_says_so(datasets: Path, tmp_path: Path) -> None:
    write(datasets / "test" / "held", "blurry", [Tiny("d/0", {"blur": moved(scene(0), 9)})], measured=False)
    curate_held(datasets, "")
    with pytest.raises(DbganError, match="the same pixels"):
        gate(datasets, PARAMS, tmp_path / "leaks")
    notes = json.loads((tmp_path / "leaks" / "leaks.json").read_text())["notes"]
    assert notes[0].startswith("held (test): 1 pictures have no perceptual hash")


def test_by_hand_corpora_are_sides_or_their_splits_are(datasets: Path) -> None:
    def leaks(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(cli.app, ["corpus", "leaks", *arguments], env={"COLUMNS": "200"})
        return done.exit_code, done.output

    phones, held = str(datasets / "train" / "phones"), str(datasets / "test" / "held")
    assert leaks(phones, held)[0] == 0
    assert leaks(phones)[0] == 2
    assert leaks(phones, "--splits")[0] == 0
    add(datasets / "test" / "held", {"d/0": 1})
    code, told = leaks(phones, held)
    assert code == 1
    assert "a/1" in told
    assert "pixels" in told
    assert leaks(phones, held, "--csv", str(datasets / "all.csv"))[0] == 1
    assert f"pixels,{phones},{phones},a/1,{held},{held},d/0,0," in (datasets / "all.csv").read_text()
