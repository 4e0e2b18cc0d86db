"""Which figures and tables an audit leaves, besides audit.json."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dbgan.evaluate.audit import compare, examples, figures, tables, texture
from dbgan.evaluate.audit.measured import Measured
from dbgan.evaluate.audit.measures import LEAD, MEASURES, STRENGTH
from dbgan.files import write_bytes
from dbgan.image.codec import encode
from dbgan.image.quality import IDENTITY_DB
from dbgan.params import AuditParams


def labels(measured: Measured) -> dict[str, str]:
    """Set -> its name in legends, in the order in which sets are shown; only those that there are."""
    words = {
        "real": "real captures",
        "synthetic": f"{measured.blur} blur",
        "pairs": "paired sources' own blur",
        "kernel": "random kernels",
        "sharp": "sharp frames",
    }
    return {name: text for name, text in words.items() if name in measured.sets}


def write(measured: Measured, params: AuditParams, out: Path) -> None:
    """distances.csv and .png, strength.csv and .png, spectrum.csv and .png, psnr.png, variants.png, real.png."""
    named = labels(measured)
    order = list(named)
    write_bytes(out / "distances.csv", tables.distances(measured.distances).encode())
    relative = compare.relative(measured.distances)
    title = "How far from the real captures, by each measure"
    write_bytes(out / "distances.png", figures.relative(title, relative, named))
    panels = {MEASURES[m].axis: {n: measured.sets[n].pooled(m) for n in order} for m in STRENGTH}
    title = f"Blur strength on crops of {params.crop} px; dots: medians"
    write_bytes(out / "strength.png", figures.distributions(title, panels, named))
    lead = {name: measured.sets[name].pooled(LEAD) for name in order}
    write_bytes(out / "strength.csv", tables.quantiles(lead).encode())
    spectra = {name: np.median(measured.sets[name].pooled("spectrum_db"), axis=0) for name in order}
    write_bytes(out / "spectrum.csv", tables.spectrum(texture.centres(), spectra).encode())
    title = "Power spectrum, median of the crops: blur takes high frequencies away"
    write_bytes(out / "spectrum.png", figures.spectrum(title, texture.centres(), spectra, named))
    title = "How far blurry pictures are from their sharp ones"
    write_bytes(out / "psnr.png", figures.psnr(title, measured.psnr, named, IDENTITY_DB))
    variants = examples.variants(measured.synthetic, params, measured.blur)
    write_bytes(out / "variants.png", encode(variants, "png"))
    real = examples.real(measured.synthetic, measured.captured, params, measured.blur)
    write_bytes(out / "real.png", encode(real, "png"))
