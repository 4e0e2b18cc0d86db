"""Make one pair of a synthetic corpus again, from what its manifest says, and compare with what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dbgan.blur.compose import again
from dbgan.blur.frames import Interpolator, interpolator_of, windows
from dbgan.blur.model import Record
from dbgan.corpus import Corpus
from dbgan.corpus.motion import encode as encode_motion
from dbgan.corpus.read import read_header
from dbgan.engine.worker import threads
from dbgan.errors import CorpusError, DbganError
from dbgan.files import sha256_file
from dbgan.image.codec import JPEG_QUALITY, decode, encode
from dbgan.recipe import codec_versions, device_class

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Likeness:
    """A blurry picture made again.

    Attributes:
        key: of the pair. data: the file made now.
        equal: whether it is the stored file, byte for byte, and so is its motion where the pair has some.
        largest: largest difference of two pixels, of 255.
        reasons: what differs between then and now that may explain a difference.
    """

    key: str
    data: bytes
    equal: bool
    largest: int
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        if self.equal:
            return f"{self.key}: made again, the same {len(self.data):,} bytes as stored."
        what = f"pixels differ by up to {self.largest} of 255" if self.largest else "same pixels, other bytes or motion"
        why = "; ".join(self.reasons) or "nothing that is recorded changed"
        return f"{self.key}: made again, not the stored bytes: {what}. Since then: {why}."


def make_like(path: Path, key: str, *, source: Path | None = None, weights: Path | None = None) -> Likeness:
    """Make the blurry picture of one pair again (`dbgan blur CORPUS --like KEY`).

    Args:
        path: folder of the synthetic corpus.
        key: of the pair.
        source: folder of the corpus that its sharp frame is from; looked for beside `path` and in `train` where not
            given.
        weights: of the generator that made it; looked for in the project's `models/bgan` where not given.

    Raises:
        CorpusError: not a synthetic corpus, no such key; the source is not found, or is no longer what it was.
        DbganError: the generator's weights are not found, or are others.
    """
    corpus = Corpus.open(path)
    if not corpus.header.synthesized:
        raise CorpusError(f"{path}: expected a synthetic corpus, found one of captures: its blur is the camera's own.")
    if key not in corpus:
        raise CorpusError(f"{path}: no pair {key!r}.\nNext: `dbgan corpus ls {path}` lists the {len(corpus)} keys.")
    meta = json.loads(corpus.encoded(key, "json"))
    record = Record(meta["method"], tuple(meta["noise"]), json.loads(meta["parameters"]))
    opened = _source(path, meta, source)
    frames = _frames(opened, meta, record)
    _check_sharp(corpus, key, opened, meta)
    device, then = "cpu", dict(corpus.header.device_class or {})
    paint: Callable[[Pixels], Pixels] | None = None
    motions: list[bytes] = []
    if meta["generator"]:
        from dbgan.restore import best_device
        from dbgan.synthesize.learned import BganBlur

        device = best_device()
        told = record.parameters
        moved = "motion" in corpus.header.arrays
        given = _weights(path, meta, weights)
        blur = BganBlur(
            given, told["tile"], told["precision"], device, fields_side=told.get("fields_side", 0), motion=moved
        )

        def paint(sharp: Pixels) -> Pixels:
            picture, motion = blur.blur_and_motion(sharp, record.noise)
            motions.extend([encode_motion(motion)] if motion is not None else [])
            return picture

    count = int(then.get("threads", 1))
    with threads(count):
        picture = again(record, frames, paint, _interpolator(corpus, record))
    quality = int(corpus.header.params.get("jpeg_quality", JPEG_QUALITY))
    data, stored = encode(picture, corpus.header.ext, quality=quality), corpus.encoded(key, "blur")
    largest = int(np.abs(decode(data).astype(int) - decode(stored, max_pixels=corpus.header.max_pixels)).max())
    reasons = _changes(dict(corpus.header.codecs), codec_versions())
    if meta["generator"]:
        reasons += _changes(then, device_class(device, count))
    same = data == stored and all(motion == corpus.encoded(key, "motion") for motion in motions)
    return Likeness(key, data, same, largest, tuple(reasons))


def _interpolator(corpus: Corpus, record: Record) -> Interpolator | None:
    """Of an average, that which the corpus's parameters name.

    Raises:
        DbganError: it is not here, or is not the one of the record any more.
    """
    if "interpolator" not in record.parameters:
        return None
    found = interpolator_of(corpus.header.params.get("average", {}).get("interpolator", "dis"))
    wanted = (record.parameters["interpolator"], record.parameters["interpolator_settings"])
    if wanted != (found.name, found.describe()):
        raise DbganError(
            f"{corpus.path}: this average was made by interpolator {wanted[0]!r} {wanted[1]}, found {found.name!r} "
            f"{found.describe()}.\nNext: get the version of it that the pair was made with."
        )
    return found


def _source(path: Path, meta: Mapping[str, Any], given: Path | None) -> Corpus:
    """The corpus of the pair's sharp frame."""
    name, wanted = meta["source_corpus"], meta["source_key"]
    home = path.resolve().parent
    places = [given] if given else [home / name, home.parent / "train" / name, home.parent / name]
    for place in places:
        if (place / "corpus.json").is_file() and (given or read_header(place).name == name):
            found = Corpus.open(place)
            if wanted in found and "sharp" in found.fields:
                return found
            raise CorpusError(
                f"{place}: expected the sharp frame {wanted}, which this pair was made of, found none.\n"
                f"Next: name the corpus {name!r} it is from by --source."
            )
    looked = ", ".join(str(place) for place in places)
    raise CorpusError(
        f"the source corpus {name!r} of this pair was looked for in {looked}, and is not there.\n"
        "Next: name its folder by --source, or `dvc pull` it."
    )


