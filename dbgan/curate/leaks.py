"""What two sides that must not meet have in common: sequences, recordings, equal pixels, near-identical pictures."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dbgan.corpus.recordings import IN_BOTH_SPLITS, ROOT_SEQUENCE, recording
from dbgan.image.quality.hashes import BITS, nearest, telling

GOPRO_KNOWN = "GOPRO_Large itself has clips of this recording in both its splits"


@dataclass(frozen=True, slots=True)
class Pictures:
    """The pictures of one image field of a side's samples.

    Attributes:
        pixels: per sample, the digest of shape and pixels.
        hashes: (samples, 32) uint8, perceptual hashes; None where the corpus was ingested without measures.
        hashed: (samples,) bool, which samples have a hash that tells something.
    """

    pixels: Sequence[bytes]
    hashes: NDArray[np.uint8] | None = None
    hashed: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, pixels: Sequence[bytes], hashes: Sequence[bytes | None] | None) -> Pictures:
        """From manifest columns; a missing hash is one that tells nothing."""
        if hashes is None:
            return cls(pixels)
        bits = np.frombuffer(b"".join(value or bytes(BITS // 8) for value in hashes), np.uint8).reshape(-1, BITS // 8)
        return cls(pixels, bits, telling(bits))


@dataclass(frozen=True, slots=True)
class Side:
    """Samples that are used in one way: one split of a source. Sides of different roles must have nothing in common.

    Attributes:
        source: name of the source or corpus.
        role: `train`, `val`, `test`; by hand, the name of the corpus.
        keys, sequences: per sample.
        pictures: image field -> its pictures.
    """

    source: str
    role: str
    keys: Sequence[str]
    sequences: Sequence[str]
    pictures: Mapping[str, Pictures]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def name(self) -> str:
        """`pixel-8 (val)`, or the corpus alone where that is its role."""
        return self.source if self.role == self.source else f"{self.source} ({self.role})"

    @property
    def unhashed(self) -> int:
        """Pictures that can only be compared by their pixels: no hash, or one that tells nothing."""
        masks = (p.hashed for p in self.pictures.values())
        return sum(len(self) if mask is None else int((~mask).sum()) for mask in masks)


class Place(NamedTuple):
    """One side of a leak: a sample, or a sequence (`key` is its name)."""

    source: str
    role: str
    key: str


@dataclass(frozen=True, slots=True)
class Leak:
    """What two sides have in common.

    Attributes:
        what: `sequence` (one name), `recording` (clips of one), `pixels` (equal), `near` (hashes within the limit).
        bits: in how many of 256 bits the perceptual hashes differ; 0 but for `near`.
        known: why it is no failure; empty: it is one.
    """

    what: str
    left: Place
    right: Place
    bits: int = 0
    known: str = ""

    def words(self) -> str:
        """One line for people."""
        what = {
            "sequence": "one sequence on both sides",
            "recording": "clips of one recording on both sides",
            "pixels": "the same pixels",
            "near": f"near-identical, {self.bits} of {BITS} bits differ",
        }[self.what]
        left, right = (
            f"{p.source} {p.key}" if p.role == p.source else f"{p.source} ({p.role}) {p.key}"
            for p in (self.left, self.right)
        )
        return f"{what}: {left} and {right}" + (f"; known: {self.known}" if self.known else "")


def find(sides: Sequence[Side], near_bits: int, known: Mapping[str, str] | None = None) -> list[Leak]:
    """Everything that sides of different roles have in common.

    Every image field of one sample is compared with every one of the other: a sharp frame may be a capture elsewhere.
    Of two sides, each sample of the smaller one is named at most once, with the nearest of the other.

    Args:
        sides: no two of the same source and role.
        near_bits: perceptual hashes that differ in at most so many bits are near-identical.
        known: pattern of sequence names (as in a shell) -> why such sequences may be on both sides. GOPRO's own shared
            recordings are always known. Equal pixels are a leak in any case.

    Returns:
        Leaks in the order of sides; names of sequences before samples, samples by key.
    """
    found: list[Leak] = []
    for left, right in itertools.combinations(sides, 2):
        if left.role != right.role and len(left) and len(right):
            found += _named(left, right, known or {})
            found += _pictured(left, right, near_bits, known or {})
    return found


def _named(left: Side, right: Side, known: Mapping[str, str]) -> list[Leak]:
    """Sequences of one name, and clips of one recording."""
    ours, theirs = set(left.sequences), set(right.sequences)
    shared = ours & theirs
    if left.source != right.source:
        shared -= {ROOT_SEQUENCE}
    found = [_between("sequence", left, right, name, name, known_reason(name, name, known)) for name in sorted(shared)]
    clips = [
        {whole: name for name in sorted(names - shared, reverse=True) if (whole := recording(name)) != name}
        for names in (ours, theirs)
    ]
    for whole in sorted(clips[0].keys() & clips[1].keys()):
        one, other = clips[0][whole], clips[1][whole]
        found.append(_between("recording", left, right, one, other, known_reason(one, other, known)))
    return found


def _pictured(left: Side, right: Side, near_bits: int, known: Mapping[str, str]) -> list[Leak]:
    """Equal pixels and near-identical pictures: each sample of the smaller side with the nearest of the other."""
    few, many = (left, right) if len(left) <= len(right) else (right, left)
    places = np.full(len(few), -1, np.int64)
    bits = np.full(len(few), near_bits + 1, np.int64)
    for ours, theirs in itertools.product(few.pictures.values(), many.pictures.values()):
        _nearer(places, bits, *_near(ours, theirs, near_bits))
    for ours, theirs in itertools.product(few.pictures.values(), many.pictures.values()):
        # Equal pixels come before all: -1 bits until they are told from hashes that happen to be equal.
        _nearer(places, bits, *_equal(ours, theirs))
    found = []
    for row in np.flatnonzero(places >= 0).tolist():
        pair = (row, int(places[row])) if few is left else (int(places[row]), row)
        one, other = left.sequences[pair[0]], right.sequences[pair[1]]
        what = "pixels" if bits[row] < 0 else "near"
        reason = "" if what == "pixels" else known_reason(one, other, known)
        keys = left.keys[pair[0]], right.keys[pair[1]]
        found.append(_between(what, left, right, *keys, reason, max(0, int(bits[row]))))
    return sorted(found, key=lambda leak: (leak.left.key, leak.right.key))


def _near(ours: Pictures, theirs: Pictures, near_bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place and bits of the nearest of `theirs` for each of `ours`, -1 where no hash that tells is near."""
    places = np.full(len(ours.pixels), -1, np.int64)
    bits = np.full(len(ours.pixels), near_bits + 1, np.int64)
    if ours.hashes is None or ours.hashed is None or theirs.hashes is None or theirs.hashed is None:
        return places, bits
    here, there = np.flatnonzero(ours.hashed), np.flatnonzero(theirs.hashed)
    at, bits[here] = nearest(ours.hashes[here], theirs.hashes[there], near_bits)
    told = at >= 0
    places[here[told]] = there[at[told]]
    return places, bits


