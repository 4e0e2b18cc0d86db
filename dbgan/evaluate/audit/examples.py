"""Pictures of an audit: sharp frames and their variants (like the paper's Fig. 4), real captures and synthetic blur."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dbgan import seeds
from dbgan.corpus import Corpus
from dbgan.evaluate import pictures
from dbgan.evaluate.audit import boxes
from dbgan.evaluate.audit.sets import Source, reduced, variants_of
from dbgan.params import AuditParams
from dbgan.sheet import Block, Cell, draw, fit

ROWS = 4
SHOWN_VARIANTS = 3
CELL = 300
"""Side of a crop as it is drawn, px: enlarged, so that its blur can be seen."""


def variants(corpus: Corpus, params: AuditParams, blur: str) -> NDArray[np.uint8]:
    """Crops of sharp frames and of up to three of their variants, one frame a row, as HWC uint8 RGB."""
    first = {keys[0]: keys for keys in variants_of(corpus).values()}
    table = pictures.strengths(corpus)
    chosen = pictures.choose(table[table["key"].isin(first)], ROWS)
    shown = max(len(first[key][:SHOWN_VARIANTS]) for key in chosen)
    columns = ["key", "variant", "pair_psnr", "noise"]
    rows = corpus.table(columns=columns).set_index("key").to_dict("index")
    cells: list[Cell] = []
    for key in chosen:
        keys = first[key][:shown]
        samples = [corpus[k].images for k in keys]
        box = _box(samples[0]["sharp"], params, key)
        cells.append(_cell(samples[0]["sharp"], box, (f"sharp, {key.rpartition('-v')[0] or key}",)))
        for row, images in zip((rows[k] for k in keys), samples, strict=True):
            told = f"{blur}, variant {row['variant']}{_decibels(row['pair_psnr'])}"
            cells.append(_cell(images["blur"], box, (told, *_noise(row["noise"]))))
        cells += [Cell(None)] * (shown - len(keys))
    notes = (
        f"Crops of {params.crop} px, enlarged; dB: PSNR of the whole blurry picture against the sharp one.",
        "z is the noise that the generator was given: the same frame under another z should blur in another way.",
    )
    return draw(f"Sharp frames and their {blur} blur", [Block("", tuple(cells))], columns=1 + shown, notes=notes)


def real(corpus: Corpus, sources: Sequence[Source], params: AuditParams, blur: str) -> NDArray[np.uint8]:
    """Crops of real captures above crops of synthetic blur, two rows of four each, as HWC uint8 RGB."""
    count = 2 * ROWS
    shares = pictures.share(count, {source.corpus.name: len(source.table) for source in sources})
    captured: list[Cell] = []
    for source in sources:
        for key in pictures.choose(source.table, shares[source.corpus.name]):
            sample = source.corpus[key]
            picture = reduced(sample.images["blur"], params.long_side)
            device = str(sample.meta["device"]) or "unknown device"
            captured.append(_cell(picture, _box(picture, params, key), (f"{source.corpus.name} {key}", device)))
    synthetic = []
    for key in pictures.choose(pictures.strengths(corpus), count):
        images = corpus[key].images
        synthetic.append(_cell(images["blur"], _box(images["sharp"], params, key), (key,)))
    scaled = f", reduced to a long side of {params.long_side} px" if params.long_side else ""
    blocks = [Block(f"Real captures{scaled}", tuple(captured)), Block(f"{blur} blur", tuple(synthetic))]
    order = "Real captures are sorted by sharpness, synthetic ones by PSNR against sharp; smallest first."
    notes = (f"Crops of {params.crop} px, enlarged alike. {order}",)
    return draw(f"Real captures and {blur} blur", blocks, columns=ROWS, notes=notes)


def _box(picture: NDArray[np.uint8], params: AuditParams, key: str) -> tuple[int, int, int]:
    """(top, left, side) of the shown crop: the most contrasty of those that the audit measures."""
    side = min(params.crop, *picture.shape[:2])
    rng = seeds.generator(params.seed, "audit", key)
    top, left = boxes.crop_boxes(boxes.luma(picture), side, params.crops_per_image, rng)[0]
    return top, left, side


def _cell(picture: NDArray[np.uint8], box: tuple[int, int, int], captions: tuple[str, ...]) -> Cell:
    top, left, side = box
    crop = np.ascontiguousarray(picture[top : top + side, left : left + side])
    return Cell(fit(crop, CELL, CELL, enlarge=True), captions)


def _decibels(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f", {value:.1f} dB"


def _noise(noise: NDArray[np.float64]) -> tuple[str, ...]:
    return ("z = " + " ".join(f"{value:+.2f}" for value in noise),) if len(noise) else ()
