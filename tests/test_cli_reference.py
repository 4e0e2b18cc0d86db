"""docs/commands.md is what the command line says of itself."""

from __future__ import annotations

import re

from typer.testing import CliRunner

from dbgan.cli import app
from dbgan.cli_reference import markdown
from tests.conftest import PROJECT

TEXT = (PROJECT / "docs" / "commands.md").read_text(encoding="utf-8")


def test_the_document_is_that_of_the_commands() -> None:
    """After a change of a verb: `python -m dbgan.cli_reference > docs/commands.md`."""
    assert markdown() == TEXT


def test_every_option_that_help_shows_is_in_the_document() -> None:
    for section in TEXT.split("\n## dbgan ")[1:]:
        words, _, told = section.partition("\n")
        shown = CliRunner().invoke(app, [*words.split(), "--help"], env={"COLUMNS": "200"}).output
        options = set(re.findall(r"--[a-z][a-z-]+", shown)) - {"--help"}
        assert options - set(re.findall(r"--[a-z][a-z-]+", told)) == set(), words


def test_every_verb_is_in_the_document() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    verbs = set(re.findall(r"^[│|] (\w+) ", shown, re.MULTILINE))
    assert verbs
    assert verbs <= set(re.findall(r"^## dbgan (\w+)", TEXT, re.MULTILINE))
