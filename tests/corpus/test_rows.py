"""Manifest rows by key: the right one from whatever row group, and damage in words."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dbgan.corpus.rows import RowsByKey
from dbgan.errors import CorpusError

KEYS = [f"s/{number:03d}" for number in range(0, 40, 2)]


@pytest.mark.parametrize("statistics", [True, False])
def test_a_row_is_found_in_any_row_group_and_in_any_order(tmp_path: Path, statistics: bool) -> None:
    table = pa.table({"key": KEYS, "value": list(range(20)), "other": [None, *range(19)]})
    pq.write_table(table, tmp_path / "manifest.parquet", row_group_size=3, write_statistics=statistics)

    rows = RowsByKey(tmp_path, ["value", "other"], kept=1)

    for place in (19, 0, 7, 8, 2, 19, 1):
        assert rows[KEYS[place]] == {"value": place, "other": place - 1 if place else None}
    for absent in ("s/001", "a", "z"):
        with pytest.raises(KeyError):
            rows[absent]


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.parquet").write_bytes(b"PAR1 no table")
    with pytest.raises(CorpusError, match=r"manifest\.parquet: cannot be read"):
        RowsByKey(tmp_path, ["value"])["s/000"]
