"""Score one trained variant on datasets/test: metrics per image and their means, and pictures to look at."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from dbgan.corpus import Corpus
from dbgan.errors import CorpusError
from dbgan.evaluate import metrics, pictures
from dbgan.files import replace_tree, state_dir, write_bytes, write_json
from dbgan.image.codec import decode, encode
from dbgan.networks import load_weights, receptive_radius
from dbgan.params import EvaluateParams
from dbgan.progress import progress
from dbgan.recipe import digest
from dbgan.restore import best_device, restore
from dbgan.sheet import Block, Cell, centre, draw

METRICS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "psnr_rgb": metrics.psnr_rgb,
    "ssim": metrics.ssim,
    "ssim_matlab3d": metrics.ssim_matlab3d,
}
"""Name -> (restored, reference), NCHW uint8 -> (N,). A new metric is one line here."""

EQUAL_PSNR = 100.0
"""What stands for the infinite PSNR of equal pictures, dB: JSON has no infinity."""

GRID_CELL = (480, 360)
"""Largest picture in grid.png and captures.png, px."""


@dataclass(frozen=True, slots=True)
class Score:
    """The scores of one test pair: of the restored picture and, `before`, of the blurry input."""

    source: str
    sequence: str
    key: str
    device: str
    after: dict[str, float]
    before: dict[str, float]

    def row(self) -> dict[str, Any]:
        """The row of images.parquet."""
        told = {"source": self.source, "sequence": self.sequence, "key": self.key, "device": self.device}
        return {**told, **self.after, **{f"input_{name}": value for name, value in self.before.items()}}


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture to look at. `images` (field -> HWC uint8 RGB, cut) lack `sharp` where no reference exists."""

    source: str
    key: str
    device: str
    images: dict[str, NDArray[np.uint8]]
    psnr: tuple[float, float] | None = None
    """PSNR of the whole picture before and after, dB."""


