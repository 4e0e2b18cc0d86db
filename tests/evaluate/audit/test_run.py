"""The audit tells weak, right and absent blur apart, in words and numbers."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dbgan.corpus import Corpus
from dbgan.corpus.selection import write_selection
from dbgan.errors import CorpusError, DbganError
from dbgan.evaluate.audit import sets
from dbgan.evaluate.audit.gates import AuditGateError
from dbgan.evaluate.audit.numbers import rounding
from dbgan.evaluate.audit.run import as_json, audit, measure
from dbgan.evaluate.audit.tables import quantiles
from dbgan.evaluate.audit.usefulness import Gain, Usefulness
from dbgan.image.codec import decode
from dbgan.params import AuditParams, ClassifierParams, FeatureParams, GateParams
from tests.tiny_corpora import Tiny, lineage, moved, scene, write

FEATURES = FeatureParams(weights="random", width=4)
PARAMS = AuditParams(
    real=["phones"],
    pairs=["gopro"],
    crop=64,
    crops_per_image=2,
    features=FEATURES,
    classifier=ClassifierParams(steps=5),
)
FRAMES = 8
FILES = {
    *("audit.json", "distances.csv", "distances.png", "strength.csv", "strength.png", "spectrum.csv", "spectrum.png"),
    *("psnr.png", "variants.png", "real.png", "index.html"),
}


def select(path: Path, keys: list[str], val: str, test: str = "") -> None:
    splits = {"a": "train", "b": "train"} | dict.fromkeys(val, "val") | dict.fromkeys(test, "test")
    rows = [
        {"key": key, "sequence": key[0], "split": splits[key[0]], "keep": True}
        | {"rule": "", "measure": "", "value": 0.0, "limit": 0.0, "reason": ""}
        for key in keys
    ]
    write_selection(path.with_name(f"{path.name}.selection.parquet"), rows)


def project(root: Path, synthetic: int, *, variants: int = 2, val: str = "b", measured: bool = True) -> Path:
    """Sharp frames moved over `synthetic` px, real captures of sequence b over 9 px (a: over 3 px), pairs over 5 px."""
    real = {f"{s}/{i}": moved(scene(100 + i + 50 * (s == "b")), 9 if s == "b" else 3) for s in "ab" for i in range(6)}
    corpus = write(root / "train" / "phones", "blurry", [Tiny(k, {"blur": p}, "Pixel 8") for k, p in real.items()])
    select(corpus.path, corpus.keys, val)
    frames = {f"a/{i}": scene(i) for i in range(FRAMES)}
    pairs = [Tiny(key, {"blur": moved(p, 5), "sharp": p}) for key, p in frames.items()]
    corpus = write(root / "train" / "gopro", "paired", pairs, measured=measured)
    select(corpus.path, corpus.keys, "")
    made = [
        Tiny(
            f"{key}-v{v}",
            {"blur": moved(p, synthetic, horizontal=v % 2 == 0), "sharp": p},
            lineage=lineage("gopro", key, v, (v, 0, 0, 0)),
        )
        for key, p in frames.items()
        for v in range(variants)
    ]
    write(root / "synthetic" / "demo", "paired", made, measured=measured)
    return root


def run(root: Path, params: AuditParams = PARAMS) -> dict[str, Any]:
    return as_json(measure("demo", params, root))


@dataclass(frozen=True)
class Written:
    """A project, what `audit` gave, and what it said where a limit failed it."""

    root: Path
    value: dict[str, Any]
    said: str = ""


@pytest.fixture(scope="module")
def weak(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Blur of 3 px where the real captures have 9, all files written."""
    root = project(tmp_path_factory.mktemp("weak"), 3)
    return Written(root, audit("demo", PARAMS, root, root / "out"))


