"""Key parts stay apart, short and safe."""

from __future__ import annotations

import re

from dbgan.corpus.layout import MAX_KEY, make_key
from dbgan.ingest.naming import MAX_FRAME, MAX_SEQUENCE, key_parts


def test_plain_names_are_kept() -> None:
    assert key_parts(["GOPR0372_07_00", "000001"], 36) == {"GOPR0372_07_00": "GOPR0372_07_00", "000001": "000001"}


def test_names_of_any_unicode_become_distinct_parts() -> None:
    names = ["Straße", "Strasse", "写真", "фото", "a/b", "a b", "a-b", "caf\udce9", "é", "e\u0301", "..", "IMG 1 (2)"]
    parts = key_parts(names, 36)
    assert len({part.casefold() for part in parts.values()}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,36}", part) for part in parts.values())


def test_names_that_differ_only_in_case_get_digests() -> None:
    parts = key_parts(["IMG_1", "img_1", "IMG_2"], 36)
    assert parts["IMG_2"] == "IMG_2"
    assert parts["IMG_1"].startswith("IMG_1-")
    assert parts["img_1"].startswith("img_1-")
    assert parts["IMG_1"].casefold() != parts["img_1"].casefold()


def test_the_longest_key_leaves_room_for_a_variant() -> None:
    long = "x" * 200
    sequence, frame = key_parts([long], MAX_SEQUENCE)[long], key_parts([long + "é"], MAX_FRAME)[long + "é"]
    key = make_key(sequence, frame)
    assert len(key) + len("-v999") <= MAX_KEY
    assert key_parts([long + "1"], MAX_FRAME)[long + "1"] != key_parts([long + "2"], MAX_FRAME)[long + "2"]
