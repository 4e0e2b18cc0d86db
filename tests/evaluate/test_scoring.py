"""`evaluate` scores what it restores, shows the same pictures for every variant, and names what is missing."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

from dbgan.corpus import Corpus
from dbgan.corpus.selection import write_selection
from dbgan.errors import CorpusError
from dbgan.evaluate import restorers, scoring
from dbgan.evaluate.metrics import METRICS
from dbgan.evaluate.restorers import NetworkRestorer
from dbgan.files import state_dir
from dbgan.image.codec import decode
from dbgan.networks import generator, load_weights, save_weights
from dbgan.params import AlignParams, ScoringParams
from dbgan.recipe import codec_versions
from dbgan.restore import restore
from tests.tiny_corpora import Tiny, moved, scene, write

PARAMS = ScoringParams(tile=64, threads=1, pictures=3)


@pytest.fixture
def test_folder(tmp_path: Path) -> Path:
    """Two paired test sources (one with a selection that drops a sample) and one of captures."""
    folder = tmp_path / "test"
    for name, count in (("gopro", 5), ("reds", 2)):
        frames = {f"s{i % 2}/{i}": scene(i + len(name), 48, 64) for i in range(count)}
        pairs = [Tiny(k, {"blur": moved(p, 3 + 2 * i), "sharp": p}, "GoPro") for i, (k, p) in enumerate(frames.items())]
        write(folder / name, "paired", pairs)
    rows = [
        {"key": key, "sequence": key[:2], "split": "test", "keep": key != "s0/4", "rule": "", "measure": ""}
        | {"value": 0.0, "limit": 0.0, "reason": ""}
        for key in Corpus.open(folder / "gopro").keys
    ]
    write_selection(folder / "gopro.selection.parquet", rows)
    captures = [Tiny(f"c/{i}", {"blur": moved(scene(40 + i, 48, 64), 9)}, "Pixel 8") for i in range(4)]
    write(folder / "phones", "blurry", captures)
    return folder


def weights_of(path: Path, init: str = "kaiming") -> Path:
    torch.manual_seed(0)
    save_weights(path, generator("dbgan", block="plain", blocks=1, width=4, init=init, seed=1))
    return path


def run(test: Path, weights: Path, out: Path, params: ScoringParams = PARAMS) -> dict[str, Any]:
    scoring.evaluate("l1", NetworkRestorer(load_weights(weights), params), params, test, out)
    values: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return values


def test_scores_equal_those_of_an_independent_implementation(test_folder: Path, tmp_path: Path) -> None:
    weights = weights_of(tmp_path / "w.safetensors")
    values = run(test_folder, weights, tmp_path / "out")
    network = load_weights(weights)
    psnr, ssim = [], []
    for sample in Corpus.open(test_folder / "reds"):
        restored, sharp = restore(sample.images["blur"], network, threads=1), sample.images["sharp"]
        psnr.append(peak_signal_noise_ratio(sharp, restored, data_range=255))
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
        ssim.append(structural_similarity(sharp, restored, channel_axis=2, **options))
    assert values["reds.psnr_rgb"] == pytest.approx(np.mean(psnr), abs=1e-5)
    assert values["reds.ssim"] == pytest.approx(np.mean(ssim), abs=1e-4)
    assert values["reds.psnr_rgb"] != values["reds.input.psnr_rgb"]


def test_a_network_that_changes_nothing_scores_as_its_input(test_folder: Path, tmp_path: Path) -> None:
    values = run(test_folder, weights_of(tmp_path / "w.safetensors", "zero_last"), tmp_path / "out")
    for source in ("gopro", "reds"):
        for metric in METRICS:
            assert values[f"{source}.{metric}"] == values[f"{source}.input.{metric}"]


def test_means_are_over_the_images_that_the_selection_keeps(test_folder: Path, tmp_path: Path) -> None:
    values = run(test_folder, weights_of(tmp_path / "w.safetensors"), tmp_path / "out")
    table = pq.read_table(tmp_path / "out" / "images.parquet")
    assert b"pandas" not in (table.schema.metadata or {})
    rows = table.to_pandas()
    assert rows[rows["source"] == "gopro"]["key"].tolist() == ["s0/0", "s0/2", "s1/1", "s1/3"]
    assert (values["gopro.images"], values["reds.images"]) == (4, 2)
    means = rows.groupby("source").mean(numeric_only=True)
    assert values["gopro.psnr_rgb"] == pytest.approx(means["psnr_rgb"]["gopro"], abs=1e-5)
    assert values["gopro.input.ssim_matlab3d"] == pytest.approx(means["input_ssim_matlab3d"]["gopro"], abs=1e-5)
    assert not any(name.startswith("phones") for name in values)


def test_every_variant_shows_the_same_pictures(test_folder: Path, tmp_path: Path) -> None:
    listed = []
    for init in ("kaiming", "zero_last"):
        run(test_folder, weights_of(tmp_path / f"{init}.safetensors", init), tmp_path / init)
        listed.append(json.loads((tmp_path / init / "pictures.json").read_text()))
    assert [(e["source"], e["key"], e["files"]) for e in listed[0]] == [
        (e["source"], e["key"], e["files"]) for e in listed[1]
    ]
    kinds = [(entry["kind"], entry["source"]) for entry in listed[0]]
    assert kinds == [("pair", "gopro"), ("pair", "gopro"), ("pair", "reds")] + [("capture", "phones")] * 3


def test_shown_pictures_are_the_scored_ones(test_folder: Path, tmp_path: Path) -> None:
    weights = weights_of(tmp_path / "w.safetensors")
    run(test_folder, weights, tmp_path / "out")
    network = load_weights(weights)
    for entry in json.loads((tmp_path / "out" / "pictures.json").read_text()):
        images = {field: decode((tmp_path / "out" / name).read_bytes()) for field, name in entry["files"].items()}
        original = Corpus.open(test_folder / entry["source"])[entry["key"]].images
        assert entry["whole"]
        assert np.array_equal(images["blur"], original["blur"])
        assert np.array_equal(images["restored"], restore(original["blur"], network, threads=1))
        assert set(images) == ({"blur", "restored", "sharp"} if entry["kind"] == "pair" else {"blur", "restored"})
        if entry["kind"] == "pair":
            expected = peak_signal_noise_ratio(original["sharp"], images["restored"], data_range=255)
            assert entry["psnr_rgb"] == pytest.approx(expected, abs=1e-3)


def test_a_large_capture_is_restored_around_the_shown_centre_as_if_whole(tmp_path: Path) -> None:
    capture = moved(scene(3, 560, 720), 9)
    corpus = write(tmp_path / "phones", "blurry", [Tiny("c/0", {"blur": capture})])
    network = load_weights(weights_of(tmp_path / "w.safetensors"))
    sizes = []

    class Counted(NetworkRestorer):
        def restore(self, source: str, key: str, blurry: NDArray[np.uint8]) -> NDArray[np.uint8]:
            sizes.append(blurry.shape[:2])
            return restore(blurry, network, threads=1)

    few = PARAMS.model_copy(update={"pictures": 1, "shown_mp": 0.1008})
    (shown,) = scoring.restore_captures({"phones": corpus}, few, Counted(network, few))
    whole = restore(capture, network, threads=1)
    assert np.abs(shown.images["restored"].astype(int) - whole[140:420, 180:540]).max() <= 1
    assert sizes[0][1] < capture.shape[1]
    assert not shown.whole
    (shown,) = scoring.restore_captures(
        {"phones": corpus}, PARAMS.model_copy(update={"pictures": 1}), Counted(network, PARAMS)
    )
    assert np.array_equal(shown.images["restored"], whole)
    assert shown.whole


def test_a_second_run_leaves_exactly_the_same_files(test_folder: Path, tmp_path: Path) -> None:
    weights = weights_of(tmp_path / "w.safetensors")
    run(test_folder, weights, tmp_path / "out")
    before = {p.relative_to(tmp_path): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    (tmp_path / "out" / "pictures" / "99-blur.png").write_bytes(b"left over")
    run(test_folder, weights, tmp_path / "out")
    assert {p.relative_to(tmp_path): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()} == before
    assert {"grid.png", "captures.png", "metrics.json", "images.parquet", "pictures.json"} <= {p.name for p in before}


def test_equal_pictures_score_100_db_and_not_infinity() -> None:
    assert scoring.score(scene(1), scene(1))["psnr_rgb"] == scoring.EQUAL_PSNR


def test_a_test_folder_without_pairs_is_an_error_that_lists_what_there_is(tmp_path: Path) -> None:
    weights = weights_of(tmp_path / "w.safetensors")
    with pytest.raises(CorpusError, match=r"found corpora: none.\nNext: add a source with `use: test`"):
        run(tmp_path / "nothing", weights, tmp_path / "out")
    write(tmp_path / "test" / "phones", "blurry", [Tiny("c/0", {"blur": scene(1)})])
    with pytest.raises(CorpusError, match=r"phones \(blurry\)"):
        run(tmp_path / "test", weights, tmp_path / "out")


def test_a_gpu_restores_where_there_is_one(test_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    devices: list[object] = []

    def recorded(picture: NDArray[np.uint8], network: nn.Module, **options: object) -> NDArray[np.uint8]:
        devices.append(options["device"])
        return picture

    monkeypatch.setattr(restorers, "restore", recorded)
    monkeypatch.setattr(restorers, "device_class", lambda device, threads: {"device": device})
    weights = weights_of(tmp_path / "w.safetensors")
    for present, expected in ((True, "cuda"), (False, "cpu")):
        devices.clear()
        monkeypatch.setattr(torch.cuda, "is_available", lambda present=present: present)
        run(test_folder, weights, tmp_path / expected)
        assert set(devices) == {expected}


@pytest.mark.parametrize("fails", [False, True])
def test_its_temporary_files_are_in_the_state_folder_and_go(
    test_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    seen: list[Path] = []
    real = scoring.write_pictures

    def watched(*arguments: Any) -> None:
        real(*arguments)
        seen.append(arguments[-1])
        assert seen[0].is_dir()
        if fails:
            raise RuntimeError("stopped")

    monkeypatch.setattr(scoring, "write_pictures", watched)
    with pytest.raises(RuntimeError) if fails else contextlib.nullcontext():
        run(test_folder, weights_of(tmp_path / "w.safetensors"), tmp_path / "out")
    assert seen[0].is_relative_to(state_dir())
    assert not seen[0].exists()


def test_the_files_of_a_source_say_how_it_was_scored(test_folder: Path, tmp_path: Path) -> None:
    values = run(test_folder, weights_of(tmp_path / "w.safetensors"), tmp_path / "out")
    rows = pd.read_parquet(tmp_path / "out" / "images.parquet")
    strengths = Corpus.open(test_folder / "reds").table(columns=["blur_edge_extent_px"])["blur_edge_extent_px"]
    assert rows[rows["source"] == "reds"]["blur_px"].tolist() == pytest.approx(strengths.tolist(), nan_ok=True)
    assert set(rows["device"]) == {"GoPro"}
    groups = pd.read_csv(tmp_path / "out" / "groups.csv", keep_default_na=False)
    whole = groups[(groups["source"] == "gopro") & (groups["by"] == "all")].iloc[0]
    assert (whole["images"], whole["drawn"]) == (4, "images")
    assert float(whole["psnr_rgb"]) == pytest.approx(values["gopro.psnr_rgb"], abs=1e-5)
    assert float(whole["psnr_rgb_low"]) == pytest.approx(values["gopro.psnr_rgb.low"], abs=1e-5)
    assert values["gopro.psnr_rgb.low"] < values["gopro.psnr_rgb"] < values["gopro.psnr_rgb.high"]
    how = json.loads((tmp_path / "out" / "how.json").read_text())
    assert (how["computed"]["device"], how["computed"]["threads"], how["computed"]["tile"]) == ("cpu", 1, 64)
    assert how["codecs"] == codec_versions()
    assert {"s0", "s1"} == set(groups[(groups["source"] == "gopro") & (groups["by"] == "sequence")]["group"])
    assert not (tmp_path / "out" / "unaligned.csv").exists()


def test_a_source_can_be_scored_by_realblurs_protocol_and_failures_are_listed(tmp_path: Path) -> None:
    sharp = np.asarray(cv2.GaussianBlur(scene(5, 80, 96), (0, 0), 1.2), dtype=np.uint8)
    shifted = np.roll(sharp, (2, -3), axis=(0, 1)) // 2
    flat = np.full_like(sharp, 90)
    pairs = [Tiny("s/a", {"blur": shifted, "sharp": sharp}), Tiny("s/b", {"blur": flat, "sharp": sharp})]
    write(tmp_path / "test" / "real", "paired", pairs)
    weights = weights_of(tmp_path / "w.safetensors", "zero_last")
    params = PARAMS.model_copy(update={"aligned": {"real": AlignParams()}})
    values = run(tmp_path / "test", weights, tmp_path / "out", params)
    rows = pd.read_parquet(tmp_path / "out" / "images.parquet").set_index("key")
    assert rows.loc["s/a", "aligned_psnr_rgb"] > rows.loc["s/a", "psnr_rgb"] + 10
    assert (rows.loc["s/a", "aligned_ok"], rows.loc["s/b", "aligned_ok"]) == (True, False)
    assert (values["real.aligned.failures"], values["real.input.aligned.failures"]) == (1, 1)
    assert values["real.aligned.psnr_rgb"] == pytest.approx(rows["aligned_psnr_rgb"].mean(), abs=1e-5)
    listed = (tmp_path / "out" / "unaligned.csv").read_text().splitlines()
    assert listed == ["source,key,picture", "real,s/b,input", "real,s/b,restored"]
