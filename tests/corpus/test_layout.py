"""Names: keys, slugs, shard boundaries."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from dbgan.corpus import layout


def test_a_part_that_fits_is_left_alone_and_another_says_what_it_was() -> None:
    assert layout.slug("GOPR0372_07_00") == "GOPR0372_07_00"
    assert layout.slug("IMG.1") == f"IMG-1-{hashlib.sha256(b'IMG.1').hexdigest()[:8]}"
    assert layout.slug("日本") == f"x-{hashlib.sha256('日本'.encode()).hexdigest()[:8]}"


def test_names_that_differ_only_in_what_is_dropped_stay_apart() -> None:
    assert len({layout.slug(text) for text in ("a b", "a.b", "a  b", "ä b")}) == 4


def test_a_name_that_webdataset_skips_as_metadata_is_no_key_part() -> None:
    assert layout.slug("__skip__") != "__skip__"
    assert layout.KEY_PART.fullmatch(layout.slug("__skip__"))
    with pytest.raises(ValueError, match="__NAME__"):
        layout.make_key("__skip__", "1")


@pytest.mark.parametrize(("sequence", "frame"), [("a.b", "1"), ("a", "1/2"), ("", "1"), ("a", "b" * 89)])
def test_keys_that_do_not_fit_are_refused(sequence: str, frame: str) -> None:
    with pytest.raises(ValueError, match="key"):
        layout.make_key(sequence, frame)


def test_the_longest_key_and_member_fit_a_ustar_header() -> None:
    key = layout.make_key("s" * 44, "f" * 45)
    assert len(f"{key}.sharp.png") == 100


def test_inserting_a_frame_moves_no_boundary_before_it_and_none_after_the_next_frame_that_ends_by_name() -> None:
    frames = [f"{i:06d}" for i in range(200)]
    named = next(frame for frame in frames[57:] if layout.ends_shard(frame, 1, 8))
    before = layout.shard_group(frames, 8)
    after = layout.shard_group([*frames[:57], "000056b", *frames[57:]], 8)
    moved = [group for group in after if group not in before]
    assert moved[0][0] <= "000056b"
    assert moved[-1][-1] <= named
    assert [frame for group in after for frame in group] == [*frames[:57], "000056b", *frames[57:]]
    assert max(map(len, after)) <= 16


def test_equal_pixels_have_equal_digests_and_another_shape_has_another() -> None:
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert layout.pixel_digest(image) == layout.pixel_digest(image[:, ::-1][:, ::-1])
    assert layout.pixel_digest(image) != layout.pixel_digest(image.reshape(2, 8, 3))


def test_a_reject_needs_a_reason_of_the_closed_list() -> None:
    with pytest.raises(ValueError, match="'ugly' is not one of"):
        layout.Reject("0" * 64, "ugly", "")
