"""Plain lines where the output is no terminal."""

from __future__ import annotations

import pytest

from dbgan import progress as module
from dbgan.progress import progress


def test_plain_lines_count_and_estimate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PLAIN_LINE_EVERY_S", 0.0)
    with progress("train toy", 3) as steps:
        for _ in range(3):
            steps.advance(note="loss 0.5")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("train toy: 1 of 3, about ")
    assert lines[0].endswith("s left loss 0.5")
    assert lines[-1].startswith("train toy: 3 of 3 done in ")
