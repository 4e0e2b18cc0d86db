"""Which pictures are shown, and how they are cut."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dbgan.evaluate import pictures


def table(rows: int, sequences: int) -> pd.DataFrame:
    keys = [f"s{i % sequences}/{i:03d}" for i in range(rows)]
    return pd.DataFrame(
        {"key": keys, "sequence": [key.split("/")[0] for key in keys], "strength": np.arange(rows, dtype=float)}
    )


def test_pictures_are_spread_over_strength_and_sequences() -> None:
    chosen = pictures.choose(table(40, 4), 4)
    assert sorted(key.split("/")[0] for key in chosen) == ["s0", "s1", "s2", "s3"]
    ranks = [int(key.split("/")[1]) for key in chosen]
    assert all(abs(rank - aim) <= 4 for rank, aim in zip(ranks, (5, 15, 25, 35), strict=True))


def test_the_order_of_rows_does_not_matter_and_few_samples_are_all_shown() -> None:
    rows = table(20, 3)
    assert pictures.choose(rows.sample(frac=1, random_state=1), 5) == pictures.choose(rows, 5)
    assert len(pictures.choose(rows[:3], 5)) == 3
    assert pictures.choose(rows[:0], 5) == []


def test_missing_strength_is_no_error() -> None:
    rows = table(6, 2).assign(strength=float("nan"))
    assert len(set(pictures.choose(rows, 4))) == 4


def test_sources_share_the_pictures() -> None:
    assert pictures.share(5, {"a": 9, "b": 1, "c": 9}) == {"a": 2, "b": 1, "c": 2}
    assert pictures.share(5, {"a": 1}) == {"a": 1}


def test_a_cut_is_the_centre_in_the_shape_of_the_whole_and_small_pictures_are_whole() -> None:
    picture = np.arange(720 * 1280 * 3, dtype=np.uint32).astype(np.uint8).reshape(720, 1280, 3)
    assert np.array_equal(pictures.cut(picture, 720 * 1280), picture)
    quarter = 360 * 640
    assert np.array_equal(pictures.cut(picture, quarter), picture[180:540, 320:960])
    assert pictures.cut(picture.transpose(1, 0, 2), quarter).shape == (640, 360, 3)
    assert pictures.cut(picture[:100, :50], quarter).shape == (100, 50, 3)
    assert pictures.cut(picture[:1], 100).shape[0] == 1
