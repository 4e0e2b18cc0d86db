"""A source that changes between plan and read: nothing is stored under the digest of something else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import dbgan.ingest.plan as planning
from dbgan.errors import DbganError
from dbgan.ingest import ingest
from dbgan.params import IngestParams

from .conftest import GOPRO, add_sequence, put
from .test_clips import clip


@pytest.mark.parametrize("kind", ["files", "tars", "clips"])
def test_a_file_put_in_another_s_place_while_the_source_is_read_is_noticed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the same size and time, as `cp -p` or `rsync -t` leave it: only the inode's own time tells."""
    add_sequence(tmp_path / "pictures", "GOPR0001_11_00", 2)
    params, name = GOPRO, "GOPR0001_11_00/blur/000001.png"
    if kind == "tars":
        params = IngestParams(layout="corpus")
        ingest("g", GOPRO, tmp_path / "pictures", tmp_path / "raw")
        name = next(path.name for path in (tmp_path / "raw").glob("*.tar"))
    elif kind == "clips":
        params, name = IngestParams(layout="video", take="blurry"), "a.mp4"
        clip(tmp_path / "raw" / name, 3)
    else:
        (tmp_path / "pictures").rename(tmp_path / "raw")
    path = tmp_path / "raw" / name
    put(path, path.read_bytes())
    real = planning.make_plans

    def then_replace(*arguments: object) -> object:
        planned = real(*arguments)  # type: ignore[arg-type]
        time.sleep(0.02)  # more than a tick of the kernel's clock
        other = bytearray(path.read_bytes())
        other[len(other) // 2] ^= 1
        put(tmp_path / "other", bytes(other)).replace(path)
        return planned

    monkeypatch.setattr(planning, "make_plans", then_replace)
    with pytest.raises(DbganError, match=f"{path.name}: changed while the source was being read"):
        ingest("c", params, tmp_path / "raw", tmp_path / "c")


def test_a_backup_s_hard_links_stop_no_ingest(
    gopro_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = planning.make_plans

    def then_link(*arguments: object) -> object:
        planned = real(*arguments)  # type: ignore[arg-type]
        time.sleep(0.02)
        for number, path in enumerate(gopro_root.rglob("*.png")):
            (tmp_path / f"backup-{number}").hardlink_to(path)
        return planned

    monkeypatch.setattr(planning, "make_plans", then_link)
    assert ingest("g", GOPRO, gopro_root, tmp_path / "g").rejects == 0
