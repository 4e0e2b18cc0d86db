"""Thumbnails: small, made once, and a damaged picture stops nobody."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from dbgan.errors import ImageError
from dbgan.image.codec import encode
from dbgan.review.thumbnails import SIDE, Maker, shrink, thumbnail, thumbnail_path
from tests.tiny_corpora import moved, scene


def test_a_thumbnail_is_small_and_shows_the_picture() -> None:
    picture = moved(moved(scene(3, 600, 900), 25), 25, horizontal=False)
    small = Image.open(io.BytesIO(shrink(encode(picture, "png"), 10**6)))
    assert (small.format, small.size) == ("JPEG", (SIDE, round(SIDE * 600 / 900)))
    reference = np.asarray(Image.fromarray(picture).resize(small.size, Image.Resampling.BOX), dtype=np.float64)
    assert np.abs(np.asarray(small, dtype=np.float64) - reference).mean() < 6


def test_a_thumbnail_is_made_once() -> None:
    reads: list[int] = []

    def read() -> bytes:
        reads.append(1)
        return encode(scene(1), "png")

    first = thumbnail("ab" * 32, read, 10**6)
    assert thumbnail("ab" * 32, read, 10**6) == first == thumbnail_path("ab" * 32).read_bytes()
    assert len(reads) == 1


def test_damaged_and_huge_pictures_are_refused() -> None:
    with pytest.raises(ImageError, match="unreadable"):
        shrink(b"no picture", 10**6)
    with pytest.raises(ImageError, match="unreadable"):
        shrink(encode(scene(1, 200, 200), "png")[:900], 10**6)
    with pytest.raises(ImageError, match="too_large"):
        shrink(encode(scene(1, 20, 20), "png"), 399)


def test_the_maker_makes_all_but_what_is_damaged() -> None:
    good = encode(scene(1), "png")
    maker = Maker([("aa" * 32, lambda: good), ("bb" * 32, lambda: b"no"), ("cc" * 32, lambda: good)], 10**6)
    maker.start()
    maker.join()
    assert [thumbnail_path(d * 32).is_file() for d in ("aa", "bb", "cc")] == [True, False, True]
    assert list(maker.failed) == ["bb" * 32]
