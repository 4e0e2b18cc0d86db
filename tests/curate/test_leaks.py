"""Sides that must not meet: what they have in common is found and named, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dbgan.curate.gate import whole_side
from dbgan.curate.leaks import GOPRO_KNOWN, Leak, Pictures, Place, Side, find
from dbgan.image.codec import decode
from dbgan.image.quality import luma
from dbgan.image.quality.hashes import distances, nearest, perceptual_hash
from tests.draws import RNG
from tests.tiny_corpora import Tiny, moved, scene, write


def random_hash() -> bytes:
    """128 ones and 128 zeros in any order, as hashes of pictures have."""
    return np.packbits(RNG.permutation(np.arange(256) % 2)).tobytes()


def flipped(value: bytes, count: int) -> bytes:
    """As many bits changed, half of them ones."""
    bits = np.unpackbits(np.frombuffer(value, np.uint8))
    places = [RNG.permutation(np.flatnonzero(bits == which))[: (count + which) // 2] for which in (0, 1)]
    bits[np.concatenate(places)] ^= 1
    return np.packbits(bits).tobytes()


def side(source: str, role: str, hashes: dict[str, bytes | None], pixels: dict[str, bytes] | None = None) -> Side:
    keys = sorted(hashes)
    digests = [(pixels or {}).get(key, f"{source}{role}{key}".encode().ljust(32)) for key in keys]
    pictures = {"blur": Pictures.of(digests, [hashes[key] for key in keys])}
    return Side(source, role, keys, [key.partition("/")[0] for key in keys], pictures)


def test_a_picture_within_the_limit_is_a_leak_and_one_bit_more_is_none() -> None:
    base = random_hash()
    train = side("a", "train", {"x/0": base, "x/1": random_hash()})
    held = side("b", "test", {"y/0": flipped(base, 24), "y/1": flipped(random_hash(), 3), "y/2": flipped(base, 25)})
    assert find([train, held], 24) == [Leak("near", Place("a", "train", "x/0"), Place("b", "test", "y/0"), 24)]
    assert find([train, held], 23) == []


def test_sides_of_one_role_may_share_all() -> None:
    base = random_hash()
    assert find([side("a", "train", {"x/0": base}), side("b", "train", {"x/0": base})], 24) == []


def test_equal_pixels_are_told_from_equal_hashes() -> None:
    base, digest = random_hash(), b"p" * 32
    train = side("a", "train", {"x/0": base, "x/1": base}, {"x/1": digest})
    held = side("a", "val", {"y/0": base, "y/1": base}, {"y/1": digest})
    found = find([train, held], 24)
    assert [(leak.what, leak.left.key, leak.right.key, leak.bits) for leak in found] == [
        ("near", "x/0", "y/0", 0),
        ("pixels", "x/1", "y/1", 0),
    ]
    assert found[1].words() == "the same pixels: a (train) x/1 and a (val) y/1"


def test_flat_pictures_are_compared_by_pixels_alone() -> None:
    planes = [np.full((64, 96), level, np.uint8) for level in (0, 90, 200)]
    fall = np.rint(60 + 90 * np.linspace(0, 1, 64)[:, None] * np.ones(96)).astype(np.uint8)
    flat = [perceptual_hash(picture) for picture in (*planes, fall)]
    train = side("a", "train", {f"x/{i}": value for i, value in enumerate(flat)})
    held = side(
        "b",
        "test",
        {f"y/{i}": value for i, value in enumerate([*flat, None])},
        {"y/3": train.pictures["blur"].pixels[2]},
    )
    assert [(leak.what, leak.left.key, leak.right.key) for leak in find([train, held], 24)] == [
        ("pixels", "x/2", "y/3")
    ]
    assert (train.unhashed, held.unhashed) == (4, 5)


def test_one_name_on_both_sides_is_a_leak_unless_it_says_nothing_or_is_known() -> None:
    train = side("a", "train", {"020/0": random_hash(), "root/0": random_hash()})
    held = side("b", "val", {"020/0": random_hash(), "root/0": random_hash()})
    assert find([train, held], 24) == [Leak("sequence", Place("a", "train", "020"), Place("b", "val", "020"))]
    found = find([train, held], 24, {"0??": "REDS numbers both its splits from 000"})
    assert [leak.known for leak in found] == ["REDS numbers both its splits from 000"]
    within = [train, side("a", "val", {"root/1": random_hash()})]
    assert [leak.what for leak in find(within, 24)] == ["sequence"]


def test_gopros_shared_recordings_are_known_but_neither_one_clip_twice_nor_another_recording() -> None:
    base = random_hash()
    train = side(
        "gopro",
        "train",
        {"GOPR0384_11_01/0": base, "GOPR0868_11_01/0": random_hash(), "GOPR0372_07_00/0": random_hash()},
    )
    held = side("gopro-test", "test", {"GOPR0384_11_00/0": flipped(base, 8), "GOPR0372_07_01/0": random_hash()})
    found = {leak.what + leak.left.key: leak.known for leak in find([train, held], 24)}
    assert found == {
        "recordingGOPR0384_11_01": GOPRO_KNOWN,
        "recordingGOPR0372_07_00": "",
        "nearGOPR0384_11_01/0": GOPRO_KNOWN,
    }
    twice = side("gopro-test", "test", {"GOPR0384_11_01/9": random_hash()})
    assert [(leak.what, leak.known) for leak in find([train, twice], 24)] == [("sequence", "")]
    equal = side(
        "gopro-test", "test", {"GOPR0384_11_00/0": base}, {"GOPR0384_11_00/0": train.pictures["blur"].pixels[1]}
    )
    assert {leak.what: leak.known for leak in find([train, equal], 24)} == {"recording": GOPRO_KNOWN, "pixels": ""}


def test_a_sharp_frame_is_found_among_captures(tmp_path: Path) -> None:
    frame = scene(1, 192, 256)
    pairs = write(tmp_path / "pairs", "paired", [Tiny("a/0", {"blur": moved(scene(2, 192, 256), 9), "sharp": frame})])
    captures = write(
        tmp_path / "captures", "blurry", [Tiny("b/0", {"blur": frame}), Tiny("b/1", {"blur": scene(3, 192, 256)})]
    )
    found = find([whole_side(pairs), whole_side(captures)], 24)
    assert [(leak.what, leak.left.key, leak.right.key) for leak in found] == [("pixels", "a/0", "b/0")]


def test_real_scenes_are_no_leaks_and_the_two_pictures_of_a_pair_are(shared_data: Path) -> None:
    folders = (
        "gopro/test/GOPR0396_11_00/blur",
        "gopro/test/GOPR0396_11_00/sharp",
        "hide/blur",
        "real-blur/opencv-samples/images",
    )
    folders += (
        "real-blur/cuhk-motion/images",
        "real-blur/lai2016-real/images",
        "real-blur/night-handheld/images",
        "reds/020/sharp",
    )
    sides = []
    for folder in folders:
        paths = sorted((shared_data / folder).iterdir())[:4]
        pictures = [decode(path.read_bytes()) for path in paths]
        sides.append(side(folder, folder, {f"{folder}/{i}": perceptual_hash(luma(p)) for i, p in enumerate(pictures)}))
    leaks = [leak for leak in find(sides, 24) if leak.what == "near"]
    assert [(leak.left.role, leak.right.role) for leak in leaks] == [folders[:2]]


def around(base: list[bytes], count: int) -> NDArray[np.uint8]:
    values = [flipped(base[i % len(base)], int(RNG.integers(0, 60))) for i in range(count)]
    return np.frombuffer(b"".join(values), np.uint8).reshape(-1, 32)


@pytest.mark.parametrize("counts", [(0, 3), (70, 9000), (40, 300)])
def test_the_nearest_is_that_of_brute_force(counts: tuple[int, int]) -> None:
    base = [random_hash() for _ in range(8)]
    few, many = around(base, counts[0]), around(base, counts[1])
    places, bits = nearest(few, many, 24)
    for row in range(len(few)):
        every = distances(few[row : row + 1], many)[0]
        expected = int(every.argmin()) if every.min() <= 24 else -1
        assert (int(places[row]), int(bits[row])) == (expected, min(25, int(every.min())))
