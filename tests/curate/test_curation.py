"""`curate` over corpora on disk: the selection, the summary and the sheet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbgan.corpus import Corpus
from dbgan.corpus.selection import read_selection
from dbgan.curate import curate
from dbgan.errors import ParamsError
from dbgan.image.codec import decode
from dbgan.params import CurateParams, Limits
from tests.tiny_corpora import Tiny, moved, scene, write


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """Two phones, three sequences; one picture twice, one sharp, one small."""
    blurred = {f"a/{i}": moved(scene(i), 9) for i in range(3)} | {f"b/{i}": moved(scene(10 + i), 9) for i in range(2)}
    samples = [Tiny(key, {"blur": p}, "Pixel 8" if key[0] == "a" else "") for key, p in blurred.items()]
    samples.append(Tiny("b/twin", {"blur": blurred["a/1"]}))
    samples += [
        Tiny("c/sharp", {"blur": scene(20)}, "Pixel 8"),
        Tiny("c/small", {"blur": scene(21, 40, 128)}, "Pixel 8"),
    ]
    return write(tmp_path / "phones", "blurry", samples).path


PARAMS = CurateParams(min_side=64, limits={"blur_sharpness": Limits(max=0.2)}, pinned={"b": "val"}, val_fraction=0.0)


def run(corpus: Path, params: CurateParams = PARAMS, use: str = "train") -> tuple[Path, Path]:
    selection, report = corpus.with_name("phones.selection.parquet"), corpus.with_name("report")
    curate("phones", params, corpus, selection, report, use)
    return selection, report


def test_every_sample_has_a_row_and_every_dropped_one_a_reason(captures: Path) -> None:
    selection = read_selection(run(captures)[0]).set_index("key")
    assert list(selection.index) == ["a/0", "a/1", "a/2", "b/0", "b/1", "b/twin", "c/sharp", "c/small"]
    dropped = selection[~selection["keep"]]
    assert dropped["rule"].to_dict() == {"b/twin": "duplicates", "c/sharp": "limits", "c/small": "min_side"}
    assert all(dropped["reason"].str.len() > 10)
    assert (selection[selection["keep"]][["rule", "measure", "reason"]] == "").all(axis=None)
    assert selection["split"].to_dict()["b/0"] == "val"
    assert selection["split"].to_dict()["a/0"] == "train"


def test_the_reader_sees_exactly_what_is_kept(captures: Path) -> None:
    selection = run(captures)[0]
    assert Corpus.open(captures, selection=selection, split="train").keys == ["a/0", "a/1", "a/2"]
    assert Corpus.open(captures, selection=selection, split="val").keys == ["b/0", "b/1"]


def test_the_summary_counts_what_the_selection_says(captures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = run(captures)[1]
    summary = json.loads((report / "summary.json").read_text())
    assert (summary["total"], summary["kept"]) == (8, 5)
    assert summary["dropped"] == {"duplicates": 1, "limits": 1, "min_side": 1}
    assert summary["splits"] == {"train": 3, "val": 2}
    assert summary["sequences"] == {"train": 1, "val": 1}
    assert summary["devices"] == {"Pixel 8": {"kept": 3, "total": 5}, "unknown": {"kept": 2, "total": 3}}
    assert "phones: 5 of 8 samples kept; train 3, val 2" in capsys.readouterr().out


def test_the_sheet_is_a_png_and_a_second_run_writes_the_same_bytes(captures: Path) -> None:
    selection, report = run(captures)
    before = {path: path.read_bytes() for path in (selection, report / "contact.png", report / "summary.json")}
    run(captures)
    assert {path: path.read_bytes() for path in before} == before
    assert decode(before[report / "contact.png"]).shape[1] > 1000


def test_a_test_source_is_all_test(captures: Path) -> None:
    params = PARAMS.model_copy(update={"pinned": {}})
    assert set(read_selection(run(captures, params, "test")[0])["split"]) == {"test"}


def test_pairs_are_duplicates_by_their_blurry_field(tmp_path: Path) -> None:
    sharp = scene(1)
    pairs = {"a/0": moved(sharp, 5), "a/1": moved(sharp, 9), "a/2": moved(sharp, 5)}
    corpus = write(tmp_path / "phones", "paired", [Tiny(k, {"blur": b, "sharp": sharp}) for k, b in pairs.items()])
    selection = read_selection(run(corpus.path, CurateParams(min_side=64))[0])
    assert selection[~selection["keep"]]["key"].tolist() == ["a/2"]


def test_a_limit_on_a_corpus_without_measures_says_how_to_get_them(tmp_path: Path) -> None:
    corpus = write(tmp_path / "phones", "blurry", [Tiny("a/0", {"blur": scene(1)})], measured=False)
    with pytest.raises(ParamsError, match="quality: true"):
        run(corpus.path, CurateParams(limits={"blur_sharpness": Limits(max=1.0)}))
    assert len(Corpus.open(corpus.path, selection=run(corpus.path, CurateParams(min_side=64))[0])) == 1


def test_an_unknown_device_or_measure_is_an_error_before_anything_is_written(captures: Path) -> None:
    with pytest.raises(ParamsError, match="Did you mean 'Pixel 8'"):
        run(captures, CurateParams(devices={"Pixel 9": {}}))
    with pytest.raises(ParamsError, match="Did you mean 'blur_sharpness'"):
        run(captures, CurateParams(limits={"sharp_sharpness": Limits(max=1.0)}))
    assert not captures.with_name("phones.selection.parquet").exists()


def test_a_test_split_within_a_train_source_is_read_by_no_training(tmp_path: Path) -> None:
    from dbgan.synthesize.plan import read_source
    from dbgan.train.data import open_set

    pairs = {f"{name}/{i}": scene(10 * j + i) for j, name in enumerate(("a", "b", "c")) for i in range(2)}
    samples = [Tiny(key, {"blur": moved(sharp, 5), "sharp": sharp}) for key, sharp in pairs.items()]
    corpus = write(tmp_path / "train" / "pairs", "paired", samples).path
    selection = tmp_path / "train" / "pairs.selection.parquet"
    params = CurateParams(min_side=64, val_fraction=0.0, pinned={"b": "val", "c": "test"})
    summary = curate("pairs", params, corpus, selection, tmp_path / "r", "train")
    assert summary.splits == {"test": 2, "train": 2, "val": 2}
    for split, sequence in (("train", "a"), ("val", "b")):
        opened = open_set(tmp_path, ["pairs"], ("blur", "sharp"), split)  # type: ignore[arg-type]
        assert {key.split("/")[0] for part in opened.corpora for key in part.keys} == {sequence}
    assert {row.sequence for row in read_source(corpus, selection).rows} == {"a"}


def test_near_identical_pictures_in_two_splits_are_told_at_once(tmp_path: Path) -> None:
    samples = [Tiny("a/0", {"blur": moved(scene(1), 9)}), Tiny("b/0", {"blur": moved(scene(1), 7)})]
    corpus = write(tmp_path / "phones", "blurry", samples).path
    params = CurateParams(min_side=64, val_fraction=0.0, pinned={"b": "val"})
    selection = tmp_path / "phones.selection.parquet"
    notes = curate("phones", params, corpus, selection, tmp_path / "r", "train").notes
    assert notes[0].startswith("1 leak between splits, which the stage leaks will refuse: near-identical, ")
    assert notes[0].endswith("phones (train) a/0 and phones (val) b/0.")
    together = params.model_copy(update={"pinned": {}})
    assert not any(
        "leak" in note for note in curate("phones", together, corpus, selection, tmp_path / "r", "train").notes
    )
