"""Whether a command that a document names is one: the real parsers are asked, and nothing is run."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import itertools
import re
import shutil
import tomllib
from functools import cache
from typing import Any

import yaml

from dbgan.project.reference import entries, find
from tests.conftest import PROJECT


def problem_of(words: list[str], *, whole: bool = True) -> str:
    """What is wrong with a command, in words; empty: it is one that works here.

    Args:
        words: of the command, variables before it included.
        whole: all that it needs is given; in sentences commands stand without their arguments.
    """
    words = list(words)
    while words and re.fullmatch(r"[A-Z][A-Z_]*=.*", words[0]):
        variable = words.pop(0).partition("=")[0]
        if not _read_somewhere(variable):
            return f"nothing reads the variable {variable}"
    if not words:
        return ""
    for place, word in enumerate(words):
        if not whole and "|" in word:  # `dbgan corpus info|verify`: several in one breath
            said = (problem_of([*words[:place], one, *words[place + 1 :]], whole=False) for one in word.split("|"))
            return next(filter(None, said), "")
    program = words[0].removeprefix(".venv/bin/")
    asked = {"dbgan": _dbgan, "dvc": _dvc, "make": _make, "python": _python, "pip": _pip}.get(program)
    if asked is not None:
        said = asked(words[1:])
        return _dvc_in_part(words[1:]) if said and program == "dvc" and not whole else said
    if program == "cp" and not re.search(r"[$A-Z]", words[1]) and not words[1].startswith("-"):
        return "" if (PROJECT / words[1]).exists() else f"no file {words[1]}"
    known = program in ("aws", "docker", "export", "hf", "ray", "ssh", "pre-commit", "mkdocs", "cd") or shutil.which(
        program
    )
    return "" if known else f"no program {program}"


@cache
def _root() -> Any:
    from typer.main import get_command

    from dbgan.cli import app

    return get_command(app)


def _dbgan(words: list[str]) -> str:
    command = _root()
    while hasattr(command, "commands"):
        if not words or words[0] == "--help":
            return ""
        if words[0] not in command.commands:
            return f"dbgan has no verb {words[0]}"
        command, words = command.commands[words[0]], words[1:]
    context = command.make_context("dbgan", [], resilient_parsing=True)
    try:
        _, left, _ = command.make_parser(context).parse_args(words)
    except Exception as error:  # typer's own copy of click has no name of its own to import
        return f"{type(error).__name__}: {error}"
    return f"left over: {left}" if left else ""


def _dvc(words: list[str]) -> str:
    from dvc.cli import DvcParserError
    from dvc.cli.parser import get_main_parser

    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            given = get_main_parser().parse_args(words)
    except (DvcParserError, SystemExit):
        return f"dvc does not understand it: {said.getvalue().splitlines()[-1:]}"
    for setting in getattr(given, "set_param", None) or []:
        if problem := key_problem(setting.partition("=")[0]):
            return problem
    if words[0] == "repro":
        stages = set(yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"])
        unknown = [target for target in given.targets or [] if target.partition("@")[0] not in stages]
        return f"no stage {unknown[0]}" if unknown else ""
    return ""


def _dvc_in_part(words: list[str]) -> str:
    """For a command without its arguments, in a sentence: its verbs and options are in dvc's help."""
    from dvc.cli.parser import get_main_parser

    verbs = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), contextlib.suppress(SystemExit, Exception):
        get_main_parser().parse_args([*verbs, "--help"])
    unknown = [word for word in words[len(verbs) :] if word.startswith("-") and word not in said.getvalue()]
    if not said.getvalue().startswith("usage: dvc ") or "error:" in said.getvalue().lower():
        return "dvc has no such command"
    return f"dvc {' '.join(verbs)} has no option {unknown[0]}" if unknown else ""


def _make(words: list[str]) -> str:
    makefile = (PROJECT / "Makefile").read_text()
    for word in words:
        variable, is_variable, _ = word.partition("=")
        known = f"$({variable})" in makefile or f"$(if $({variable})" in makefile
        if is_variable and not known:
            return f"the Makefile has no variable {variable}"
        if not is_variable and not re.search(rf"^{re.escape(word)}:", makefile, re.MULTILINE):
            return f"the Makefile has no target {word}"
    return ""


def _python(words: list[str]) -> str:
    if words[:1] == ["-c"]:
        compile(words[1], "-c", "exec")
        return ""
    if words[:1] != ["-m"]:
        return "expected python -m or -c"
    module, arguments = words[1], words[2:]
    if importlib.util.find_spec(module) is None:
        return f"no module {module}"
    if module == "benchmarks":
        unknown = [name for name in arguments if importlib.util.find_spec(f"benchmarks.{name}") is None]
        return f"no benchmark {unknown[0]}" if unknown else ""
    if module.startswith("pipelines."):
        source = (PROJECT / (module.replace(".", "/") + ".py")).read_text()
        options = [word.removeprefix("--") for word in arguments if word.startswith("--")]
        unknown = [option for option in options if f'"{option}"' not in source and f'"--{option}"' not in source]
        return f"{module} has no option --{unknown[0]}" if unknown else ""
    if module == "pytest":
        missing = [word for word in arguments if word.startswith("tests/") and not (PROJECT / word).exists()]
        return f"no file {missing[0]}" if missing else ""
    return ""


def _pip(words: list[str]) -> str:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    for word in words[1:]:
        name, _, extra = word.rstrip("]").partition("[")
        if name == "dbgan" and extra and extra not in project["optional-dependencies"]:
            return f"the package has no extra {extra}"
    return "" if words[:1] == ["install"] else "expected pip install"


@cache
def _sources() -> str:
    folders = ("dbgan", "benchmarks", "tests", "pipelines")
    return "\n".join(path.read_text() for folder in folders for path in (PROJECT / folder).rglob("*.py"))


def _read_somewhere(variable: str) -> bool:
    """Whether our code, or a library that documents it, reads an environment variable."""
    return variable in ("OMP_NUM_THREADS", "RAY_ADDRESS") or f'"{variable}"' in _sources()


@cache
def _entries() -> list[Any]:
    return entries()


def key_problem(key: str) -> str:
    """What is wrong with a key of params.yaml (`bgan.NAME.training.crop`, or its last parts); empty: it exists."""
    found = find(_entries(), key)
    return found if isinstance(found, str) else ""


@cache
def sections() -> frozenset[str]:
    """Words that a key of params.yaml may begin with in a document: of every part that has parts."""
    return frozenset(part for entry in _entries() if entry.section for part in entry.path if part != "NAME")
