"""Fixtures shared by all tests: tiny real inputs, and the folder of real samples where it is present."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real frames, phone photos and malformed files: `../shared/data` beside the checkout, or `$DBGAN_SHARED_DATA`."""
    folder = Path(os.environ.get("DBGAN_SHARED_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real samples are absent: no folder {folder} (set DBGAN_SHARED_DATA to use another)")
    return folder


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own `.dbgan/`: caches of one never serve another."""
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path_factory.mktemp("state")))
