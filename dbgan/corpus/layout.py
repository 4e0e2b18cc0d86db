"""Names and schemas of a corpus on disk: keys, shards, fields, table columns, reject reasons, plans and receipts.

Nothing here reads or writes files. The whole format is described in docs/corpus-format.md.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from dbgan.corpus.motion import Motion
from dbgan.recipe import FORMAT_VERSION as FORMAT_VERSION

Kind = Literal["paired", "blurry", "sharp"]
FIELDS: dict[str, tuple[str, ...]] = {"paired": ("blur", "sharp"), "blurry": ("blur",), "sharp": ("sharp",)}
"""Image fields of each kind, in the order of the tar's members; `json` comes last."""

ARRAYS = {"motion": "npz"}
"""Optional fields of synthesized pairs that are no pictures, and their file type; they come after the pictures."""

EXTENSIONS = ("png", "jpg", "webp")
LOSSLESS = ("png", "webp")
"""Of these, those whose pixels are what went into the encoder, whatever reads them. WebP is always lossless here."""
MAX_KEY = 90
KEY_PART = re.compile(r"(?!__[A-Za-z0-9_-]*__$)[A-Za-z0-9_-]+")
"""`__NAME__` is no key part: webdataset takes members of such a folder for its own metadata and skips them silently."""

REJECT_REASONS = (
    "animated",
    "duplicate_key",
    "hostile_member",
    "not_a_video",
    "not_an_image",
    "outside_root",
    "pair_missing",
    "pair_size_mismatch",
    "scene_cut",
    "too_large",
    "too_small",
    "truncated",
    "unreadable",
    "unsupported_mode",
    "window_incomplete",
)
"""The closed list of why an input was refused."""

WARNINGS = {
    "colours_converted": "converted from its colour profile to sRGB",
    "first_of_several": "the first picture (of HEIF the primary one) of a file with several",
    "interlaced": "of an interlaced video, whose lines are of two moments",
    "lossy": "encoded anew as JPEG",
    "profile_ignored": "had a colour profile that cannot be used",
    "rotated": "turned upright",
    "static_window": "averaged from frames that do not move: no blur to learn from",
    "tone_kept": "of an HDR video, whose tone (PQ or HLG) was kept as tagged",
    "trailing_data": "had further data behind the picture, which was cut off",
    "wrong_extension": "of another file type than its name said",
}
"""The closed list of what is told of pictures that were accepted nevertheless."""

# The privacy allow-list: nothing else of a file's metadata enters a corpus. Numbers carry `has_NAME`, because a missing
# number is 0.0 and never null (loaders infer types from the first shard).
ALLOWED_TEXT = ("make", "model", "captured_at")
ALLOWED_NUMBERS = ("exposure_s", "iso", "f_number", "focal_mm")

LINEAGE_TEXT = ("source_corpus", "source_key", "method", "parameters", "generator")
"""Columns and JSON keys of synthesized pairs, beside `variant` (int) and `noise` (list of floats)."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample as read: `images[field]` is HWC uint8 RGB, `meta` the parsed `json` member.

    `motion` is the sample's `motion.npz`, in corpora that have it.
    """

    key: str
    images: dict[str, NDArray[np.uint8]]
    meta: dict[str, Any]
    motion: Motion | None = None


