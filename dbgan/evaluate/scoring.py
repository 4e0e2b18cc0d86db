"""Score one restorer on datasets/test: metrics per image, their means, and pictures to look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dbgan.corpus import Corpus
from dbgan.errors import CorpusError, DbganError
from dbgan.evaluate import pictures
from dbgan.evaluate.alignment import align, masked_psnr, masked_ssim
from dbgan.evaluate.metrics import METRICS
from dbgan.evaluate.restorers import Restorer
from dbgan.evaluate.tables import Score, write_tables
from dbgan.files import replace_tree, state_dir, write_bytes, write_json
from dbgan.image.codec import encode
from dbgan.image.quality import measure
from dbgan.params import AlignParams, ScoringParams
from dbgan.progress import progress
from dbgan.recipe import codec_versions, digest
from dbgan.sheet import Block, Cell, centre, draw

EQUAL_PSNR = 100.0
"""What stands for the infinite PSNR of equal pictures, dB: JSON has no infinity."""

GRID_CELL = (480, 360)
"""Largest picture in grid.png and captures.png, px."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture to look at. `images` (field -> HWC uint8 RGB) lack `sharp` where no reference exists."""

    source: str
    key: str
    device: str
    images: dict[str, NDArray[np.uint8]]
    whole: bool
    """All of the picture; else its centre."""
    psnr: tuple[float, float] | None = None
    """PSNR of the whole picture before and after, dB."""


