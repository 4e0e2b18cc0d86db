"""A tiny project as the stages leave it: 24 px pictures, one test source with pairs and one with real captures."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dbgan.image.codec import encode
from dbgan.params import Params
from dbgan.report import build

VARIANTS = ("l1", "minus", "base", "control", "plus")
PSNR = {"l1": 27.13, "minus": 23.97, "base": 26.98, "control": 27.04, "plus": 27.31}
KEYS = ("GOPR9004_11_00/000001", "GOPR9004_11_00/000002")


@dataclass(frozen=True)
class Project:
    """Folders of a finished run and its params."""

    root: Path
    params: Params

    def build(self) -> str:
        """The page's text."""
        return build(self.root / "reports", self.root / "models", self.root / "datasets", self.params).read_text()


def picture(seed: int) -> bytes:
    return encode(np.random.default_rng(seed).integers(0, 255, (24, 32, 3), dtype=np.uint8), "png")


WALK = ("z 1", "25 %", "50 %", "75 %", "z 2")
SHEETS = {
    "samples.png": {"columns": ["sharp", "z 1", "a real capture"], "gap": 4},
    "walk.png": {"columns": list(WALK), "gap": 4},
}


def sheet(columns: int) -> NDArray[np.uint8]:
    """A sheet of a BGAN: two rows of 8 px squares, square (row, column) of grey 10 row + column."""
    grey = np.arange(2)[:, None] * 10 + np.arange(columns)
    grid = np.full((20, 12 * columns - 4, 3), 255, np.uint8)
    for (row, column), level in np.ndenumerate(grey):
        grid[row * 12 : row * 12 + 8, column * 12 : column * 12 + 8] = level
    return grid


def _write(path: Path, content: bytes | str | dict[str, Any] | list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, dict | list):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _evaluated(folder: Path, variant: str) -> None:
    metrics = {
        "city.images": 2,
        "city.input.psnr_rgb": 25.02,
        "city.input.ssim": 0.7011,
        "city.input.ssim_matlab3d": 0.7512,
    }
    offset = VARIANTS.index(variant) / 1000
    metrics |= {"city.psnr_rgb": PSNR[variant], "city.ssim": 0.8123 + offset, "city.ssim_matlab3d": 0.8456 + offset}
    for name in [name for name in metrics if name.startswith(("city.psnr", "city.ssim"))]:
        metrics |= {f"{name}.low": metrics[name] - 1, f"{name}.high": metrics[name] + 1.5}
    _write(folder / "metrics.json", metrics)
    computed = {"device": "cpu", "isa": "avx2", "threads": 2, "torch": "2.11.0", "precision": "fp32", "tile": 512}
    _write(folder / "how.json", {"computed": computed, "codecs": {"opencv": "5.0.0"}})
    head = "source,by,group,images,blur_px,psnr_rgb,gain,gain_low,gain_high\n"
    groups = "city,all,,2,3,26,0.5,0.1,0.9\ncity,sequence,000,2,3,26,0.5,0.1,0.9\n"
    groups += "city,blur,under 3 px,1,2,27,1.5,,\ncity,blur,from 3 px,1,4,25,-0.5,,\n"
    _write(folder / "groups.csv", head + groups)
    listed: list[dict[str, Any]] = []
    for number, key in enumerate(KEYS):
        files = {role: f"pictures/{number:02d}-{role}.png" for role in ("blur", "restored", "sharp")}
        for role, name in files.items():
            _write(folder / name, picture(hash_of(role if role != "restored" else variant, number)))
        scores = {"psnr_rgb": PSNR[variant] + number, "input_psnr_rgb": 25.02}
        listed.append({"source": "city", "key": key, "files": files, **scores})
    files = {role: f"captures/00-{role}.png" for role in ("blur", "restored")}
    for role, name in files.items():
        _write(folder / name, picture(hash_of(role if role == "blur" else variant, 9)))
    listed.append({"source": "walk", "key": "walk/IMG_1", "files": files, "whole": False})
    _write(folder / "pictures.json", listed)


def hash_of(name: str, number: int) -> int:
    """A seed that is the same in every run (`hash` is not)."""
    return sum(name.encode()) * 10 + number


