"""`dbgan new`: a project of one's own, which works with the installed package."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from dbgan.errors import DbganError
from dbgan.params import load
from dbgan.project.revisions import FILE, write_revisions
from dbgan.project.template import preset, template

HEAD = """\
# The graph: raw captures -> corpora -> selections -> BGAN -> synthetic pairs -> DBGAN and its variants -> scores,
# report. Each item depends on its own params subtree only. Stages depend on the installed package through
# revisions.yaml, which `dbgan revisions` writes: after an upgrade, what other bytes would come out of runs again.
"""

LINK = re.compile(r"\[([^\]]+)\]\(\.\./docs/([^)]+)\)")
"""A card's link to the documents of this repository, which a project does not hold."""


def new(folder: Path, preset_name: str) -> list[str]:
    """Write a project into `folder`, which is missing or empty but for git's own files.

    Args:
        folder: where; it is created.
        preset_name: `demo`, `paper` or `real-small`.

    Returns:
        Paths of what was written, relative to `folder`.

    Raises:
        DbganError: the folder holds files already.
        ParamsError: an unknown preset.
    """
    source, params = template(), preset(preset_name)
    present = sorted(p.name for p in folder.glob("*") if p.name not in (".git", ".venv")) if folder.is_dir() else []
    if folder.exists() and not folder.is_dir():
        raise DbganError(f"{folder}: expected a folder, or nothing; found a file.\nNext: choose another name.")
    if present:
        raise DbganError(
            f"{folder}: expected an empty folder; found {', '.join(present[:5])}.\n"
            "Next: choose another folder. A project that is there already is brought up to date by `dbgan revisions`."
        )
    (folder / "datasets" / "reviews").mkdir(parents=True)
    (folder / ".dvc").mkdir()
    (folder / "dvc.yaml").write_text(graph((source / "dvc.yaml").read_text(encoding="utf-8")), encoding="utf-8")
    shutil.copyfile(params, folder / "params.yaml")
    shutil.copytree(source / "pipelines", folder / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore"):
        shutil.copyfile(source / name, folder / name)
    for card in sorted((source / "datasets").glob("*.md")):
        text = card.read_text(encoding="utf-8")
        (folder / "datasets" / card.name).write_text(LINK.sub(r"\1 (docs/\2 of dbgan)", text), encoding="utf-8")
    for name in load(params).sources:  # curate depends on it, and DVC refuses a missing dependency
        (folder / "datasets" / "reviews" / f"{name}.csv").write_text("key,decision,note\n", encoding="utf-8")
    write_revisions(folder)
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and ".git" not in p.parts)


def graph(text: str) -> str:
    """dvc.yaml of this repository for the installed package: dependencies on code become params of revisions.yaml.

    Line by line, so that comments and order stay as they are.
    """
    lines = text.splitlines(keepends=True)
    start = next(i for i, line in enumerate(lines) if line.startswith("stages:"))
    made, stage, pending = [HEAD], "", False
    for line in lines[start:]:
        indent = len(line) - len(line.lstrip())
        if indent == 2 and line.rstrip().endswith(":") and not line.lstrip().startswith("#"):
            stage = line.strip().rstrip(":")
        if line.lstrip().startswith("- dbgan/"):
            pending = True
            continue
        key = line.strip().split(":")[0]
        if pending and key == "outs":  # a stage without params of its own
            made += [f"{' ' * indent}params:\n", *_entry(stage, indent)]
            pending = False
        made.append(line)
        if pending and key == "params":
            made += _entry(stage, indent)
            pending = False
    return "".join(made)


def _entry(stage: str, indent: int) -> list[str]:
    pad = " " * (indent + 2)
    return [f"{pad}- {FILE}:\n", f"{pad}    - {stage}\n"]


def outdated(folder: Path) -> list[str]:
    """Modules of FOLDER/pipelines that differ from those of the installed package."""
    source = template() / "pipelines"
    return sorted(
        path.name
        for path in source.glob("*.py")
        if not (folder / "pipelines" / path.name).is_file()
        or (folder / "pipelines" / path.name).read_bytes() != path.read_bytes()
    )
