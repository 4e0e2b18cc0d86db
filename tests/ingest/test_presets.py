"""Public paired sets by their documented names, each with a missing twin, a size mismatch and a file beside them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dbgan.corpus import Corpus
from dbgan.corpus.layout import origin_digest
from dbgan.errors import DbganError, ParamsError
from dbgan.ingest import build, ingest, paired
from dbgan.ingest.scan import walk
from dbgan.params import IngestParams

from .conftest import pixels, put, raw_png

J = "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"
R = "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref"

# Preset -> pairs (blurry file, sharp file, key), the twinless file, a file beside the set, the pair of unequal sizes.
SETS: dict[str, dict[str, Any]] = {
    "realblur-j": {
        "pairs": [
            (f"{J}/scene001/blur/blur_1.png", f"{J}/scene001/gt/gt_1.png", "scene001/1"),
            (f"{J}/scene244/blur/blur_2.png", f"{J}/scene244/gt/gt_2.png", "scene244/2"),
        ],
        "alone": f"{J}/scene001/blur/blur_7.png",
        "unequal": (f"{J}/scene002/blur/blur_1.png", f"{J}/scene002/gt/gt_1.png"),
        "beside": [f"{R}/scene001/blur/blur_1.png", f"{R}/scene001/gt/gt_1.png", f"{J}/scene001/avg/avg_1.png"],
    },
    "realblur-r": {
        "pairs": [
            (f"{R}/scene001/blur/blur_1.png", f"{R}/scene001/gt/gt_1.png", "scene001/1"),
            (f"{R}/scene244_reflect/blur/blur_2.png", f"{R}/scene244_reflect/gt/gt_2.png", "scene244/2"),
        ],
        "alone": f"{R}/scene001/gt/gt_7.png",
        "unequal": (f"{R}/scene002/blur/blur_1.png", f"{R}/scene002/gt/gt_1.png"),
        "beside": [f"{J}/scene244/blur/blur_2.png", f"{J}/scene244/gt/gt_2.png"],
    },
    "hide": {
        "pairs": [
            ("train/5fromGOPR0950.png", "GT/5fromGOPR0950.png", "GOPR0950/5fromGOPR0950"),
            ("test/test-close-ups/1fromGOPR1096.MP4.png", "GT/1fromGOPR1096.MP4.png", "GOPR1096/1fromGOPR1096"),
            ("test/test-long-shot/9fromGOPR1087.MP4.png", "GT/9fromGOPR1087.MP4.png", "GOPR1087/9fromGOPR1087"),
        ],
        "alone": "train/6fromGOPR0950.png",
        "unequal": ("train/7fromGOPR0950.png", "GT/7fromGOPR0950.png"),
        "beside": ["readme.png"],
    },
    "rsblur": {
        "pairs": [
            ("RSBlur/0001/000001/real_blur/real_blur.png", "RSBlur/0001/000001/gt/gt_sharp.png", "0001/000001"),
            ("RSBlur/0002/000001/real_blur/real_blur.png", "RSBlur/0002/000001/gt/gt_sharp.png", "0002/000001"),
        ],
        "alone": "RSBlur/0001/000002/gt/gt_sharp.png",
        "unequal": ("RSBlur/0001/000003/real_blur/real_blur.png", "RSBlur/0001/000003/gt/gt_sharp.png"),
        "beside": ["RSBlur/0001/000001/avg65_img/avg_blur.png", "RSBlur/0001/000001/avg65_mask_100/avg_blur.png"],
    },
    "reds": {
        "pairs": [
            ("train/train_blur/000/00000000.png", "train/train_sharp/000/00000000.png", "train-000/00000000"),
            ("val/val_blur/000/00000000.png", "val/val_sharp/000/00000000.png", "val-000/00000000"),
        ],
        "alone": "train/train_sharp/000/00000001.png",
        "unequal": ("val/val_blur/001/00000000.png", "val/val_sharp/001/00000000.png"),
        "beside": ["train/train_blur_comp/000/00000000.png"],
    },
    "bsd": {
        "pairs": [
            (
                f"BSD_3ms24ms/{split}/000/Blur/RGB/00000001.png",
                f"BSD_3ms24ms/{split}/000/Sharp/RGB/00000001.png",
                f"3ms24ms-{split}-000/00000001",
            )
            for split in ("test", "train")
        ],
        "alone": "BSD_3ms24ms/train/000/Blur/RGB/00000002.png",
        "unequal": (
            "BSD_3ms24ms/train/001/Blur/RGB/00000001.png",
            "BSD_3ms24ms/train/001/Sharp/RGB/00000001.png",
        ),
        "beside": ["BSD_3ms24ms/train/000/Blur/RGB_previews/00000001.png"],
    },
}


def put_set(root: Path, preset: str) -> None:
    made = SETS[preset]
    for number, (blur, sharp, _) in enumerate(made["pairs"]):
        put(root / blur, raw_png(pixels(number)))
        put(root / sharp, raw_png(pixels(number + 100)))
    put(root / made["alone"], raw_png(pixels(50)))
    put(root / made["unequal"][0], raw_png(pixels(60)))
    put(root / made["unequal"][1], raw_png(pixels(61, 24, 24)))
    for name in (*made["beside"], "README.md"):
        put(root / name, raw_png(pixels(70)))


def of(preset: str, **more: object) -> IngestParams:
    values = {"layout": "paired", "preset": preset, "max_reject_fraction": 1.0, **more}
    return IngestParams.model_validate(values)


@pytest.mark.parametrize("preset", SETS)
def test_a_miniature_of_each_public_set(tmp_path: Path, preset: str) -> None:
    root, made = tmp_path / "raw", SETS[preset]
    put_set(root, preset)
    ingest("p", of(preset), root, tmp_path / "p")
    corpus = Corpus.open(tmp_path / "p")
    assert sorted(corpus[i].key for i in range(len(corpus))) == sorted(key for _, _, key in made["pairs"])
    for number, (_, _, key) in enumerate(made["pairs"]):
        assert np.array_equal(corpus[key].images["blur"], pixels(number))
        assert np.array_equal(corpus[key].images["sharp"], pixels(number + 100))
    rows = pq.read_table(tmp_path / "p" / "rejects.parquet").to_pylist()
    assert {(row["origin"], row["reason"]) for row in rows} == {
        (origin_digest(made["alone"]), "pair_missing"),
        (origin_digest(made["unequal"][0]), "pair_size_mismatch"),
    }
    assert paired.scan(root, of(preset)).ignored == len(made["beside"]) + 1
    assert corpus.verify() == []


@pytest.mark.parametrize("preset", [name for name in SETS if not name.startswith("realblur")])
def test_each_set_is_detected_as_itself(tmp_path: Path, preset: str) -> None:
    put_set(tmp_path, preset)
    assert paired.detect(walk(tmp_path).files) == {"preset": preset}


@pytest.mark.parametrize(("preset", "below"), [("realblur-r", R), ("bsd", "BSD_3ms24ms/train"), ("reds", "train")])
def test_the_root_may_lie_deeper(tmp_path: Path, preset: str, below: str) -> None:
    put_set(tmp_path, preset)
    whole = {frame.frame for frame in paired.scan(tmp_path, of(preset)).frames}
    assert {frame.frame for frame in paired.scan(tmp_path / below, of(preset)).frames} <= whole
    assert paired.scan(tmp_path / below, of(preset)).frames


@pytest.mark.parametrize(("preset", "split", "keys"), [
    ("hide", "test", {"GOPR1096/1fromGOPR1096", "GOPR1087/9fromGOPR1087"}),
    ("reds", "val", {"val-000/00000000", "val-001/00000000"}),
    ("bsd", "test", {"3ms24ms-test-000/00000001"}),
])  # fmt: skip
def test_one_split_of_a_set_refuses_nothing_of_the_others(
    tmp_path: Path, preset: str, split: str, keys: set[str]
) -> None:
    put_set(tmp_path, preset)
    scan = paired.scan(tmp_path, of(preset, split=split))
    assert {f"{frame.sequence}/{frame.frame}" for frame in scan.frames} == keys
    assert scan.rejects == []
    assert f"The split `{split}` of" in scan.notes[0]


def test_a_split_list_chooses_pairs_and_what_it_names_in_vain_is_reported(tmp_path: Path) -> None:
    put_set(tmp_path, "realblur-j")
    lines = [
        f"{J}/scene001/gt/gt_1.png {J}/scene001/blur/blur_1.png",
        f"{J}/scene009/gt/gt_3.png {J}/scene009/blur/blur_3.png",
    ]
    put(tmp_path / "RealBlur_J_train_list.txt", "\n".join(lines).encode())
    scan = paired.scan(tmp_path, of("realblur-j", split_list="RealBlur_J_train_list.txt"))
    assert [(frame.sequence, frame.frame) for frame in scan.frames] == [("scene001", "1")]
    assert [(r.path, r.reason) for r in scan.rejects] == [(f"{J}/scene009/gt/gt_3.png", "pair_missing")]
    for text, message in (("nothing\n", "none of its 1 lines"), (None, "cannot be read")):
        if text is None:
            (tmp_path / "RealBlur_J_train_list.txt").unlink()
        else:
            put(tmp_path / "RealBlur_J_train_list.txt", text.encode())
        with pytest.raises(ParamsError, match=message):
            paired.scan(tmp_path, of("realblur-j", split_list="RealBlur_J_train_list.txt"))


def test_a_list_of_realblur_r_may_call_its_scene_as_everyone_does(tmp_path: Path) -> None:
    put_set(tmp_path, "realblur-r")
    put(tmp_path / "list.txt", f"{R}/scene244/gt/gt_2.png {R}/scene244/blur/blur_2.png".encode())
    scan = paired.scan(tmp_path, of("realblur-r", split_list="list.txt"))
    assert [frame.paths["sharp"] for frame in scan.frames] == [f"{R}/scene244_reflect/gt/gt_2.png"]


def test_a_users_regular_expressions_name_sequence_and_frame(tmp_path: Path) -> None:
    put(tmp_path / "raw" / "walk-01_in.png", raw_png(pixels(1)))
    put(tmp_path / "raw" / "walk-01_out.png", raw_png(pixels(2)))
    params = {"blur_regex": r"(?P<sequence>\w+)-(?P<frame>\d+)_in\.png"}
    params["sharp_regex"] = r"(?P<sequence>\w+)-(?P<frame>\d+)_out\.png"
    ingest("p", IngestParams.model_validate({"layout": "paired", **params}), tmp_path / "raw", tmp_path / "p")
    assert Corpus.open(tmp_path / "p")[0].key == "walk/01"
    assert "regex" not in json.dumps(json.loads((tmp_path / "p" / "corpus.json").read_text())["params"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "needs one way to pair: preset, or blur_glob"),
        ({"preset": "hide", "blur_glob": "a/*", "sharp_glob": "b/*"}, "found preset and blur_glob"),
        ({"blur_regex": "(a", "sharp_regex": "(?P<frame>b)"}, "no regular expression"),
        ({"blur_regex": "a", "sharp_regex": "(?P<frame>b)"}, r"has no group \(\?P<frame>"),
        ({"blur_glob": "a/*", "sharp_glob": "b/*", "split": "train"}, "split goes with a preset"),
        ({"preset": "hide", "window": 5}, "window: for layout frames only"),
    ],
)
def test_parameters_that_name_no_pairs_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        IngestParams.model_validate({"layout": "paired", **values})


def test_a_preset_over_another_set_names_the_right_one(tmp_path: Path) -> None:
    put_set(tmp_path / "raw", "rsblur")
    with pytest.raises(DbganError, match=r"(?s)looks like the layout `paired`.*--layout paired --set preset=rsblur"):
        ingest("p", of("bsd"), tmp_path / "raw", tmp_path / "p")


def test_only_changed_pairs_are_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []
    real: Callable[..., object] = build.store
    monkeypatch.setattr(build, "store", lambda data, *a, **k: (decoded.append(data), real(data, *a, **k))[1])
    root, params = tmp_path / "raw", of("rsblur", shard_samples=2)
    for number in range(6):
        for side in ("real_blur/real_blur.png", "gt/gt_sharp.png"):
            put(root / f"{number // 3:04d}" / f"{number:06d}" / side, raw_png(pixels(number)))
    ingest("p", params, root, tmp_path / "p")
    decoded.clear()
    assert (ingest("p", params, root, tmp_path / "p").built, len(decoded)) == (0, 0)
    put(root / "0009" / "000001" / "real_blur" / "real_blur.png", raw_png(pixels(9)))
    put(root / "0009" / "000001" / "gt" / "gt_sharp.png", raw_png(pixels(10)))
    assert (ingest("p", params, root, tmp_path / "p").built, len(decoded)) == (1, 2)
    decoded.clear()
    for side in ("real_blur/real_blur.png", "gt/gt_sharp.png"):
        (root / "0009" / "000001" / side).unlink()
    gone = ingest("p", params, root, tmp_path / "p")
    assert (gone.built, gone.removed, gone.samples, len(decoded)) == (0, 1, 6, 0)