@pytest.fixture(scope="module")
def equal(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(project(tmp_path_factory.mktemp("equal"), 9))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Strong blur, one variant a frame, against captures of half the size that have no val split."""
    params = PARAMS.model_copy(update={"long_side": 64, "crop": 40})
    return run(project(tmp_path_factory.mktemp("alone"), 21, variants=1, val=""), params)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """No blur at all, under limits of which it keeps one."""
    root = project(tmp_path_factory.mktemp("identity"), 1)
    params = PARAMS.model_copy(update={"gates": GateParams(max_psnr=35.0, max_auc=0.8, max_distance_px=50.0)})
    with pytest.raises(AuditGateError) as raised:
        audit("demo", params, root, root / "out")
    return Written(root, json.loads((root / "out" / "audit.json").read_text()), str(raised.value))


def test_weak_blur_is_called_weaker_than_the_real(weak: Written) -> None:
    value = weak.value
    assert value["verdict"][0].startswith("BGAN blur is weaker than that of the real captures: median edge extent")
    lead = {name: own["edge_extent_px"]["p50"] for name, own in value["strength"].items()}
    assert lead["sharp"] < lead["synthetic"] < lead["pairs"] < lead["real"]
    distance = {name: own["edge_extent_px"]["value"] for name, own in value["distance"].items()}
    assert distance["floor"] < distance["pairs"] < distance["synthetic"] < distance["sharp"]


def test_strong_and_equal_blur_are_called_so(equal: dict[str, Any], alone: dict[str, Any]) -> None:
    assert "is stronger than that" in alone["verdict"][0]
    assert "is not told apart in strength from that" in equal["verdict"][0]


def test_the_identity_raises_the_alarm_and_real_blur_does_not(identity: Written, equal: dict[str, Any]) -> None:
    assert identity.value["psnr"]["synthetic"]["mean"] == 100.0
    assert any(text.startswith("Identity alarm") for text in identity.value["warnings"])
    assert any("no visible effect" in text for text in identity.value["warnings"])
    assert not any("Identity" in text for text in equal["warnings"])


def test_captures_of_another_size_are_warned_of_with_what_helps(equal: dict[str, Any], alone: dict[str, Any]) -> None:
    said = [text for text in alone["warnings"] if "a long side of 64 px, synthetic ones 128 px" in text]
    assert said
    assert said[0].endswith("or choose captures of the frames' size.")
    assert not any("long side" in text for text in equal["warnings"])


def test_sets_of_few_pictures_are_warned_of_with_the_number(tmp_path: Path) -> None:
    measured = measure("demo", PARAMS, project(tmp_path, 9))
    gains = {"synthetic": Gain((0.1,), 512, 64), "kernel": Gain((0.0,), 512, 64), "pairs": Gain((-1.7,), 512, 8)}
    value = as_json(replace(measured, usefulness=Usefulness(gains, 6, 23.0)))
    learned = next(text for text in value["verdict"] if "A small network that learned" in text)
    assert "by +0.10 dB (64 pictures) against" in learned
    assert "-1.70 dB (8 pictures) from the paired sources' own blur" in learned
    said = "\n".join(value["warnings"])
    assert f"Only {FRAMES} pictures of the paired sources were compared" in said
    assert "Usefulness: a small network learned from few pictures (8 of the paired sources)." in said
    assert value["usefulness"]["pairs"]["pictures"] == 8


def test_z_sensitivity_is_the_mean_difference_of_variants(equal: dict[str, Any], alone: dict[str, Any]) -> None:
    expected = np.mean(
        [
            np.abs(moved(scene(i), 9).astype(float) - moved(scene(i), 9, horizontal=False).astype(float)).mean() / 255
            for i in range(FRAMES)
        ]
    )
    assert equal["z_sensitivity"] == pytest.approx(expected, rel=1e-5)
    assert "z_sensitivity" not in alone


def test_psnr_is_of_all_pairs_also_without_measures_in_the_manifest(tmp_path: Path) -> None:
    found = []
    for measured in (True, False):
        root = project(tmp_path / str(measured), 9, variants=1, measured=measured)
        corpus = sets.open_synthetic(root, "demo")
        one = PARAMS.model_copy(update={"images": FRAMES})
        crops = sets.measure_synthetic(corpus, one, np.full((4, 2), 0.1))
        found.append(sets.psnr_values([corpus], crops["synthetic"].psnr).tolist())
    assert len(found[0]) == FRAMES
    assert found[1] == pytest.approx(found[0])


def test_the_val_split_is_compared_or_the_train_split_with_a_note(equal: dict[str, Any], alone: dict[str, Any]) -> None:
    assert equal["strength"]["real"]["images"] == 6
    assert not any("no val split" in text for text in equal["warnings"])
    assert alone["strength"]["real"]["images"] == 12
    assert any("phones has no val split: all 12 captures of its train split" in text for text in alone["warnings"])
    assert alone["strength"]["real"]["edge_extent_px"]["p50"] < equal["strength"]["real"]["edge_extent_px"]["p50"]


def test_no_limit_depends_on_a_test_split(tmp_path: Path) -> None:
    root = project(tmp_path, 9)
    corpus = Corpus.open(root / "train" / "phones")
    select(corpus.path, corpus.keys, "", test="b")
    captures, notes = sets.open_captures(root, ["phones"])
    assert captures[0].corpus.keys == [key for key in corpus.keys if key.startswith("a/")]
    assert "train split" in notes[0]
    pairs = Corpus.open(root / "train" / "gopro")
    for opened, source in ((sets.open_captures, corpus), (sets.open_pairs, pairs)):
        select(source.path, source.keys, "", test="ab")
        with pytest.raises(CorpusError, match=r"expected kept samples outside the test split, found none.*\n.*pinned"):
            opened(root, [source.name])


def test_a_second_run_writes_the_same_files_byte_for_byte(weak: Written) -> None:
    audit("demo", PARAMS, weak.root, weak.root / "again")
    files = {path.name: path.read_bytes() for path in (weak.root / "out").iterdir()}
    assert set(files) == FILES
    assert {path.name: path.read_bytes() for path in (weak.root / "again").iterdir()} == files
    assert json.loads(files["audit.json"])["verdict"]
    assert b"Software" not in files["strength.png"]
    assert all(decode(data).size for name, data in files.items() if name.endswith(".png"))


def test_the_csv_has_a_row_per_hundredth_and_rises() -> None:
    rows = [line.split(",") for line in quantiles({"real": np.array([3.0, 1.0, 2.0])}).splitlines()]
    assert rows[0] == ["quantile", "real"]
    assert len(rows) == 102
    assert (rows[1], rows[51], rows[101]) == (["0", "1"], ["0.5", "2"], ["1", "3"])


def test_reduced_captures_are_less_blurred_in_pixels(tmp_path: Path) -> None:
    captured, _ = sets.open_captures(project(tmp_path, 5), ["phones"])
    whole = sets.measure_real(captured, PARAMS).pooled("edge_extent_px")
    reduced = sets.measure_real(captured, PARAMS.model_copy(update={"long_side": 64, "crop": 40}))
    assert np.median(reduced.pooled("edge_extent_px")) < 0.75 * np.median(whole)


def test_a_limit_fails_the_stage_in_words_after_everything_is_written(identity: Written) -> None:
    assert "does not keep 2 of the limits in audit.demo.gates" in identity.said
    assert "mean PSNR of blurry against sharp (identity): 100 dB, over max_psnr 35 dB." in identity.said
    assert "max_auc is 0.8, but the number could not be told." in identity.said
    assert {path.name for path in (identity.root / "out").iterdir()} == FILES
    page = (identity.root / "out" / "index.html").read_text()
    assert "Limits that this corpus does not keep" in page
    assert "over max_psnr 35 dB" in page


def test_the_page_says_the_verdict_first_and_needs_no_network(weak: Written) -> None:
    value, page = weak.value, (weak.root / "out" / "index.html").read_text()
    assert f"<h1>{escape(value['verdict'][0])}</h1>" in page
    assert page.count('<img src="data:image/') == page.count("<img") == 6
    assert page.count("data:image/jpeg;base64,") == 2
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page
    assert page.index("<h1>") < page.index("<table>") < page.index("<img")
    assert "Limits that this corpus" not in page
    for set_name in ("synthetic", "kernel", "pairs", "sharp", "floor"):
        own = value["distance"][set_name]["edge_extent_px"]
        assert f"{own['value']:.2g} <small>{own['low']:.2g} to {own['high']:.2g}</small>" in page


def test_errors_say_what_to_do(tmp_path: Path) -> None:
    root = project(tmp_path, 5)
    with pytest.raises(DbganError, match=r"no crop of 256 px .*\nNext: lower audit\.demo\.crop"):
        run(root, PARAMS.model_copy(update={"crop": 256}))
    with pytest.raises(CorpusError, match="expected a blurry corpus"):
        run(root, PARAMS.model_copy(update={"real": ["gopro"]}))
    with pytest.raises(CorpusError):
        measure("absent", PARAMS, root)


def test_numbers_keep_six_digits_and_nan_is_refused() -> None:
    assert rounding({"a": {"b": 1234.56789}, "n": 7}) == {"a": {"b": 1234.57}, "n": 7}
    with pytest.raises(ValueError, match="nan"):
        rounding({"a": float("nan")})
