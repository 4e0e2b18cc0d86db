"""The verbs: `synthesize` (a stage, over train sources of a project) and `blur_corpus` (by hand, over one corpus)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from dbgan.blur.model import Blur
from dbgan.corpus.header import Header
from dbgan.corpus.read import read_header
from dbgan.engine import BuildReport, build_corpus
from dbgan.errors import ParamsError
from dbgan.files import sha256_file
from dbgan.params import SynthesizeParams, validated
from dbgan.recipe import codec_versions, device_class
from dbgan.synthesize.build import REVISION, PairBuilder
from dbgan.synthesize.plan import Settings, SharpSource, plan, read_source

NOT_IN_CORPUS = ("workers",)
"""Parameters that change no byte: they are left out of corpus.json."""


def synthesize(
    name: str, params: SynthesizeParams, datasets: Path, models: Path, out: Path, *, workers: int | None = None
) -> BuildReport:
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

    Raises:
        CorpusError: a source is missing, has no sharp frames, or none in its train split.
        DbganError: weights are missing; shards failed (the finished ones are kept).
        ParamsError: a model that is not offered.
    """
    blur = make_blur(
        params.model,
        models / "bgan" / params.generator / "weights.safetensors" if params.model == "bgan" else None,
        tile=params.tile,
        precision=params.precision,
    )
    train = datasets / "train"
    sources = [read_source(train / source, train / f"{source}.selection.parquet") for source in params.sharp]
    count = params.workers if workers is None else workers
    return make_pairs(name, sources, blur, params, out, count)


def blur_corpus(
    corpus: Path,
    out: Path,
    *,
    model: str = "bgan",
    weights: Path | None = None,
    variants: int = 1,
    seed: int = 0,
    workers: int = 1,
) -> BuildReport:
    """Blur every sharp picture of one corpus (`dbgan blur`). No selection applies: all of the corpus is meant.

    Args:
        corpus: a paired or sharp corpus.
        out: folder of the new corpus; its name is the corpus's.
        model: `bgan` or `kernel`.
        weights: the BGAN's weights.safetensors; only with `bgan`.
        variants: blurry versions per picture.
        seed: of everything random.
        workers: 1: in this process; n: n Ray actors; 0: one per device.

    Raises:
        ParamsError: an unknown model, or weights missing or given for a model that has none.
        CorpusError: the corpus cannot be read or has no sharp pictures.
    """
    source = read_source(corpus)
    blur = make_blur(model, weights)
    # The weights have no name here, so corpus.json names them by their digest.
    generator = f"sha256-{sha256_file(weights)}" if weights is not None else ""
    values = {"sharp": [source.name], "model": model, "generator": generator, "variants": variants, "seed": seed}
    params = validated(SynthesizeParams, {**values, "image": source.ext}, f"dbgan blur {corpus}")
    return make_pairs(out.name, [source], blur, params, out, workers)


def make_blur(
    model: str, weights: Path | None, *, tile: int = 512, precision: Literal["fp32", "bf16"] = "fp32"
) -> Blur:
    """The blur of a name.

    Raises:
        ParamsError: an unknown model, or weights missing or given for a model that has none.
        DbganError: the weight file does not exist.
    """
    if (model == "bgan") != (weights is not None):
        wanted = "needs the weights of a trained generator" if model == "bgan" else "takes no weights"
        raise ParamsError(f"blur model {model!r} {wanted}.\nNext: --weights models/bgan/NAME/weights.safetensors")
    if model == "bgan" and weights is not None:
        from dbgan.restore import best_device
        from dbgan.synthesize.learned import BganBlur

        # The device class is part of the recipe, so that a GPU's and a CPU's pictures never mix in a shard unnoticed.
        return BganBlur(weights, tile=tile, precision=precision, device=best_device())
    if model == "kernel":
        from dbgan.blur import KernelBlur

        return KernelBlur()
    raise ParamsError(
        f"blur model {model!r} cannot be used on a corpus: averaging (Eq. 2) needs the consecutive high-speed frames "
        "between two sharp ones, which a corpus does not hold.\nNext: use bgan or kernel."
    )


def make_pairs(
    name: str, sources: Sequence[SharpSource], blur: Blur, params: SynthesizeParams, out: Path, workers: int
) -> BuildReport:
    """Blur the frames of `sources` into the corpus `out`: the common part of both verbs, for any `Blur`.

    Args:
        name: of the new corpus.
        sources: frames to blur.
        blur: what blurs; `digest` (of its weights) and `device` are read where it has them.
        params: variants, seed, image, shard_samples, threads; the whole is recorded in corpus.json.
        out: folder of the new corpus.
        workers: as in `blur_corpus`.
    """
    device = getattr(blur, "device", "cpu")
    computed = {"codecs": codec_versions(), "device": device_class(device, params.threads)}
    settings = Settings(
        variants=params.variants,
        seed=params.seed,
        ext=params.image,
        shard_samples=params.shard_samples,
        blur={"name": blur.name, "revision": blur.revision, **blur.describe()},
        computed=computed,
        revision=REVISION,
    )
    header = Header(
        kind="paired",
        ext=params.image,
        name=name,
        params=params.model_dump(mode="json", exclude=set(NOT_IN_CORPUS)),
        codecs=codec_versions(),
        device_class=computed["device"],
        synthesized=True,
        max_pixels=max(read_header(source.path).max_pixels for source in sources),
        notes=_notes(sources, settings.blur),
    )
    builder = PairBuilder(
        {source.name: source.path for source in sources}, blur, params.seed, params.image, getattr(blur, "digest", "")
    )
    return build_corpus(
        out,
        header,
        builder,
        plan(sources, settings),
        workers=workers,
        gpus_per_worker=_gpus_per_worker(device, workers),
        threads=params.threads,
    )


def _notes(sources: Sequence[SharpSource], blur: Mapping[str, Any]) -> tuple[str, ...]:
    frames = ", ".join(f"{len(source.rows)} of {source.name}" for source in sources)
    return (
        f"Sharp frames: {frames}. Their blur is synthetic, made by {blur['name']}; the manifest says how, per pair.",
    )


def _gpus_per_worker(device: str, workers: int) -> float:
    """A whole GPU per actor, or equal shares where more actors are asked for than this machine has GPUs."""
    if not device.startswith("cuda"):
        return 0
    if workers <= 1 or os.environ.get("RAY_ADDRESS"):
        return 1
    import torch

    return min(1.0, torch.cuda.device_count() / workers)
