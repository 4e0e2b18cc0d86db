"""revisions.yaml: what a project with the installed package depends on, where this repository depends on code folders.

A stage runs again when a builder's REVISION changes. Stages that have no such number (curate, evaluate, ...) cost
seconds to minutes, so a digest of their code serves. Both are read from the sources, not by importing them: a stage
must not import torch for this.
"""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Any

import yaml

from dbgan.errors import DbganError, ParamsError
from dbgan.files import write_bytes
from dbgan.project.template import template
from dbgan.recipe import FORMAT_VERSION, code_digest

FILE = "revisions.yaml"
BUILDERS: dict[str, tuple[str, ...]] = {
    "ingest": ("dbgan.ingest.build",),
    "train_bgan": ("dbgan.train.bgan",),
    "synthesize": (
        "dbgan.synthesize.build",
        "dbgan.synthesize.learned",
        "dbgan.blur.average_blur",
        "dbgan.blur.camera_blur",
        "dbgan.blur.kernel_blur",
    ),
    "pretrain_dbgan": ("dbgan.train.dbgan",),
    "train_dbgan": ("dbgan.train.dbgan",),
    "finetune_dbgan": ("dbgan.train.dbgan",),
}
"""Stage -> modules whose REVISION (or class attribute `revision`) names the bytes it writes."""


def revisions() -> dict[str, dict[str, Any]]:
    """Stage of dvc.yaml -> what its outputs depend on in the installed package."""
    stages = yaml.safe_load((template() / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return {name: _of_stage(name, stage.get("do", stage)) for name, stage in stages.items()}


def _of_stage(name: str, stage: dict[str, Any]) -> dict[str, Any]:
    if name in BUILDERS:
        numbers: dict[str, Any] = {module.removeprefix("dbgan."): _declared(module) for module in BUILDERS[name]}
        return {"format": FORMAT_VERSION, **numbers}
    modules = [dep.removesuffix(".py").replace("/", ".") for dep in stage["deps"] if dep.startswith("dbgan/")]
    return {"code": code_digest(*modules)[:16]}


def _declared(module: str) -> int:
    """`REVISION = n`, or a class's `revision: ClassVar[int] = n`, in a module's source."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise DbganError(f"{module}: no such module in the installed package.\nNext: install dbgan again.")
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        target, value = None, None
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign):
            target, value = node.target, node.value
        named = isinstance(target, ast.Name) and target.id in ("REVISION", "revision")
        if named and isinstance(value, ast.Constant) and isinstance(value.value, int):
            return value.value
    raise DbganError(f"{spec.origin}: expected a line `REVISION = n`, found none.")


def write_revisions(folder: Path) -> bool:
    """Write FOLDER/revisions.yaml for the installed package; whether it changed."""
    text = (
        "# Written by `dbgan revisions`: what this project's stages depend on in the installed package. A stage runs\n"
        "# again when its entry changes. Commit it; do not edit it.\n" + yaml.safe_dump(revisions(), sort_keys=True)
    )
    path = folder / FILE
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    write_bytes(path, text.encode())
    return True


def check(folder: Path = Path()) -> None:
    """Stop a stage whose project was written for another version of the package.

    Raises:
        ParamsError: revisions.yaml is there and says other than the installed package does.
    """
    path = folder / FILE
    if not path.is_file():
        return  # this repository itself, whose stages depend on its code folders
    found, expected = yaml.safe_load(path.read_text(encoding="utf-8")), revisions()
    if found != expected:
        stages = sorted(name for name in expected if (found or {}).get(name) != expected[name])
        raise ParamsError(
            f"{path}: written for another version of dbgan than the one installed ({', '.join(stages)} differ).\n"
            "Next: dbgan revisions, then dvc repro: it makes again what those stages wrote."
        )
