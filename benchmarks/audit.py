"""The audit put to the test on real frames: planted differences must be found, and equal distributions must pass.

Quarters of real sharp frames are dealt to two sides. One side, blurred, plays the real captures, the other the sharp
frames of a synthetic corpus, whose blur is either drawn alike or wrong in one known way. Frames: the folder in
`$DBGAN_SHARED_DATA`, else `../shared/data` (gopro, reds). `$DBGAN_BENCH_PLANTS`: names of some of the
plants, with commas between them. docs/results.md holds what this prints.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dbgan.blur import KernelBlur
from dbgan.blur.kernels import linear_kernel
from dbgan.corpus.selection import write_selection
from dbgan.evaluate.audit.run import as_json, measure
from dbgan.image.codec import decode
from dbgan.params import AuditParams
from dbgan.seeds import generator
from tests.tiny_corpora import Tiny, lineage, write

HEADS = ("edge extent, px", "floor", "told apart by", "AUC", "KID", "shift, px", "drift", "z share", "first words")
Picture = NDArray[np.uint8]
BLUR = KernelBlur(weights={"shake": 0.7, "linear": 0.3}, length=(6.0, 18.0), noise=(0.002, 0.006))
PARAMS = AuditParams.model_validate(
    {"real": ["real"], "pairs": [], "crops_per_image": 3, "features": {"weights": "random", "width": 16}}
)


def run() -> None:
    """Print one line per planted difference: what the audit says and by which numbers."""
    folder = Path(os.environ.get("DBGAN_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    quarters = dealt(folder)
    print(f"{len(quarters[0])} + {len(quarters[1])} quarters of frames")
    print(" | ".join(("planted", *HEADS)), flush=True)
    chosen = [name for name in os.environ.get("DBGAN_BENCH_PLANTS", ",".join(PLANTS)).split(",") if name]
    for name, plant in ((name, PLANTS[name]) for name in chosen):
        with tempfile.TemporaryDirectory() as root:
            value = audited(Path(root), quarters, plant)
        print(" | ".join((name, *_cells(value))), flush=True)
        for sentence in value["warnings"]:
            print(f"    {sentence}", flush=True)


def dealt(folder: Path) -> list[list[tuple[str, Picture]]]:
    """(sequence, picture) of two sides: quarters of 640x360 px of each sharp frame, two to each side."""
    paths = sorted(folder.glob("gopro/test/*/sharp/*.png")) + sorted(folder.glob("reds/*/sharp/*.png"))[::4]
    sides: list[list[tuple[str, Picture]]] = [[], []]
    for number, path in enumerate(paths):
        frame = decode(path.read_bytes())
        cut = [frame[top : top + 360, left : left + 640] for top in (0, 360) for left in (0, 640)]
        for index, picture in enumerate(cut):
            # diagonal quarters, so that sky and ground are on both sides; five sequences
            sides[(index in (0, 3)) ^ (number % 2)].append((f"s{number % 5}", np.ascontiguousarray(picture)))
    return sides


Plant = Callable[[Picture, str, int], Picture]
"""Sharp picture, its key and the variant -> blurry picture."""


def drawn(blur: KernelBlur) -> Plant:
    """Blur by kernels drawn anew for every key and variant."""
    return lambda sharp, key, variant: blur(sharp, seed=1, key=key, variant=variant)[0]


def _sideways(sharp: Picture, key: str, variant: int) -> Picture:
    length = float(generator(1, "sideways", key, variant).uniform(*BLUR.length))
    kernel = linear_kernel(length, 0.0)
    return np.asarray(cv2.filter2D(sharp, -1, kernel, borderType=cv2.BORDER_REFLECT_101))


def _shifted(sharp: Picture, key: str, variant: int) -> Picture:
    return np.roll(drawn(BLUR)(sharp, key, variant), (1, 2), axis=(0, 1))


def _tinted(sharp: Picture, key: str, variant: int) -> Picture:
    tinted = drawn(BLUR)(sharp, key, variant).astype(np.int16) + np.array([0, 0, 24], np.int16)
    return np.clip(tinted, 0, 255).astype(np.uint8)


PLANTS: dict[str, Plant] = {
    "none: drawn alike": drawn(BLUR),
    "twice as long": drawn(replace(BLUR, length=(12.0, 36.0))),
    "half as long": drawn(replace(BLUR, length=(3.0, 9.0))),
    "all sideways": _sideways,
    "shifted by 2 and 1 px": _shifted,
    "blue by 24 levels": _tinted,
    "identity": lambda sharp, key, variant: sharp,
    "one z for all variants": lambda sharp, key, variant: drawn(BLUR)(sharp, key, 0),
}


def audited(root: Path, sides: list[list[tuple[str, Picture]]], plant: Plant) -> dict[str, Any]:
    """audit.json of a corpus with this plant against the other side, blurred as real."""
    real, sharp = (
        {f"{sequence}/{index:03d}": picture for index, (sequence, picture) in enumerate(side)} for side in sides
    )
    blurry = [Tiny(key, {"blur": drawn(BLUR)(picture, f"real {key}", 0)}) for key, picture in real.items()]
    corpus = write(root / "train" / "real", "blurry", blurry, measured=False)
    kept = {"split": "val", "keep": True, "rule": "", "measure": "", "value": 0.0, "limit": 0.0, "reason": ""}
    rows = [{"key": key, "sequence": key.split("/")[0]} | kept for key in corpus.keys]
    write_selection(root / "train" / "real.selection.parquet", rows)
    rng = np.random.default_rng(0)
    made = []
    for key, picture in sharp.items():
        for variant in (0, 1):
            pair = {"blur": plant(picture, key, variant), "sharp": picture}
            made.append(Tiny(f"{key}-v{variant}", pair, lineage=lineage("sharp", key, variant, rng.normal(size=4))))
    write(root / "synthetic" / "planted", "paired", made, measured=False)
    return as_json(measure("planted", PARAMS, root))


def _cells(value: dict[str, Any]) -> list[str]:
    from dbgan.evaluate.audit.compare import told_apart
    from dbgan.evaluate.audit.distance import Interval

    found = {name: {m: Interval(**own) for m, own in ms.items()} for name, ms in value["distance"].items()}
    auc, kid = value["classifier"]["synthetic"]["auc"], value["kid"]["synthetic"]
    share = value.get("diversity", {}).get("z_share")
    lead = "edge_extent_px"
    return [
        f"{value['distance']['synthetic'][lead]['value']:.2f}",
        f"{value['distance']['floor'][lead]['value']:.2f}",
        ", ".join(told_apart(found, "synthetic")) or "-",
        f"{auc['value']:.2f} ({auc['low']:.2f}-{auc['high']:.2f})",
        f"{kid['value']:.2f} ({kid['low']:.2f} to {kid['high']:.2f})",
        f"{value['alignment']['synthetic']['p50_px']:.2f}",
        f"{value['drift']['synthetic']['levels']:.1f}",
        "-" if share is None else f"{share:.2f}",
        value["verdict"][0].split(":")[0],
    ]


if __name__ == "__main__":
    run()
