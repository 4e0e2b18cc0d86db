"""One reduced render for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgan.params import SampleParams
from dbgan.sample import render


@pytest.fixture(scope="session")
def small() -> SampleParams:
    return SampleParams(width=160, height=96, frames_per_sequence=2, captures_per_phone=8, phone_pairs=2)


@pytest.fixture(scope="session")
def rendered(small: SampleParams, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample")
    render(small, out)
    return out
