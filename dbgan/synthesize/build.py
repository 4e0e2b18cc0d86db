"""Makes the pairs of one shard: read sharp frames, blur them, encode that, copy the sharp bytes, note lineage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.model import Blur, Record, run
from dbgan.corpus import Corpus
from dbgan.corpus.columns import allowed_columns
from dbgan.corpus.layout import LOSSLESS, EncodedSample, Plan, Reject, pixel_digest
from dbgan.corpus.motion import encode as encode_motion
from dbgan.engine.overlap import Overlap
from dbgan.errors import DbganError
from dbgan.image import quality
from dbgan.image.codec import JPEG_QUALITY, decode, encode
from dbgan.recipe import canonical
from dbgan.synthesize.plan import BUILDER, Item
from dbgan.synthesize.sharp import Sharp, SharpPictures

REVISION = 5
"""Raised by hand when the bytes of a shard change for the same recipe."""

Pixels = NDArray[np.uint8]
Frames = tuple[Sharp, list[Pixels]]
"""The sharp picture, and the window that is blurred: that picture alone for most blurs."""
Work = tuple[str, Item]
"""The group of a plan, and one of its pairs."""


@dataclass(frozen=True, slots=True)
class PairBuilder:
    """The engine's builder of synthetic pairs. Picklable; corpora and weights are opened by each worker.

    Attributes:
        corpora: source name -> folder of its corpus.
        blurs: model -> what blurs; a `digest` (of weights) goes into the pairs as `generator`.
        seed: of everything random.
        ext: file type of the new corpus. quality: of its JPEGs.
        measured: whether the manifest gets quality measures.
        io_threads: threads that read, and as many that encode. makers: threads of blurs that do not use a device.
        memory: bytes of decoded pictures kept for their other variants. These three never change bytes.
    """

    corpora: Mapping[str, Path]
    blurs: Mapping[str, Blur]
    seed: int
    ext: str
    quality: int = JPEG_QUALITY
    measured: bool = True
    io_threads: int = 2
    makers: int = 1
    memory: int = 1 << 30

    name: ClassVar[str] = BUILDER
    revision: ClassVar[int] = REVISION
    modules: ClassVar[tuple[str, ...]] = (
        "dbgan.synthesize",
        "dbgan.blur",
        "dbgan.image",
        "dbgan.networks",
        "dbgan.restore",
        "dbgan.engine.overlap",
        "dbgan.corpus.write",
        "dbgan.corpus.layout",
        "dbgan.corpus.columns",
        "dbgan.corpus.rows",
        "dbgan.corpus.motion",
        "dbgan.seeds",
    )

    def open(self) -> Pairs:
        """Open the sources; the weights are loaded with the first picture."""
        return Pairs(self)


class Pairs:
    """An opened `PairBuilder`: the three steps of a pair. They run beside each other, and so do neighbouring plans.

    Attributes:
        pictures: the sharp pictures.
    """

    def __init__(self, builder: PairBuilder) -> None:
        self._builder = builder
        corpora = {name: Corpus.open(path) for name, path in builder.corpora.items()}
        self.pictures = SharpPictures(corpora, builder.ext, builder.quality, builder.memory, measured=builder.measured)
        self._overlaps: dict[int, Overlap[Work, Frames, tuple[Pixels, Record], EncodedSample]] = {}
        self._upcoming: Callable[[], Plan | None] = lambda: None

    def __call__(self, plan: Plan) -> Iterator[EncodedSample | Reject]:
        """The pairs of a shard, in order; returns the seconds of each step. See `dbgan.engine.worker.Build`."""
        self.pictures.turn_to(plan.group)
        makers = self._makers_of(plan)

        def then() -> tuple[Plan, Iterator[Work]] | None:
            following = self._upcoming()
            if following is None or following == plan or self._makers_of(following) != makers:
                return None
            return following, self._works(following)

        overlap = self._overlaps.setdefault(makers, self._overlap(makers))
        return overlap.run(self._works(plan), name=plan, then=then)

    def foresee(self, upcoming: Callable[[], Plan | None]) -> None:
        """See `dbgan.engine.worker.Foreseeing`."""
        self._upcoming = upcoming

    def forget(self) -> None:
        """See `dbgan.engine.worker.Foreseeing`."""
        for overlap in self._overlaps.values():
            overlap.close()

    def _works(self, plan: Plan) -> Iterator[Work]:
        return ((plan.group, item) for item in plan.items)

    def _overlap(self, makers: int) -> Overlap[Work, Frames, tuple[Pixels, Record], EncodedSample]:
        return Overlap(
            lambda work: self.read(work[1], work[0]),
            lambda work, frames: self.blurred(work[1], frames),
            lambda work, frames, made: self.encoded(work[1], frames, made),
            readers=self._builder.io_threads,
            makers=makers,
            finishers=self._builder.io_threads,
        )

    def _makers_of(self, plan: Plan) -> int:
        return min((self.makers(item.model) for item in plan.items), default=1)

    def makers(self, model: str) -> int:
        """A network uses all its threads for one picture; other blurs take a thread per picture."""
        return 1 if model == "bgan" else self._builder.makers

    def read(self, item: Item, group: str = "") -> Frames:
        """First step: the sharp picture and its window, decoded; kept for the other plans of the group."""
        moving = len(item.window) > 1
        sharp = self.pictures.get(item.source, item.source_key, group, moving=moving)
        if not moving:
            return sharp, [sharp.pixels]
        return sharp, [self.pictures.get(item.source, key, group, moving=True).pixels for key in item.window]

    def blurred(self, item: Item, frames: Frames) -> tuple[Pixels, Record]:
        """Second step: the blur."""
        sharp, window = frames
        blur, expected = self._builder.blurs[item.model], sharp.pixels.shape
        for key, frame in zip(item.window, window, strict=False):
            if frame.shape != expected:
                (height, width), (tall, wide) = frame.shape[:2], expected[:2]
                raise DbganError(
                    f"{self._builder.corpora[item.source]}: the frames around {item.source_key} make one blurry "
                    f"picture, but it is {wide}x{tall} and {key} is {width}x{height}.\n"
                    "Next: give frames of another size a sequence (a raw folder) of their own and ingest again."
                )
        picture, record = run(blur, window, seed=self._builder.seed, key=item.source_key, variant=item.variant)
        if picture.shape != expected or picture.dtype != np.uint8:
            raise DbganError(
                f"blur {blur.name!r} of {item.source_key}: expected {expected} uint8, "
                f"found {picture.shape} {picture.dtype}."
            )
        return picture, record

    def encoded(self, item: Item, frames: Frames, made: tuple[Pixels, Record]) -> EncodedSample:
        """Third step: the pair, ready to be written."""
        sharp, (blurry, record) = frames[0], made
        data = encode(blurry, self._builder.ext, quality=self._builder.quality)
        # What a reader will see: a JPEG's pixels are not those that went into the encoder.
        seen = blurry if self._builder.ext in LOSSLESS else decode(data)
        columns = {
            "pair_psnr": quality.pair_psnr(seen, sharp.seen),
            "blur_pixels_sha256": pixel_digest(seen),
            **(quality.columns("blur", seen, data) if self._builder.measured else {}),
            **sharp.columns,
        }
        kept = frozenset({"sharp"} if sharp.copied and sharp.meta["sharp_kept"] else ())
        fields = {"blur": data, "sharp": sharp.data}
        if record.motion is not None:
            fields["motion"] = encode_motion(record.motion)
        return EncodedSample(item.key, fields, self._meta(item, sharp, record), columns, kept, sha256=sharp.sha256)

    def _meta(self, item: Item, sharp: Sharp, record: Record) -> dict[str, Any]:
        sequence, _, frame = item.key.partition("/")
        height, width = sharp.pixels.shape[:2]
        told = {name: sharp.meta[name] for name in (*allowed_columns(), "origin")}
        return {
            "key": item.key,
            "sequence": sequence,
            "frame": frame,
            "width": width,
            "height": height,
            **told,
            "source_corpus": item.source,
            "source_key": item.source_key,
            "variant": item.variant,
            "noise": [float(value) for value in record.noise],
            "method": record.method,
            "parameters": canonical(record.parameters).decode(),
            "generator": getattr(self._builder.blurs[item.model], "digest", ""),
        }