def _params() -> Params:
    gopro = {"layout": "gopro", "blur": "blur"}
    schedule = {"schedule": {"steps": 2}}
    return Params.model_validate(
        {
            "sources": {
                "train-pairs": {"use": "train", "root": "raw/private-name", "ingest": gopro, "curate": {}},
                "phones": {"use": "train", "root": "raw/b", "ingest": {"layout": "captures"}, "curate": {}},
                "city": {"use": "test", "root": "raw/c", "ingest": gopro, "curate": {}},
            },
            "bgan": {
                "demo": {
                    "sharp": ["train-pairs"],
                    "synthetic": ["train-pairs"],
                    "real": ["phones"],
                    "perceptual": {"weights": "random"},
                    "phase_synthetic": {"steps": 2},
                    "phase_real": {"steps": 2},
                }
            },
            "synthesize": {"demo": {"sharp": ["train-pairs"], "generator": "demo"}},
            "audit": {"demo": {"real": ["phones"], "reads": "datasets/synthetic/demo/corpus.json"}},
            "dbgan": {
                "common": {"pairs": ["train-pairs"]},
                "pretrain": schedule,
                "train": {"minus": schedule, "base": schedule},
                "finetune": {
                    "control": {"reads": "models/dbgan/base/weights.safetensors", **schedule},
                    "plus": {"corpus": "demo", "mix": 0.5, "reads": "datasets/synthetic/demo", **schedule},
                },
            },
            "evaluate": {"variants": list(VARIANTS)},
        }
    )


def _differences() -> str:
    """Every two variants of PSNR on `city`; intervals as wide as 0.15 dB below the mean and 0.14 dB above it."""
    lines = ["source,metric,variant,against,images,difference,low,high,better,drawn"]
    for against, variant in itertools.combinations(VARIANTS, 2):
        mean = PSNR[variant] - PSNR[against]
        ends = f"{mean - 0.15:.6f},{mean + 0.14:.6f}"
        lines.append(f"city,psnr_rgb,{variant},{against},2,{mean:.6f},{ends},{float(mean > 0)},images")
        lines.append(f"city,ssim,{variant},{against},2,0.001,0.0,0.002,1.0,images")
    return "\n".join(lines) + "\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A whole, finished project."""
    params = _params()
    reports, models, datasets = (tmp_path / name for name in ("reports", "models", "datasets"))
    for variant in VARIANTS:
        _evaluated(reports / "evaluate" / variant, variant)
        folder = models / "dbgan" / variant
        _write(folder / "curves.csv", "step,phase,content,val_psnr\n1,a,0.5,24.5\n2,b,0.25,26.75\n")
        _write(folder / "samples.png", picture(hash_of(variant, 2)))
        _write(folder / "summary.json", {"parameters": 12345, "steps": 2, "precision": "fp32", "warnings": []})
    _write(reports / "compare/differences.csv", _differences())
    _write(models / "bgan/demo/curves.csv", "step,phase,d_loss,psnr_to_sharp\n1,warmup,1.375,80\n2,real,1.125,31.5\n")
    _write(models / "bgan/demo/samples.png", encode(sheet(3), "png"))
    _write(models / "bgan/demo/walk.png", encode(sheet(len(WALK)), "png"))
    _write(models / "bgan/demo/weights.safetensors", b"weights")
    device = {"device": "cpu", "isa": "avx2", "threads": 2, "torch": "2.11.0"}
    computed = {"device_class": device, "pictures": SHEETS}
    summary = {"parameters": 678, "steps": 2, "precision": "fp32", "warnings": ["z hardly changes the picture"]}
    _write(models / "bgan/demo/summary.json", {**summary, "perceptual": "random, width 64, seed 0", **computed})
    audit = {"psnr": {"synthetic": {"mean": 29.125}, "pairs": {"mean": 25.25}}, "z_sensitivity": 0.01375}
    _write(reports / "audit/demo/audit.json", {**audit, "verdict": ["Closer than averaging."], "warnings": []})
    for figure in ("variants", "psnr", "distances", "strength", "spectrum", "real"):
        _write(reports / f"audit/demo/{figure}.png", picture(hash_of(figure, 0)))
    for name, source in params.sources.items():
        counts = {"samples": 1234, "shards": 3, "bytes": 5_600_000, "rejects": 7}
        counts |= {"sizes": {"1280x720": 1200, "640x480": 20, "1x1": 9, "2x2": 3, "3x3": 1, "4x4": 1}}
        _write(datasets / source.use / name / "corpus.json", {"kind": "paired", "name": name, "counts": counts})
        notes = ["One sequence only: no validation split."] if name == "train-pairs" else []
        curated = {"total": 1234, "kept": 1200, "dropped": {"min_side": 34}, "splits": {"train": 1200}, "notes": notes}
        _write(datasets / source.use / name / "shards.parquet", name)
        _write(reports / "curate" / name / "summary.json", curated)
        _write(reports / "curate" / name / "contact.png", picture(hash_of(name, 1)))
    leaks = {"near_bits": 24, "sides": [{"source": "train-pairs", "split": "train", "samples": 1200, "unhashed": 0}]}
    pair = {"words": "clips of one recording: a and b; known: GOPRO"}
    _write(
        reports / "leaks/leaks.json", {**leaks, "leaks": {}, "known": {"recording": 1}, "pairs": [pair], "notes": []}
    )
    _write(datasets / "synthetic/demo/corpus.json", {"kind": "paired", "name": "demo", "counts": {"samples": 99}})
    return Project(tmp_path, params)
