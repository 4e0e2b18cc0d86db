"""Layout `corpus`: a corpus as it is, or WebDataset tars made elsewhere: their samples come in as files would.

A sample is the members whose names are alike up to the first dot of the last part, as WebDataset reads them. Of its
`json` member the allow-list is taken and nothing else. Shards depend on the members alone: a tar that is packed anew
costs no work.
"""

from __future__ import annotations

import json
import math
import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbgan.corpus.layout import ALLOWED_NUMBERS, Kind, Reject, empty_meta
from dbgan.errors import ImageError
from dbgan.image.codec import Stored
from dbgan.image.metadata import device_name, printable, read_allowed
from dbgan.ingest.build import IngestBuilder, Item, Taken
from dbgan.ingest.digests import DigestCache, FileState, gone, refuse_changed
from dbgan.ingest.scan import PICTURES, Frame, RejectedFile, Scan, device_of, walk
from dbgan.ingest.tar_index import Member, members
from dbgan.params import IngestParams

EXPECTED = "tars of samples (NAME.FIELD.EXT), as a corpus or WebDataset has them"
READER = "tar 1"
"""Names `_indexed` in the cache of contents: raise its number when it finds other members than before."""
MAX_JSON = 1 << 20

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class Members:
    """Where the members of a sample lie in their tar.

    Attributes:
        name: `TAR/MEMBER` of the blurry (or only) picture.
        pictures: (field, offset, size, sha256). json: offset, size, sha256; empty: none.
    """

    name: str
    pictures: tuple[tuple[str, int, int, str], ...]
    json: tuple[int, int, str] | tuple[()] = ()

    def recipe(self) -> list[Any]:
        """What of it determines bytes: contents, never where they lie."""
        return ["members", *([which, sha256] for which, _, _, sha256 in self.pictures), *self.json[2:]]


def scan(root: Path, params: IngestParams) -> Scan:
    """All tars; their samples are known once they were looked into (`look`)."""
    tree = walk(root)
    tars = tuple(path for path in tree.files if path.lower().endswith(".tar"))
    ignored = tree.ignored + len(tree.files) - len(tars)
    return Scan([], tree.rejects, ignored, "paired", ("Brought in from tars.",), dict(tree.litter), tars)


def detect(files: Sequence[str]) -> dict[str, str] | None:
    """Any tar."""
    return {} if any(path.lower().endswith(".tar") for path in files) else None


def look(
    root: Path, scan: Scan, states: Mapping[str, FileState | OSError], cache: DigestCache, params: IngestParams
) -> Scan:
    """The scan with the samples of its tars. Refused members are rejects of their own."""
    known = {path: state for path in scan.files if isinstance(state := states[path], FileState)}
    limit = 8 * params.max_pixels + (64 << 20)
    found = cache.contents(root, known, f"{READER} {limit}", lambda path: _indexed(path, limit), "members of tars")
    rejects, ignored = list(scan.rejects), scan.ignored
    samples: dict[tuple[str, str], dict[str, tuple[str, Member]]] = defaultdict(dict)
    for path in scan.files:
        state = states[path]
        if isinstance(state, OSError):
            rejects.append(RejectedFile(path, "unreadable", state.strerror or "cannot be read"))
            continue
        rejects += [RejectedFile(f"{path}/{name}".rstrip("/"), *said) for name, *said in found[path]["refused"]]
        for values in found[path]["members"]:
            member = Member(*values)
            sequence, frame, suffix = _split(path, member.name)
            which = _field(suffix, params)
            if which and which in samples[sequence, frame]:
                detail = "another tar has this sample"
                rejects.append(RejectedFile(f"{path}/{member.name}", "duplicate_key", detail, sequence))
            elif which:
                samples[sequence, frame][which] = (path, member)
            else:
                ignored += 1
    frames, alone, kind = _frames(samples, params)
    return Scan(frames, [*rejects, *alone], ignored, kind, scan.notes, scan.litter)


def _indexed(path: Path, max_bytes: int) -> dict[str, Any]:
    found: dict[str, Any] = {"members": [], "refused": []}
    for member in members(path, max_bytes):
        if isinstance(member, Member):
            found["members"].append([member.name, member.offset, member.size, member.sha256])
        else:
            found["refused"].append([member.name, member.reason, member.detail])
    return found