def _equal(ours: Pictures, theirs: Pictures) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place of the first of `theirs` with the same pixels, -1 where there is none; bits are -1."""
    first = {digest: place for place, digest in reversed(list(enumerate(theirs.pixels)))}
    places = np.array([first.get(digest, -1) for digest in ours.pixels], np.int64)
    return places, np.full(len(places), -1, np.int64)


def _nearer(
    places: NDArray[np.int64], bits: NDArray[np.int64], other: NDArray[np.int64], other_bits: NDArray[np.int64]
) -> None:
    """Take over, in place, what is nearer."""
    better = (other >= 0) & (other_bits < bits)
    places[better], bits[better] = other[better], other_bits[better]


def _between(what: str, left: Side, right: Side, one: str, other: str, known: str, bits: int = 0) -> Leak:
    return Leak(what, Place(left.source, left.role, one), Place(right.source, right.role, other), bits, known)


def known_reason(one: str, other: str, known: Mapping[str, str]) -> str:
    """Why two sequences may be on both sides; empty where they may not."""
    if one != other and recording(one) == recording(other) and recording(one) in IN_BOTH_SPLITS:
        return GOPRO_KNOWN
    return next((why for name, why in known.items() if fnmatchcase(one, name) and fnmatchcase(other, name)), "")