def evaluate(
    name: str, restorer: Restorer, params: ScoringParams, test: Path, out: Path, *, only: list[str] | None = None
) -> dict[str, float]:
    """Restore and score the corpora under `test`; write the files of `tables`, grids and pictures into `out`.

    Args:
        name: of the variant or of whoever restored, for titles.
        restorer: what restores.
        params: how.
        test: folder of corpora (`NAME/` and, if curated, `NAME.selection.parquet`).
        out: folder that will hold exactly this stage's files.
        only: test sources to score; all that the restorer can be scored on when empty.

    Returns:
        What metrics.json holds (`tables.mean_scores`).

    Raises:
        CorpusError: no paired corpus with kept samples is under `test`, or one cannot be read.
        DbganError: nothing of the restorer can be scored.
    """
    corpora = open_corpora(test)
    paired = {source: corpus for source, corpus in corpora.items() if corpus.kind == "paired"}
    captures = {source: corpus for source, corpus in corpora.items() if corpus.kind == "blurry"}
    paired = scored_sources(name, restorer, paired, only or [])
    scores, shown = score_pairs(name, paired, params, restorer)
    real = list(restore_captures(captures, params, restorer))
    folder = state_dir() / "evaluate" / digest(str(out.resolve()))[:16]
    shutil.rmtree(folder, ignore_errors=True)  # what a killed run left would become part of `out`
    try:
        means = write_tables(scores, params, folder)
        write_pictures(name, shown, real, folder)
        write_json(folder / "how.json", {"computed": restorer.computed, "codecs": codec_versions()})
        out.mkdir(parents=True, exist_ok=True)
        replace_tree(folder, out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return means


def scored_sources(name: str, restorer: Restorer, paired: dict[str, Corpus], only: list[str]) -> dict[str, Corpus]:
    """Of the paired sources those to score.

    Raises:
        DbganError: none, or one that was asked for and of which the restorer has nothing.
    """
    asked = {source: corpus for source, corpus in paired.items() if not only or source in only}
    able = restorer.sources(asked)
    lacking = [source for source in only if source not in able]
    if lacking or not able:
        raise DbganError(
            f"{name}: expected restored pictures of {', '.join(only) or 'a paired test source'}, found "
            f"{', '.join(able) or 'none'}; test sources with pairs are {', '.join(paired)}.\n"
            "Next: correct `files` or `sources` of the item under `evaluate.external`."
        )
    return {source: asked[source] for source in able}


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


def score_aligned(
    restored: NDArray[np.uint8], sharp: NDArray[np.uint8], params: AlignParams
) -> dict[str, float | bool]:
    """`tables.ALIGNED` and `aligned_ok` of one picture by RealBlur's protocol."""
    found = align(restored, sharp, clip_after_warp=params.clip_after_warp)
    psnr = min(masked_psnr(found), EQUAL_PSNR)
    return {"aligned_psnr_rgb": psnr, "aligned_ssim": masked_ssim(found), "aligned_ok": found.converged}


def score_pairs(
    name: str, corpora: dict[str, Corpus], params: ScoringParams, restorer: Restorer
) -> tuple[list[Score], list[Shown]]:
    """Score all pairs, in the order of source and key, keeping the pictures to show."""
    scores, shown = [], dict[tuple[str, str], Shown]()
    chosen = choose_keys(corpora, params.pictures)
    most = params.shown_px
    with progress(f"evaluate {name}", sum(len(corpus) for corpus in corpora.values())) as steps:
        for source, corpus in corpora.items():
            aligned = params.aligned.get(source)
            for key, blur_px in zip(corpus.keys, blur_strengths(corpus), strict=True):
                sample = corpus[key]
                blur, sharp = sample.images["blur"], sample.images["sharp"]
                restored = restorer.restore(source, key, blur)
                strength = extent(blur) if blur_px is None else blur_px
                device, sequence = str(sample.meta["device"]), str(sample.meta["sequence"])
                found = Score(source, sequence, key, device, strength, score(restored, sharp), score(blur, sharp))
                if aligned is not None:
                    after, before = (score_aligned(picture, sharp, aligned) for picture in (restored, blur))
                    found = replace(found, aligned=after, aligned_before=before)
                scores.append(found)
                if key in chosen[source]:
                    whole = {"blur": blur, "restored": restored, "sharp": sharp}
                    cuts = {field: pictures.cut(picture, most) for field, picture in whole.items()}
                    psnr = (found.before["psnr_rgb"], found.after["psnr_rgb"])
                    shown[source, key] = Shown(source, key, device, cuts, cuts["blur"].shape == blur.shape, psnr)
                steps.advance()
    return scores, [shown[source, key] for source in corpora for key in chosen[source]]


def blur_strengths(corpus: Corpus) -> list[float] | list[None]:
    """Edge extent of each blurry picture from the manifest, px, NaN where it has too few edges; None: not measured."""
    if not corpus.header.quality:
        return [None] * len(corpus)
    column = corpus.table(columns=["blur_edge_extent_px"])["blur_edge_extent_px"]
    return [float(value) for value in column.astype("float64")]


def extent(picture: NDArray[np.uint8]) -> float:
    """Edge extent as the manifest has it, px; NaN where there are too few edges."""
    found = measure(picture)["edge_extent_px"]
    return float("nan") if found is None else found


def restore_captures(corpora: dict[str, Corpus], params: ScoringParams, restorer: Restorer) -> Iterator[Shown]:
    """Restore `params.pictures` real captures, which have no reference, as far as they are shown.

    Of a picture over `params.shown_mp` only the centre and the restorer's radius around it, that its pixels depend on,
    are computed: the rest of a 12 MP photo would cost minutes.
    """
    radius = restorer.radius
    if radius is None:
        return
    for source, keys in choose_keys(corpora, params.pictures).items():
        for key in keys:
            sample = corpora[source][key]
            whole = sample.images["blur"]
            rows, columns = pictures.box(whole.shape[0], whole.shape[1], params.shown_px)
            top, left = max(0, rows.start - radius), max(0, columns.start - radius)
            cut = np.ascontiguousarray(whole[top : rows.stop + radius, left : columns.stop + radius])
            around = restorer.restore(source, key, cut)
            restored = around[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            images = {"blur": np.array(whole[rows, columns]), "restored": np.array(restored)}
            yield Shown(source, key, str(sample.meta["device"]), images, restored.shape == whole.shape)


def choose_keys(corpora: dict[str, Corpus], count: int) -> dict[str, list[str]]:
    """Source -> keys of the pictures to show, `count` over all sources."""
    shares = pictures.share(count, {name: len(corpus) for name, corpus in corpora.items()})
    return {name: pictures.choose(pictures.strengths(corpus), shares[name]) for name, corpus in corpora.items()}


def write_pictures(variant: str, pairs: list[Shown], real: list[Shown], out: Path) -> None:
    """The pictures to look at, pictures.json that lists them, and grids of them."""
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


def _write_pictures(shown: Shown, stem: str, out: Path) -> dict[str, Any]:
    """The PNG files of one picture and its entry in pictures.json."""
    files = {field: f"{stem}-{field}.png" for field in shown.images}
    for field, picture in shown.images.items():
        write_bytes(out / files[field], encode(picture, "png"))
    entry: dict[str, Any] = {"source": shown.source, "key": shown.key, "device": shown.device, "files": files}
    entry["whole"] = shown.whole
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