Restorer = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def evaluate(variant: str, weights: Path, params: EvaluateParams, test: Path, out: Path) -> dict[str, float]:
    """Restore and score every corpus under `test`; write metrics.json, images.parquet, grids and pictures into `out`.

    Args:
        variant: name of the trained variant, for titles.
        weights: its weights.safetensors.
        params: tile, precision, threads, number of pictures.
        test: folder of corpora (`NAME/` and, if curated, `NAME.selection.parquet`).
        out: folder that will hold exactly this stage's files.

    Returns:
        What metrics.json holds: `{source}.{metric}`, `{source}.input.{metric}` (means over images), `{source}.images`.

    Raises:
        CorpusError: no paired corpus with kept samples is under `test`, or one cannot be read.
    """
    corpora = open_corpora(test)
    network = load_weights(weights)
    device = best_device()

    def run(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        restored = restore(
            picture, network, tile=params.tile, precision=params.precision, threads=params.threads, device=device
        )
        return decode(encode(restored, "png"))  # what a user would get from disk is what is scored

    paired = {name: corpus for name, corpus in corpora.items() if corpus.kind == "paired"}
    captures = {name: corpus for name, corpus in corpora.items() if corpus.kind == "blurry"}
    scores, shown = score_pairs(variant, paired, params.pictures, run)
    means = mean_scores(scores)
    real = list(restore_captures(captures, params.pictures, run, receptive_radius(network)))
    folder = state_dir() / "evaluate" / digest(str(out.resolve()))[:16]
    shutil.rmtree(folder, ignore_errors=True)  # what a killed run left would become part of `out`
    try:
        write_report(variant, scores, means, shown, real, folder)
        out.mkdir(parents=True, exist_ok=True)
        replace_tree(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return means


def open_corpora(test: Path) -> dict[str, Corpus]:
    """Name -> corpus under `test`, through its selection if there is one. Corpora without kept samples are left out."""
    corpora: dict[str, Corpus] = {}
    for header in sorted(test.glob("*/corpus.json")):
        path = header.parent
        selection = test / f"{path.name}.selection.parquet"
        corpus = Corpus.open(path, selection=selection if selection.is_file() else None)
        if len(corpus):
            corpora[path.name] = corpus
    if not any(corpus.kind == "paired" for corpus in corpora.values()):
        found = ", ".join(f"{name} ({corpus.kind})" for name, corpus in corpora.items()) or "none"
        raise CorpusError(
            f"{test}: expected a paired test corpus with samples to score against; found corpora: {found}.\n"
            "Next: add a source with `use: test` and pairs to params.yaml, or loosen its curate limits."
        )
    return corpora


def score(restored: NDArray[np.uint8], sharp: NDArray[np.uint8]) -> dict[str, float]:
    """Every metric of one picture against its reference, both HWC uint8 RGB of one size."""
    pair = [torch.from_numpy(np.ascontiguousarray(p.transpose(2, 0, 1)[None])) for p in (restored, sharp)]
    values = {name: float(metric(pair[0], pair[1])[0]) for name, metric in METRICS.items()}
    return {name: value if np.isfinite(value) else EQUAL_PSNR for name, value in values.items()}


def score_pairs(variant: str, corpora: dict[str, Corpus], count: int, run: Restorer) -> tuple[list[Score], list[Shown]]:
    """Score all pairs, in the order of source and key, keeping cuts of the `count` pictures to show."""
    scores, shown = [], dict[tuple[str, str], Shown]()
    chosen = choose_keys(corpora, count)
    with progress(f"evaluate {variant}", sum(len(corpus) for corpus in corpora.values())) as steps:
        for source, corpus in corpora.items():
            for key in corpus.keys:
                sample = corpus[key]
                blur, sharp = sample.images["blur"], sample.images["sharp"]
                restored = run(blur)
                after, before = score(restored, sharp), score(blur, sharp)
                device = str(sample.meta["device"])
                scores.append(Score(source, str(sample.meta["sequence"]), key, device, after, before))
                if key in chosen[source]:
                    whole = {"blur": blur, "restored": restored, "sharp": sharp}
                    cuts = {field: pictures.cut(picture) for field, picture in whole.items()}
                    psnr = (before["psnr_rgb"], after["psnr_rgb"])
                    shown[source, key] = Shown(source, key, device, cuts, psnr)
                steps.advance()
    return scores, [shown[source, key] for source in corpora for key in chosen[source]]


def restore_captures(corpora: dict[str, Corpus], count: int, run: Restorer, radius: int) -> Iterator[Shown]:
    """Restore the shown centre of `count` real captures, which have no reference.

    Only the centre and the `radius` px around it that its pixels depend on are computed: the rest of a 12 MP photo
    would cost minutes and is not shown.
    """
    for source, keys in choose_keys(corpora, count).items():
        for key in keys:
            sample = corpora[source][key]
            whole = sample.images["blur"]
            rows, columns = pictures.box(whole.shape[0], whole.shape[1])
            top, left = max(0, rows.start - radius), max(0, columns.start - radius)
            around = run(np.ascontiguousarray(whole[top : rows.stop + radius, left : columns.stop + radius]))
            restored = around[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            images = {"blur": pictures.cut(whole), "restored": np.array(restored)}
            yield Shown(source, key, str(sample.meta["device"]), images)


def choose_keys(corpora: dict[str, Corpus], count: int) -> dict[str, list[str]]:
    """Source -> keys of the pictures to show, `count` over all sources."""
    shares = pictures.share(count, {name: len(corpus) for name, corpus in corpora.items()})
    return {name: pictures.choose(pictures.strengths(corpus), shares[name]) for name, corpus in corpora.items()}


def mean_scores(scores: list[Score]) -> dict[str, float]:
    """metrics.json: means over images, per source. Counts are whole numbers."""
    means: dict[str, float] = {}
    for source in dict.fromkeys(score.source for score in scores):
        own = [score for score in scores if score.source == source]
        for name in METRICS:
            means[f"{source}.{name}"] = round(float(np.mean([s.after[name] for s in own])), 6)
            means[f"{source}.input.{name}"] = round(float(np.mean([s.before[name] for s in own])), 6)
        means[f"{source}.images"] = len(own)
    return means


def write_report(
    variant: str, scores: list[Score], means: dict[str, float], pairs: list[Shown], real: list[Shown], out: Path
) -> None:
    """All files of the stage, into an empty folder."""
    write_json(out / "metrics.json", means)
    write_bytes(out / "images.parquet", images_table(scores))
    listed = [_write_pictures(shown, f"pictures/{i:02d}", out) for i, shown in enumerate(pairs)]
    listed += [_write_pictures(shown, f"captures/{i:02d}", out) for i, shown in enumerate(real)]
    write_json(out / "pictures.json", listed)
    notes = ("Centres at full resolution; the PSNR is that of the whole picture.",)
    cells = tuple(cell for shown in pairs for cell in _cells(shown, variant))
    grid = draw(f"{variant}: test pairs", [Block("", cells)], columns=3, notes=notes)
    write_bytes(out / "grid.png", encode(grid, "png"))
    if real:
        cells = tuple(cell for shown in real for cell in _cells(shown, variant))
        notes = ("Centres at full resolution. Real blur: there is no sharp reference, so nothing is scored.",)
        grid = draw(f"{variant}: real captures", [Block("", cells)], columns=2, notes=notes)
        write_bytes(out / "captures.png", encode(grid, "png"))


def images_table(scores: list[Score]) -> bytes:
    """images.parquet: source, sequence, key, device, the metrics, and `input_` metrics of the blurry picture."""
    text = [pa.field(name, pa.string(), nullable=False) for name in ("source", "sequence", "key", "device")]
    numbers = [*METRICS, *(f"input_{name}" for name in METRICS)]
    schema = pa.schema([*text, *(pa.field(name, pa.float64(), nullable=False) for name in numbers)])
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([score.row() for score in scores], schema=schema), buffer, compression="zstd")
    return buffer.getvalue()


def _write_pictures(shown: Shown, stem: str, out: Path) -> dict[str, Any]:
    """The PNG files of one picture and its entry in pictures.json."""
    files = {field: f"{stem}-{field}.png" for field in shown.images}
    for field, picture in shown.images.items():
        write_bytes(out / files[field], encode(picture, "png"))
    entry: dict[str, Any] = {"source": shown.source, "key": shown.key, "device": shown.device, "files": files}
    if shown.psnr is None:
        return {"kind": "capture", **entry}
    return {"kind": "pair", **entry, "input_psnr_rgb": round(shown.psnr[0], 4), "psnr_rgb": round(shown.psnr[1], 4)}


def _cells(shown: Shown, variant: str) -> list[Cell]:
    captions: dict[str, tuple[str, ...]] = {
        "blur": (f"{shown.source} {shown.key}", shown.device or "unknown device"),
        "restored": (f"restored by {variant}",),
    }
    if shown.psnr is not None:
        captions["blur"] = (f"{shown.source} {shown.key}", f"blurry input, {shown.psnr[0]:.2f} dB")
        captions["restored"] = (f"restored by {variant}, {shown.psnr[1]:.2f} dB",)
        captions["sharp"] = ("sharp reference",)
    return [Cell(centre(picture, *GRID_CELL), captions[field]) for field, picture in shown.images.items()]