@dataclass(frozen=True, slots=True)
class EncodedSample:
    """One sample ready to be written.

    Attributes:
        key: `SEQUENCE/FRAME`.
        fields: image field -> file bytes, in the corpus's extension; and those of `ARRAYS` that the corpus has.
        meta: the `json` member, complete (`meta_for`).
        columns: further manifest columns of this row: pixel digests, quality measures, width, height, ...
        kept: image fields whose bytes hold the source's own compressed pixels; the others were encoded.
        warnings: `FIELD:WARNING` of what is known to be odd, WARNING of `WARNINGS`.
        sha256: field -> digest of its bytes, where whoever made the sample knows it: they are not hashed again.
    """

    key: str
    fields: dict[str, bytes]
    meta: dict[str, Any]
    columns: dict[str, Any]
    kept: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    sha256: Mapping[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for text in self.warnings:
            if text.partition(":")[2] not in WARNINGS:
                raise ValueError(f"warning {text!r} is not FIELD: and one of {', '.join(WARNINGS)}")


@dataclass(frozen=True, slots=True)
class Reject:
    """One refused input. `origin` is the digest of its path in the source (`origin_digest`); `detail` holds no path."""

    origin: str
    reason: str
    detail: str
    sequence: str = ""

    def __post_init__(self) -> None:
        if self.reason not in REJECT_REASONS:
            raise ValueError(f"reject reason {self.reason!r} is not one of {', '.join(REJECT_REASONS)}")


@dataclass(frozen=True, slots=True)
class Plan:
    """What one shard is made of: ids, paths and seeds, no pixels. `builder` knows what `items` mean.

    Plans of one `group` read the same inputs: a worker that builds them after each other reads these once. It
    changes no byte; empty: a group of its own.
    """

    shard: str
    sequence: str
    recipe: str
    items: tuple[Any, ...] = field(repr=False, default=())
    group: str = field(repr=False, compare=False, default="")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that a shard is done: its size, digest, recipe, manifest rows and rejects.

    A shard without samples (all its inputs were refused) has `bytes` 0, an empty `sha256` and no tar. `code` is the
    digest of the builder's code; it is kept while the corpus is being built and is no part of the finished corpus.
    """

    shard: str
    sequence: str
    recipe: str
    bytes: int
    sha256: str
    rows: tuple[dict[str, Any], ...] = field(repr=False)
    rejects: tuple[Reject, ...] = field(repr=False, default=())
    code: str = field(repr=False, default="", compare=False)

    @property
    def summary(self) -> Finished:
        """What is known of the shard without its rows."""
        return Finished(
            shard=self.shard,
            sequence=self.sequence,
            recipe=self.recipe,
            bytes=self.bytes,
            sha256=self.sha256,
            samples=len(self.rows),
            refused=len(self.rejects),
            first=str(self.rows[0]["key"]) if self.rows else "",
            code=self.code,
        )


@dataclass(frozen=True, slots=True)
class Finished:
    """A finished shard without its rows, which stay on disk: in its receipt or, when `folded`, in the tables.

    Attributes:
        samples, refused: number of rows and of rejects. first: lowest key, empty without samples.
        The others are those of `Receipt`.
    """

    shard: str
    sequence: str
    recipe: str
    bytes: int
    sha256: str
    samples: int
    refused: int
    first: str
    folded: bool = field(default=False, compare=False)
    code: str = field(repr=False, default="", compare=False)


def slug(text: str) -> str:
    """A key part from any text: `[A-Za-z0-9_-]+`. A part that had to change gets `-` and 8 hex digits of its sha256.

    >>> slug("GOPR0372_07_00")
    'GOPR0372_07_00'
    >>> slug("Straße 1")
    'Strasse-1-4ed1be7d'
    """
    if KEY_PART.fullmatch(text):
        return text
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    cleaned = re.sub(r"[^A-Za-z0-9_-]+", "-", plain).strip("-") or "x"
    return f"{cleaned[:60]}-{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def make_key(sequence: str, frame: str) -> str:
    """`SEQUENCE/FRAME` from parts that are slugs already; refuses what does not fit a key."""
    key = f"{sequence}/{frame}"
    for part in (sequence, frame):
        if not KEY_PART.fullmatch(part):
            raise ValueError(
                f"key part {part!r} does not match [A-Za-z0-9_-]+ (or is __NAME__); pass it through slug() first"
            )
    if len(key) > MAX_KEY:
        raise ValueError(f"key {key!r} has {len(key)} characters, over the limit of {MAX_KEY}")
    return key


def shard_name(sequence: str, index: int) -> str:
    """`<sequence>-<nnn>`, nnn from 000."""
    return f"{sequence}-{index:03d}"


def ends_shard(frame: str, count: int, shard_samples: int) -> bool:
    """Whether a shard ends after `frame`, its `count`-th: by the frame's name, or at twice `shard_samples`.

    The boundary depends on names alone, so inserting or changing a frame moves no other boundary.
    """
    hashed = int.from_bytes(hashlib.sha256(frame.encode()).digest()[:8], "big")
    return hashed % shard_samples == 0 or count >= 2 * shard_samples


def origin_digest(relative_path: str) -> str:
    """Digest of an input's path in its source folder: names like "Anna's iPhone" never enter a corpus."""
    return hashlib.sha256(relative_path.encode("utf-8", "surrogateescape")).hexdigest()


def meta_for(
    key: str, width: int, height: int, allowed: dict[str, Any], origin: str, lineage: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The complete `json` member of a sample.

    Args:
        key: `SEQUENCE/FRAME`.
        width: px.
        height: px.
        allowed: every key of `empty_meta()`.
        origin: `origin_digest` of the blurry (or only) input.
        lineage: for synthesized pairs the `LINEAGE_TEXT` keys, `variant` and `noise`.
    """
    sequence, _, frame = key.partition("/")
    own = {"key": key, "sequence": sequence, "frame": frame, "width": width, "height": height, "origin": origin}
    return {**allowed, **(lineage or {}), **own}


def empty_meta() -> dict[str, Any]:
    """Every allow-listed key at its missing value, with `has_NAME` for numbers, and `device`."""
    meta: dict[str, Any] = dict.fromkeys(ALLOWED_TEXT, "")
    for name in ALLOWED_NUMBERS:
        meta[name] = 0.0
        meta[f"has_{name}"] = False
    meta["device"] = ""
    return meta


def pixel_digest(image: NDArray[np.uint8]) -> bytes:
    """sha256 of an image's shape and HWC uint8 RGB pixels: equal for equal pictures whatever their file."""
    hashed = hashlib.sha256(f"{image.shape[0]}x{image.shape[1]}x{image.shape[2]}:".encode())
    hashed.update(np.ascontiguousarray(image).data)
    return hashed.digest()


def shard_group(sequence_frames: list[str], shard_samples: int) -> list[list[str]]:
    """Split the sorted frame names of one sequence into shards by `ends_shard`."""
    shards: list[list[str]] = []
    current: list[str] = []
    for frame in sequence_frames:
        current.append(frame)
        if ends_shard(frame, len(current), shard_samples):
            shards.append(current)
            current = []
    if current:
        shards.append(current)
    return shards
