"""From parameters and blurs to what the plan and the engine take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dbgan.blur.model import Blur, stride_of, window_of
from dbgan.image.codec import JPEG_QUALITY
from dbgan.params import SynthesizeParams
from dbgan.recipe import codec_versions, device_class
from dbgan.synthesize.build import REVISION, PairBuilder
from dbgan.synthesize.plan import Model, Settings, SharpSource


def settings_of(params: SynthesizeParams, blurs: Mapping[str, Blur]) -> Settings:
    """What the plan needs to know of parameters and blurs."""
    shares = {str(name): share for name, share in params.shares.items()}
    models = {
        name: Model(
            blur={"name": blur.name, "revision": blur.revision, **blur.describe()},
            computed={
                "codecs": codec_versions(),
                "device": device_class(getattr(blur, "device", "cpu"), params.threads),
            },
            share=shares.get(name, 1.0),
            window=window_of(blur),
            stride=stride_of(blur),
        )
        for name, blur in blurs.items()
    }
    usual = params.image != "jpg" or params.jpeg_quality == JPEG_QUALITY
    ext = params.image if usual else f"{params.image} of quality {params.jpeg_quality}"
    return Settings(params.variants, params.seed, ext, params.shard_samples, models, REVISION, params.quality)


def make_builder(sources: Sequence[SharpSource], blurs: Mapping[str, Blur], params: SynthesizeParams) -> PairBuilder:
    """The engine's builder of these pairs."""
    # A picture that no other pair is made of gives its memory to the next: fresh pages would cost more than its digest.
    again = params.variants > 1 or any(window_of(blur) != (0, 0) for blur in blurs.values())
    return PairBuilder(
        {source.name: source.path for source in sources},
        dict(blurs),
        params.seed,
        params.image,
        quality=params.jpeg_quality,
        measured=params.quality,
        io_threads=params.io_threads,
        makers=params.threads,
        memory=params.memory_mb * 1_000_000 if again else 0,
    )
