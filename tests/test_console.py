"""Tables and lists on the terminal."""

from __future__ import annotations

import pytest

from dbgan.console import print_table


def test_tables_show_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["file"], [["[bold]a:smile:.png"], ["caf\udce9.jpg"], ["x" * 200]])
    assert capsys.readouterr().out.split() == ["file", "[bold]a:smile:.png", "caf\\udce9.jpg", "x" * 200]
