"""docs/commands.md, made of the command line itself: `python -m dbgan.cli_reference > docs/commands.md`."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

from typer.main import get_command

from dbgan.cli import app

HEAD = (
    "# Commands",
    "",
    "Every verb of `dbgan`, made by `python -m dbgan.cli_reference`; `--help` behind a verb prints its part.",
    "Exit codes: 0 fine, 1 something was found wrong, 2 bad usage, 130 interrupted (finished work is kept).",
    "Errors go to the standard error, in words, with the next step.",
)


def markdown() -> str:
    """The whole page."""
    lines = [*HEAD]
    for words, command in _verbs(get_command(app), ()):
        lines += ["", f"## dbgan {' '.join(words)}", "", *_verb(words, command)]
    return "\n".join(lines) + "\n"


def _verbs(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, below in sorted(getattr(command, "commands", {}).items()):
        if hasattr(below, "commands"):
            yield from _verbs(below, (*words, name))
        elif not below.hidden:
            yield (*words, name), below


def _verb(words: tuple[str, ...], command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
    usage = " ".join(["dbgan", *words, *map(_placed, arguments), *(["[OPTIONS]"] if options else [])])
    yield from ("```text", usage, "```", "")
    yield " ".join((command.help or "").split())
    if not command.params:
        return
    yield from ("", "| | meaning | default |", "|---|---|---|")
    for parameter in (*arguments, *options):
        name = _placed(parameter) if parameter in arguments else " ".join([*parameter.opts, _value(parameter)]).strip()
        cells = (f"`{name}`", " ".join((parameter.help or "").split()), _default(parameter))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _placed(argument: Any) -> str:
    name = (argument.metavar or argument.name.upper()).removesuffix("...")
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs == -1 else "")


def _value(option: Any) -> str:
    """What stands behind an option: its choices, its placeholder, or nothing behind a flag."""
    if isinstance(option.default, bool):
        return ""
    if choices := _choices(option):
        return "|".join(choices)
    return str(option.metavar or option.opts[0].strip("-").replace("-", "_").upper())


def _choices(option: Any) -> list[str]:
    kind = getattr(getattr(option, "type_descriptor", None), "annotation", None)
    return [str(choice.value) for choice in kind] if isinstance(kind, type) and issubclass(kind, Enum) else []


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    return "" if value is None or value is False or value == "" or callable(value) else f"`{value}`"


if __name__ == "__main__":
    print(markdown(), end="")
