"""The verbs: `synthesize` (a stage, over train sources of a project) and `blur_corpus` (by hand, over one corpus)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dbgan.blur.compose import make
from dbgan.blur.model import Blur, window_of
from dbgan.corpus import receipts
from dbgan.corpus.header import Header
from dbgan.corpus.layout import slug
from dbgan.corpus.read import read_header
from dbgan.corpus.verify import verify
from dbgan.engine import BuildReport, build_corpus
from dbgan.engine.build import reusable
from dbgan.errors import CorpusError, ParamsError
from dbgan.files import sha256_file
from dbgan.params import SynthesizeParams, validated
from dbgan.recipe import codec_versions, device_class
from dbgan.synthesize.estimate import Estimate, estimate
from dbgan.synthesize.plan import Settings, SharpSource, plan, read_source
from dbgan.synthesize.prepare import make_builder, settings_of

NOT_IN_CORPUS = ("workers", "io_threads", "memory_mb")
"""Parameters that change no byte: they are left out of corpus.json."""


def synthesize(
    name: str,
    params: SynthesizeParams,
    datasets: Path,
    models: Path,
    out: Path,
    *,
    workers: int | None = None,
    dry_run: bool = False,
) -> BuildReport | Estimate:
    """Blur the sharp train frames of a project's sources into the corpus `out`.

    Only samples that a source's selection keeps in the split `train` are blurred: a model that learns from the pairs
    must not have seen validation or test scenes.

    Args:
        name: of the synthetic corpus.
        params: sources, blur, variants, tile, ...
        datasets: the project's `datasets`; reads `train/SOURCE` and `train/SOURCE.selection.parquet`.
        models: the project's `models`; reads `bgan/GENERATOR/weights.safetensors`.
        out: folder of the corpus, made or brought up to date.
        workers: as `SynthesizeParams.workers`, which it overrides.
        dry_run: only tell what would be built and what it would cost.

    Raises:
        CorpusError: a source is missing, has no sharp frames, or none in its train split.
        DbganError: weights are missing; shards failed (the finished ones are kept).
        ParamsError: a model that is not offered.
    """
    weights = models / "bgan" / params.generator / "weights.safetensors" if params.generator else None
    blurs = make_blurs(params, weights)
    train = datasets / "train"
    windows = any(window_of(blur) != (0, 0) for blur in blurs.values())
    sources = [
        read_source(train / source, train / f"{source}.selection.parquet", neighbours=windows, measured=params.quality)
        for source in params.sharp
    ]
    count = params.workers if workers is None else workers
    if dry_run:
        return estimate(sources, blurs, params, out, count)
    return make_pairs(name, sources, blurs, params, out, count, rehearse=True)


def blur_corpus(
    corpus: Path,
    out: Path,
    *,
    model: str = "bgan",
    weights: Path | None = None,
    variants: int = 1,
    seed: int = 0,
    workers: int = 1,
    settings: Mapping[str, Any] | None = None,
    dry_run: bool = False,
) -> BuildReport | Estimate:
    """Blur every sharp picture of one corpus (`dbgan blur`). No selection applies: all of the corpus is meant.

    Args:
        corpus: a paired or sharp corpus.
        out: folder of the new corpus; its name is the corpus's.
        model: `bgan`, `average` or `kernel`.
        weights: the BGAN's weights.safetensors; only with `bgan`.
        variants: blurry versions per picture.
        seed: of everything random.
        workers: 1: in this process; n: n Ray actors; 0: one per device.
        settings: further fields of `SynthesizeParams`.
        dry_run: only tell what would be built and what it would cost.

    Raises:
        ParamsError: an unknown model, or weights missing or given for a model that has none.
        CorpusError: the corpus cannot be read or has no sharp pictures.
    """
    source = read_source(corpus)
    if (model == "bgan") != (weights is not None):
        wanted = "needs the weights of a trained generator" if model == "bgan" else "takes no weights"
        raise ParamsError(f"blur model {model!r} {wanted}.\nNext: --weights models/bgan/NAME/weights.safetensors")
    # The weights have no name here, so corpus.json names them by their digest.
    generator = f"sha256-{sha256_file(weights)}" if weights is not None else ""
    # A folder given by hand may have any name; that of a source has letters, digits, _ and - only.
    values = {"sharp": [slug(source.name)], "model": model, "generator": generator, "variants": variants, "seed": seed}
    params = validated(SynthesizeParams, {"image": source.ext, **(settings or {}), **values}, f"dbgan blur {corpus}")
    blurs = make_blurs(params, weights)
    if dry_run:
        return estimate([source], blurs, params, out, workers)
    return make_pairs(out.name, [source], blurs, params, out, workers, rehearse=True)


def make_blurs(params: SynthesizeParams, weights: Path | None) -> dict[str, Blur]:
    """Model -> blur, for every model that has a share.

    Args:
        params: their parameters.
        weights: of the generator; only with bgan.

    Raises:
        DbganError: the weight file, or a file of camera constants, does not exist.
    """
    blurs: dict[str, Blur] = {}
    for model in params.shares:
        learned: Blur | None = None
        if model == "bgan" and weights is not None:
            from dbgan.restore import best_device
            from dbgan.synthesize.learned import BganBlur

            # The device class is part of the recipe: a GPU's and a CPU's pictures never mix in a shard unnoticed.
            learned = BganBlur(
                weights,
                tile=params.tile,
                precision=params.precision,
                device=best_device(),
                fields_side=params.fields_side,
                motion=params.motion,
            )
        blurs[model] = make(model, params, learned)
    return blurs


def make_pairs(
    name: str,
    sources: Sequence[SharpSource],
    blurs: Mapping[str, Blur],
    params: SynthesizeParams,
    out: Path,
    workers: int,
    *,
    rehearse: bool = False,
) -> BuildReport:
    """Blur the frames of `sources` into the corpus `out`: the common part of both verbs, for any `Blur`.

    Args:
        name: of the new corpus.
        sources: frames to blur.
        blurs: model -> what blurs; `digest` (of its weights) and `device` are read where it has them.
        params: variants, seed, image, shard_samples, threads, ...; the whole is recorded in corpus.json.
        out: folder of the new corpus.
        workers: as in `blur_corpus`.
        rehearse: before anything is built, look at the sources' files and take one picture through the whole path.

    Raises:
        CorpusError: a source is damaged.
        ParamsError: `out` is one of the sources.
    """
    for source in sources:
        if out.resolve() == source.path.resolve():
            raise ParamsError(f"{out}: is the corpus whose frames are blurred.\nNext: name another folder to write.")
    device = next((d for blur in blurs.values() if (d := getattr(blur, "device", "cpu")) != "cpu"), "cpu")
    settings = settings_of(params, blurs)
    plans = plan(sources, settings)
    # Where nothing is to be built, hours are not at stake: the tables of millions of rows take minutes to check.
    if rehearse and len(reusable(out, plans, receipts.finished(out))) < len(plans):
        for source in sources:
            check_source(source)
    header = Header(
        kind="paired",
        ext=params.image,
        name=name,
        params=params.model_dump(mode="json", exclude=set(NOT_IN_CORPUS)),
        codecs=codec_versions(),
        device_class=device_class(device, params.threads),
        synthesized=True,
        quality=params.quality,
        max_pixels=max(read_header(source.path).max_pixels for source in sources),
        notes=_notes(sources, settings),
        arrays=("motion",) if params.motion else (),
    )
    return build_corpus(
        out,
        header,
        make_builder(sources, blurs, params),
        plans,
        workers=workers,
        gpus_per_worker=_gpus_per_worker(device, workers),
        threads=params.threads,
        rehearse=rehearse,
    )


def check_source(source: SharpSource) -> None:
    """Look at a source's tables and at the sizes of its shards, in a moment: `dbgan corpus verify --quick`.

    Raises:
        CorpusError: something is wrong with it.
    """
    problems = verify(source.path, quick=True)
    if problems:
        lines = "".join(f"\n  {problem.where}: {problem.what}" for problem in problems[:5])
        more = f"\n  and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise CorpusError(
            f"{source.path}: this source is damaged:{lines}{more}\n"
            "Next: `dbgan corpus verify --repair`, then `dvc pull` or build it again; nothing was blurred yet."
        )


def _notes(sources: Sequence[SharpSource], settings: Settings) -> tuple[str, ...]:
    frames = ", ".join(f"{len(source.rows)} of {source.name}" for source in sources)
    whole = sum(model.share for model in settings.models.values())
    parts = [f"{model.blur['name']}{_percent(model.share / whole)}" for _, model in sorted(settings.models.items())]
    made = ", ".join(parts)
    return (f"Sharp frames: {frames}. Their blur is synthetic, made by {made}; the manifest says how, per pair.",)


def _percent(share: float) -> str:
    return "" if share == 1 else f" ({share:.0%} of the shards)"


def _gpus_per_worker(device: str, workers: int) -> float:
    """A whole GPU per actor, or equal shares where more actors are asked for than this machine has GPUs."""
    if not device.startswith("cuda"):
        return 0
    if workers <= 1 or os.environ.get("RAY_ADDRESS"):
        return 1
    import torch

    return min(1.0, torch.cuda.device_count() / workers)
