"""The audit tells weak, right and absent blur apart, in words and numbers."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dbgan.corpus.selection import write_selection
from dbgan.errors import CorpusError, DbganError
from dbgan.evaluate.audit.gates import AuditGateError
from dbgan.evaluate.audit.numbers import rounding
from dbgan.evaluate.audit.run import as_json, audit, measure
from dbgan.evaluate.audit.tables import quantiles
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


def select(path: Path, keys: list[str], val: str) -> None:
    rows = [
        {"key": key, "sequence": key[0], "split": "val" if key[0] == val else "train", "keep": True}
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


def test_weak_blur_is_called_weaker_than_the_real(tmp_path: Path) -> None:
    value = run(project(tmp_path, 3))
    assert value["verdict"][0].startswith("BGAN blur is weaker than that of the real captures: median edge extent")
    lead = {name: own["edge_extent_px"]["p50"] for name, own in value["strength"].items()}
    assert lead["sharp"] < lead["synthetic"] < lead["pairs"] < lead["real"]
    distance = {name: own["edge_extent_px"]["value"] for name, own in value["distance"].items()}
    assert distance["floor"] < distance["pairs"] < distance["synthetic"] < distance["sharp"]


def test_strong_and_equal_blur_are_called_so(tmp_path: Path) -> None:
    assert "is stronger than that" in run(project(tmp_path / "strong", 21))["verdict"][0]
    assert "is not told apart in strength from that" in run(project(tmp_path / "equal", 9))["verdict"][0]


def test_the_identity_raises_the_alarm_and_real_blur_does_not(tmp_path: Path) -> None:
    alarmed = run(project(tmp_path / "identity", 1))
    assert alarmed["psnr"]["synthetic"]["mean"] == 100.0
    assert any(text.startswith("Identity alarm") for text in alarmed["warnings"])
    assert any("no visible effect" in text for text in alarmed["warnings"])
    assert not any("Identity" in text for text in run(project(tmp_path / "blurred", 9))["warnings"])


def test_z_sensitivity_is_the_mean_difference_of_variants(tmp_path: Path) -> None:
    root = project(tmp_path, 9)
    expected = np.mean(
        [
            np.abs(moved(scene(i), 9).astype(float) - moved(scene(i), 9, horizontal=False).astype(float)).mean() / 255
            for i in range(FRAMES)
        ]
    )
    assert run(root)["z_sensitivity"] == pytest.approx(expected, rel=1e-5)
    assert "z_sensitivity" not in run(project(tmp_path / "one", 9, variants=1))


def test_psnr_is_of_all_pairs_also_without_measures_in_the_manifest(tmp_path: Path) -> None:
    with_measures = run(project(tmp_path / "a", 9, variants=1))["psnr"]
    without = run(project(tmp_path / "b", 9, variants=1, measured=False))["psnr"]
    assert with_measures["synthetic"]["images"] == FRAMES
    assert with_measures == without


def test_only_the_val_split_is_compared_and_a_source_without_one_is_read_whole_with_a_note(tmp_path: Path) -> None:
    held_out = run(project(tmp_path / "val", 9))
    assert held_out["strength"]["real"]["images"] == 6
    assert not any("no val split" in text for text in held_out["warnings"])
    whole = run(project(tmp_path / "none", 9, val=""))
    assert whole["strength"]["real"]["images"] == 12
    assert any("phones has no val split" in text for text in whole["warnings"])
    assert whole["strength"]["real"]["edge_extent_px"]["p50"] < held_out["strength"]["real"]["edge_extent_px"]["p50"]


def test_a_second_run_writes_the_same_files_byte_for_byte(tmp_path: Path) -> None:
    root = project(tmp_path, 5)
    for out in ("out", "again"):
        audit("demo", PARAMS, root, root / out)
    files = {path.name: path.read_bytes() for path in (root / "out").iterdir()}
    assert set(files) == FILES
    assert {path.name: path.read_bytes() for path in (root / "again").iterdir()} == files
    assert json.loads(files["audit.json"])["verdict"]
    assert b"Software" not in files["strength.png"]
    assert all(decode(data).size for name, data in files.items() if name.endswith(".png"))


def test_the_csv_has_a_row_per_hundredth_and_rises() -> None:
    rows = [line.split(",") for line in quantiles({"real": np.array([3.0, 1.0, 2.0])}).splitlines()]
    assert rows[0] == ["quantile", "real"]
    assert len(rows) == 102
    assert (rows[1], rows[51], rows[101]) == (["0", "1"], ["0.5", "2"], ["1", "3"])


def test_reduced_captures_are_less_blurred_in_pixels(tmp_path: Path) -> None:
    root = project(tmp_path, 5)
    whole = run(root)["strength"]["real"]["edge_extent_px"]["p50"]
    params = PARAMS.model_copy(update={"long_side": 64, "crop": 40})
    assert run(root, params)["strength"]["real"]["edge_extent_px"]["p50"] < 0.75 * whole


def test_a_limit_fails_the_stage_in_words_after_everything_is_written(tmp_path: Path) -> None:
    root = project(tmp_path, 1)
    params = PARAMS.model_copy(update={"gates": GateParams(max_psnr=35.0, max_auc=0.8, max_distance_px=50.0)})
    with pytest.raises(AuditGateError) as raised:
        audit("demo", params, root, root / "out")
    said = str(raised.value)
    assert "does not keep 2 of the limits in audit.demo.gates" in said
    assert "mean PSNR of blurry against sharp (identity): 100 dB, over max_psnr 35 dB." in said
    assert "max_auc is 0.8, but the number could not be told." in said
    assert {path.name for path in (root / "out").iterdir()} == FILES
    page = (root / "out" / "index.html").read_text()
    assert "Limits that this corpus does not keep" in page
    assert "over max_psnr 35 dB" in page


def test_the_page_says_the_verdict_first_and_needs_no_network(tmp_path: Path) -> None:
    root = project(tmp_path, 3)
    value = audit("demo", PARAMS, root, root / "out")
    page = (root / "out" / "index.html").read_text()
    assert f"<h1>{escape(value['verdict'][0])}</h1>" in page
    assert page.count('<img src="data:image/') == page.count("<img") == 6
    assert page.count("data:image/jpeg;base64,") == 2
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page
    assert page.index("<h1>") < page.index("<table>") < page.index("<img")
    assert "Limits that this corpus" not in page
    for set_name in ("synthetic", "kernel", "pairs", "sharp", "floor"):
        own = value["distance"][set_name]["edge_extent_px"]
        assert f"{own['value']:.2g} ({own['low']:.2g} to {own['high']:.2g})" in page


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
