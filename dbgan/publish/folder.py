"""The folder that leaves the house: a corpus in `data/` or weights, with card, croissant.json, pictures and digests."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2

from dbgan import files
from dbgan.corpus import Corpus
from dbgan.corpus.croissant import CROISSANT
from dbgan.corpus.tables import CARD, CORPUS
from dbgan.errors import DbganError
from dbgan.params import Params, RightsParams
from dbgan.publish import cards, checks
from dbgan.sheet import Block, Cell, draw, fit

SUMS = "SHA256SUMS"
SAMPLES = 6
SIDE = (480, 360)
"""Pictures on the sheet of a card are reduced to this width and height, px."""
VARIANTS = ("l1", "minus", "base", "control", "plus")


def publish(name: str, params: Params, root: Path, out: Path) -> list[checks.Check]:
    """Check NAME and, if nothing is wrong, write the folder `out`.

    Args:
        name: a source, a synthetic corpus, `bgan/NAME`, or a variant of DBGAN.
        params: the project's.
        root: the project's folder.
        out: folder to write; missing or empty.

    Returns:
        All checks. Where one has a problem nothing was written.

    Raises:
        DbganError: there is nothing of this name, or `out` holds files.
    """
    folder, is_corpus = _place(name, params, root)
    if is_corpus:
        made = checks.of_corpus(name, folder, params, root / "reports")
        rights = checks.rights_of(checks.sources_of_corpus(name, params), params)
    else:
        made = checks.of_model(name, folder, params)
        rights = checks.rights_of(checks.sources_of_model(name, params), params)
    if not any(check.problem for check in made):
        with files.atomic_folder(out) as temporary:
            if is_corpus:
                _corpus(folder, temporary, rights)
            else:
                _model(name, folder, temporary, rights, root / "reports")
            _sums(temporary)
    return made


def _place(name: str, params: Params, root: Path) -> tuple[Path, bool]:
    if name in params.synthetic:
        return root / "datasets" / "synthetic" / name, True
    if name in params.sources:
        return root / "datasets" / params.sources[name].use / name, True
    if name.startswith("bgan/") and name.removeprefix("bgan/") in params.bgan:
        return root / "models" / name, False
    if name in VARIANTS:
        return root / "models" / "dbgan" / name, False
    known = [*params.synthetic, *params.sources, *(f"bgan/{b}" for b in params.bgan), *VARIANTS]
    raise DbganError(f"{name}: nothing of this name can be published.\nExpected one of: {', '.join(known)}")


def _corpus(folder: Path, out: Path, rights: Mapping[str, RightsParams]) -> None:
    """`data/` is the corpus as it is, so that it verifies there; shards are hard links where the disk allows it."""
    (out / "data").mkdir()
    for path in sorted(folder.iterdir()):
        _link(path, out / "data" / path.name)
    corpus = Corpus.open(folder)
    (out / "samples").mkdir()
    _sheet(corpus, out / "samples" / "samples.png")
    counts = json.loads((folder / CORPUS).read_bytes())["counts"]
    (out / CARD).write_text(cards.corpus_card(corpus, counts, rights, ["samples.png"]), encoding="utf-8")
    files.write_json(out / CROISSANT, _croissant(json.loads((folder / CROISSANT).read_bytes()), rights))


def _croissant(value: dict[str, Any], rights: Mapping[str, RightsParams]) -> dict[str, Any]:
    """croissant.json of the published folder: files lie in `data/`, and the licence is told."""
    for one in value["distribution"]:
        if "contentUrl" in one:
            one["contentUrl"] = f"data/{one['contentUrl']}"
    value["license"] = "; ".join(sorted({right.licence.strip() for right in rights.values()}))
    value["creator"] = [
        {"@type": "sc:Organization", "name": who}
        for who in sorted({right.attribution.strip() for right in rights.values()})
    ]
    return value


def _sheet(corpus: Corpus, path: Path) -> None:
    """A few samples, blurry beside sharp, spread evenly over the keys."""
    step = max(1, len(corpus) // SAMPLES)
    cells = [
        Cell(fit(image, *SIDE), (sample.key, field))
        for sample in (corpus[i] for i in range(0, len(corpus), step)[:SAMPLES])
        for field, image in sample.images.items()
    ]
    block = Block(f"{len(cells) // len(corpus.fields)} of {len(corpus):,} samples", tuple(cells))
    picture = draw(corpus.name, [block], columns=2 * len(corpus.fields))
    cv2.imwrite(str(path), picture[..., ::-1])


def _model(name: str, folder: Path, out: Path, rights: Mapping[str, RightsParams], reports: Path) -> None:
    from dbgan.networks import load_weights

    shutil.copyfile(folder / "weights.safetensors", out / "weights.safetensors")
    (out / "samples").mkdir()
    found = [*folder.glob("*.png"), *(reports / "evaluate" / name).glob("*.png")]
    for path in sorted(found):
        shutil.copyfile(path, out / "samples" / path.name)
    if (folder / "curves.csv").is_file():
        shutil.copyfile(folder / "curves.csv", out / "curves.csv")
    metrics = reports / "evaluate" / name / "metrics.json"
    pictures = sorted({path.name for path in found})
    architecture = load_weights(folder / "weights.safetensors").architecture
    (out / CARD).write_text(cards.model_card(name, architecture, rights, metrics, pictures), encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)  # DVC may have made it a symbolic link into its cache
    except OSError:
        shutil.copyfile(source, target)


def _sums(out: Path) -> None:
    """SHA256SUMS as `sha256sum -c` reads it."""
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    (out / SUMS).write_text("".join(f"{files.sha256_file(out / name)}  {name}\n" for name in names), encoding="utf-8")
