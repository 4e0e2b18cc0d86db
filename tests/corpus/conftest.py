"""A finished tiny corpus to read and to damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgan.engine import build_corpus
from tests.corpus.tiny import HEADER, TinyBuilder, plans


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """The corpus of `tiny.plans()`: pairs a/001 a/002 | a/004 | b/001 b/002, two rejects, c-000 without samples."""
    build_corpus(tmp_path / "tiny", HEADER, TinyBuilder(), plans())
    return tmp_path / "tiny"