def _frames(source: Corpus, meta: Mapping[str, Any], record: Record) -> Sequence[Pixels]:
    """The sharp picture, or the window that an average takes around it."""
    keys = [str(meta["source_key"])]
    if record.method == "average":
        sequence, _, frame = keys[0].partition("/")
        before, count = int(record.parameters["before"]), int(record.parameters["frames"])
        names = [key.partition("/")[2] for key in source.keys if key.startswith(f"{sequence}/")]
        try:
            keys = [f"{sequence}/{name}" for name in windows(names, before, count - 1 - before)[frame]]
        except (KeyError, ValueError):
            raise CorpusError(
                f"{source.path}: expected {count} consecutive frames around {keys[0]}, found fewer: it changed.\n"
                "Next: get the version of it that the pair was made of (`dvc pull`, `git checkout`)."
            ) from None
    limit = source.header.max_pixels
    return [decode(source.encoded(key, "sharp"), max_pixels=limit) for key in keys]


def _check_sharp(corpus: Corpus, key: str, source: Corpus, meta: Mapping[str, Any]) -> None:
    """A pair whose sharp file was copied shows whether its source is still the same."""
    wanted = meta["source_key"]
    if corpus.header.ext == source.header.ext and corpus.encoded(key, "sharp") != source.encoded(wanted, "sharp"):
        raise CorpusError(
            f"{source.path}: {wanted} is not the picture any more that {key} was made of.\n"
            "Next: get the version of it that the pair was made of (`dvc pull`, `git checkout`)."
        )


def _weights(path: Path, meta: Mapping[str, Any], given: Path | None) -> Path:
    """The weights whose digest the pair names."""
    project = path.resolve().parent.parent.parent
    places = [given] if given else sorted(project.glob("models/bgan/*/weights.safetensors"))
    for place in places:
        if place.is_file() and sha256_file(place) == meta["generator"]:
            return place
    looked = ", ".join(str(place) for place in places) or str(project / "models" / "bgan")
    raise DbganError(
        f"the generator of this pair has sha256 {meta['generator'][:12]}..., and it is not {looked}.\n"
        "Next: name its weights by --weights."
    )


def _changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = sorted(then.keys() | now.keys())
    return [f"{name} {then.get(name)} is {now.get(name)} now" for name in names if then.get(name) != now.get(name)]
