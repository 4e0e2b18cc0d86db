"""A project in miniature: paired sources with selections, and a blur of integer arithmetic."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dbgan import seeds
from dbgan.blur.model import Record
from dbgan.corpus.header import Header
from dbgan.corpus.layout import EncodedSample, Plan, Reject, empty_meta, make_key, pixel_digest
from dbgan.corpus.selection import write_selection
from dbgan.engine import BuildReport, build_corpus
from dbgan.image import quality
from dbgan.image.codec import decode, encode
from dbgan.params import SynthesizeParams
from dbgan.synthesize.pairs import make_pairs
from dbgan.synthesize.plan import read_source

HEIGHT, WIDTH = 24, 40


def sharp_frame(key: str) -> np.ndarray:
    """A picture that only `key` decides: random 4 px blocks."""
    cells = seeds.generator(1, "test-frame", key).integers(0, 256, (HEIGHT // 4, WIDTH // 4, 3), dtype=np.uint8)
    return np.ascontiguousarray(cells.repeat(4, axis=0).repeat(4, axis=1))


@dataclass(frozen=True)
class SourceBuilder:
    """Writes sharp frames and a blurry copy, as ingest would."""

    ext: str = "png"
    kind: str = "paired"
    measured: str = ""

    name: ClassVar[str] = "test-source"
    revision: ClassVar[int] = 1
    modules: ClassVar[tuple[str, ...]] = ("dbgan.corpus.layout",)

    def open(self) -> Any:
        return self.build

    def build(self, plan: Plan) -> Iterator[EncodedSample | Reject]:
        for key in plan.items:
            sequence, _, frame = key.partition("/")
            data = {"sharp": encode(sharp_frame(key), self.ext), "blur": encode(sharp_frame(key) // 2, self.ext)}
            if self.kind == "blurry":
                del data["sharp"]
            meta = {**empty_meta(), "device": "Acme P1", "exposure_s": 0.125, "has_exposure_s": True}
            meta |= {"key": key, "sequence": sequence, "frame": frame, "width": WIDTH, "height": HEIGHT}
            meta["origin"] = hashlib.sha256(key.encode()).hexdigest()
            columns = {f"{field}_pixels_sha256": pixel_digest(decode(value)) for field, value in data.items()}
            if self.measured:
                for field, value in data.items():
                    columns |= quality.columns(field, decode(value), value)
            yield EncodedSample(key, data, meta, columns)


def make_source(
    datasets: Path, name: str, frames: dict[str, list[str]], *, splits: dict[str, str] | None = None, **builder: str
) -> Path:
    """`datasets/train/NAME` of `frames` (sequence -> names) and its selection, which drops frames named `drop*`."""
    keys = {sequence: [make_key(sequence, frame) for frame in sorted(names)] for sequence, names in frames.items()}
    plans = [
        Plan(f"{sequence}-000", sequence, "r" + "".join(listed), tuple(listed)) for sequence, listed in keys.items()
    ]
    made = SourceBuilder(**builder)
    header = Header(made.kind, made.ext, name, {}, {}, quality=bool(made.measured))  # type: ignore[arg-type]
    out = datasets / "train" / name
    build_corpus(out, header, made, plans)
    rows = []
    for sequence, listed in keys.items():
        for key in listed:
            keep = "/drop" not in key
            row = {"key": key, "sequence": sequence, "split": (splits or {}).get(sequence, "train"), "keep": keep}
            rows.append({**row, "rule": "" if keep else "r", "measure": "", "value": 0.0, "limit": 0.0, "reason": ""})
    write_selection(datasets / "train" / f"{name}.selection.parquet", rows)
    return out


@dataclass(frozen=True)
class ToyBlur:
    """Mean of the picture and its shift by z, in integers: the same bytes on every machine. `pause_s` makes it slow."""

    pause_s: float = 0.0

    name: ClassVar[str] = "toy"
    revision: ClassVar[int] = 1

    def describe(self) -> dict[str, Any]:
        return {}

    def __call__(self, sharp: np.ndarray, *, seed: int, key: str, variant: int) -> tuple[np.ndarray, Record]:
        time.sleep(self.pause_s)
        shift = int(seeds.generator(seed, "noise", key, variant).integers(1, 9))
        mixed = (sharp.astype(np.uint16) + np.roll(sharp, shift, axis=1) + 1) // 2
        return mixed.astype(np.uint8), Record("toy", (float(shift),), {"shift": shift})


def toy_params(**changes: Any) -> SynthesizeParams:
    """Params of a toy corpus: 2 variants, shards of about 2 samples."""
    values = {"sharp": ["city"], "model": "kernel", "variants": 2, "seed": 5, "shard_samples": 2, "threads": 1}
    return SynthesizeParams.model_validate({**values, **changes})


def make_toy(datasets: Path, out: Path, *, pause_s: float = 0.0, workers: int = 1, **changes: Any) -> BuildReport:
    """The corpus `out` of toy blur over train sources, as `synthesize` makes it."""
    params = toy_params(**changes)
    train = datasets / "train"
    sources = [read_source(train / name, train / f"{name}.selection.parquet") for name in params.sharp]
    return make_pairs("toy", sources, {"kernel": ToyBlur(pause_s)}, params, out, workers)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by relative name."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
