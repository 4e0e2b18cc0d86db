"""What the documents hold: fenced blocks, the commands in them, and what stands in `code` within sentences."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tests.conftest import PROJECT

DOCUMENTS = sorted(
    str(path.relative_to(PROJECT))
    for pattern in ("*.md", "docs/**/*.md", "datasets/*.md")
    for path in PROJECT.glob(pattern)
)

KINDS = ("sh", "python", "yaml", "text")
"""`sh`, `python`: to be run. `yaml`: a part of params.yaml, from its root. `text`: output, trees of files, drawings."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<kind>\S*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: `kind` is the word behind the opening fence, `line` that of its first line of text, from 1."""

    document: str
    line: int
    kind: str
    text: str

    @property
    def needs(self) -> str:
        """What a Python block says that it needs, in a comment `# needs ...`; empty: nothing that a test lacks."""
        return _needs(self.text)


@dataclass(frozen=True, slots=True)
class Command:
    """A line of a `sh` block (continued lines joined): as written, without its comment; and what it says it needs."""

    document: str
    line: int
    text: str
    needs: str

    @property
    def parts(self) -> list[list[str]]:
        """The words of each command of the line; there are several where `&&` joins them."""
        made: list[list[str]] = [[]]
        for word in shlex.split(self.text.strip("()")):
            if word == "&&":
                made.append([])
            else:
                made[-1].append(word)
        return made


def text_of(document: str) -> str:
    return (PROJECT / document).read_text(encoding="utf-8")


def blocks(document: str, kind: str = "") -> list[Block]:
    """The fenced blocks of a document in order, all or those of one kind; indentation under a list is taken off."""
    text = text_of(document)
    found = []
    for match in _FENCE.finditer(text):
        indent = len(match["indent"])
        body = "".join(line[indent:] if line.strip() else line for line in match["text"].splitlines(keepends=True))
        found.append(Block(document, text[: match.start("text")].count("\n") + 1, match["kind"], body))
    return [block for block in found if kind in ("", block.kind)]


def commands(document: str) -> list[Command]:
    """Every command of the `sh` blocks of a document, in order."""
    return [command for block in blocks(document, "sh") for command in _commands(block)]


def runnable(document: str) -> list[Command]:
    """Those that a test has to run: all that do not say what they need."""
    return [command for command in commands(document) if not command.needs]


def _commands(block: Block) -> Iterator[Command]:
    joined = ""
    for number, line in enumerate(block.text.splitlines()):
        joined += line
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        text = re.split(r"(?:^|\s)#", joined, maxsplit=1)[0].strip()
        if text:
            yield Command(block.document, block.line + number, text, _needs(joined))
        joined = ""


def _needs(text: str) -> str:
    found = re.search(r"#.*?\bneeds (.+)", text)
    return found[1] if found else ""


def spans(document: str) -> list[str]:
    """What stands in `code` within the sentences and tables of a document."""
    prose = _FENCE.sub("", text_of(document))
    return [span.replace("\\|", "|") for span in re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose)]