def _split(tar: str, name: str) -> tuple[str, str, str]:
    """Sequence, frame and suffix of a member; without a folder its sequence is the tar."""
    folder, base = posixpath.split(name.removeprefix("./"))
    frame, _, suffix = base.partition(".")
    return folder or os.path.splitext(tar)[0], frame, suffix.lower()


def _field(suffix: str, params: IngestParams) -> str:
    if suffix == "json":
        return "json"
    stem, dot, extension = suffix.rpartition(".")
    picture = f".{extension}" in PICTURES
    for which, named in (("blur", params.blur_field), ("sharp", params.sharp_field)):
        if picture and ((dot and stem == named) or suffix == named):
            return which
    return ""


def _frames(
    samples: Mapping[tuple[str, str], Mapping[str, tuple[str, Member]]], params: IngestParams
) -> tuple[list[Frame], list[RejectedFile], Kind]:
    sides = {which for sample in samples.values() for which in sample if which != "json"}
    kind: Kind = "paired" if len(sides) == 2 else "blurry" if sides == {"blur"} else "sharp"
    frames, rejects = [], []
    for (sequence, frame), sample in sorted(samples.items()):
        pictures = {which: sample[which] for which in ("blur", "sharp") if which in sample}
        if not pictures:
            continue
        if len(pictures) < len(sides):
            path, member = next(iter(pictures.values()))
            missing = next(which for which in ("blur", "sharp") if which not in pictures)
            detail = f"no {missing} picture in this sample"
            rejects.append(RejectedFile(f"{path}/{member.name}", "pair_missing", detail, sequence))
            continue
        tars = {path for path, _ in sample.values()}
        first, member = next(iter(pictures.values()))
        name = f"{first}/{member.name}"
        if len(tars) > 1:
            rejects.append(RejectedFile(name, "pair_missing", "its members lie in different tars", sequence))
            continue
        where = tuple((which, m.offset, m.size, m.sha256) for which, (_, m) in pictures.items())
        side = sample["json"][1] if "json" in sample else None
        part = Members(name, where, (side.offset, side.size, side.sha256) if side else ())
        paths = dict.fromkeys(pictures, first)
        frames.append(Frame(sequence, frame, paths, device_of(first, params.device), part=part))
    return frames, rejects, kind


@dataclass(frozen=True, slots=True)
class TarBuilder(IngestBuilder):
    """Samples from members of tars. See `IngestBuilder`."""

    @property
    def modules(self) -> tuple[str, ...]:
        """The code that decides a shard's bytes."""
        return (*super(TarBuilder, self).modules, "dbgan.ingest.tars")

    def _take(self, item: Item, supplied: Any) -> Taken | Reject:
        part: Members = item.part
        stored: dict[str, Stored] = {}
        meta: dict[str, Any] = {}
        path = Path(self.root) / item.paths[0][1]
        try:
            with path.open("rb") as handle:
                sources = {which: os.pread(handle.fileno(), size, at) for which, at, size, _ in part.pictures}
                at, size = part.json[:2] if part.json else (0, 0)
                side = os.pread(handle.fileno(), size, at) if size <= MAX_JSON else b""
        except OSError as error:
            raise gone(path, error) from None
        refuse_changed(path, item.states[0])
        for which, data in sources.items():
            try:
                stored[which] = self._store(data)
            except ImageError as error:
                return Reject(item.origin, error.reason, f"{which}: {error.detail}", item.sequence)
            meta = meta or read_allowed(data)
        if side:
            meta = _told(side, meta)
        return Taken(stored, sources, meta)


def _told(data: bytes, meta: dict[str, Any]) -> dict[str, Any]:
    """`meta` with the allow-listed keys of a `json` member over it; what has another type is passed over."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return meta
    if not isinstance(values, dict):
        return meta
    told = {**empty_meta(), **meta}
    for name in ("make", "model"):
        if isinstance(values.get(name), str) and values[name]:
            told[name] = printable(values[name])
    captured = values.get("captured_at")
    if isinstance(captured, str) and _TIME.fullmatch(captured):
        told["captured_at"] = captured
    for name in ALLOWED_NUMBERS:
        number = values.get(name)
        if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number) and number > 0:
            told[name], told[f"has_{name}"] = float(number), True
    device = values.get("device")
    told["device"] = (
        printable(device) if isinstance(device, str) and device else device_name(told["make"], told["model"])
    )
    return told
