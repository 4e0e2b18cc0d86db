"""Run what a document says: `dbgan ...` in this process, which costs no imports, everything else by bash."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.conftest import PROJECT
from tests.documents.reading import Block, Command, blocks, runnable


def run(command: Command | str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a line in the working directory, `~` being $HOME; a folder that `cd` enters stays the working directory.

    Returns what it printed, the lines of all its commands together.
    """
    made = command if isinstance(command, Command) else Command("", 0, command, "")
    if any(part[0] not in ("dbgan", "cd") for part in made.parts):
        return _by_bash(made.text, monkeypatch)
    said = ""
    for program, *words in made.parts:
        if program == "cd":
            monkeypatch.chdir(words[0])
            continue
        from dbgan.cli import app

        done = CliRunner().invoke(app, [os.path.expanduser(word) for word in words])
        assert done.exit_code == 0, f"{made.document}:{made.line}: {made.text}\n{done.output}\n{done.exception!r}"
        said += done.output
    return said


def run_all(document: str, monkeypatch: pytest.MonkeyPatch, *, alter: Callable[[str], str] = str) -> list[str]:
    """Run every command of a document that does not say what it needs, in order; returns what each printed.

    Args:
        alter: of a line as written, the line to run: names that stand for the reader's own.
    """
    found = [command for command in runnable(document) if not command.text.startswith("make ")]
    return [run(Command(c.document, c.line, alter(c.text), ""), monkeypatch) for c in found]


def run_python(document: str, given: dict[str, Any]) -> dict[str, Any]:
    """Run every Python block of a document that does not say what it needs, one after the other; returns its names."""
    names = dict(given)
    for block in blocks(document, "python"):
        if not block.needs:
            exec(compile(block.text, f"{document}:{block.line}", "exec"), names)
    return names


def python_block(document: str, holding: str) -> Block:
    """The one Python block that holds some text."""
    (found,) = (block for block in blocks(document, "python") if holding in block.text)
    return found


def _by_bash(text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(PROJECT), "HF_DATASETS_OFFLINE": "1"}
    with tempfile.NamedTemporaryFile("r") as where:
        script = f"{text}\npwd > {shlex.quote(where.name)}"
        done = subprocess.run(["bash", "-euc", script], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        monkeypatch.chdir(where.read().rstrip("\n"))
    return done.stdout + done.stderr
