"""dvc.yaml names the code that each stage imports: a fixed bug reruns every stage that it touches."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

PROJECT = Path(__file__).resolve().parent.parent.parent
STAGES = yaml.safe_load((PROJECT / "dvc.yaml").read_text())["stages"]

# What only starts a stage, reports its progress or phrases its errors shapes no out.
SHAPES_NOTHING = {
    *("dbgan/__init__.py", "dbgan/console.py", "dbgan/errors.py", "dbgan/progress.py", "dbgan/ran.py"),
    *("dbgan/locks.py", "pipelines/stage.py"),
    *(f"dbgan/project/{name}.py" for name in ("__init__", "revisions", "template")),
}


def module_file(module: str) -> Path | None:
    path = PROJECT / Path(*module.split("."))
    if (path / "__init__.py").is_file():
        return path / "__init__.py"
    file = path.with_suffix(".py")
    return file if file.is_file() else None


def imports(file: Path) -> set[Path]:
    """Project files that `file` imports, at the top or inside functions; a lazy package's `__getattr__` counts."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and file.name == "__init__.py":
            names = [node.value] if node.value.startswith("dbgan.") else []
        for name in names:
            if name.split(".")[0] in ("dbgan", "pipelines"):
                path = module_file(name)
                found |= {path} if path else set()
    return found


def closure(file: Path) -> set[str]:
    seen: set[Path] = set()
    queue = [file]
    while queue:
        current = queue.pop()
        if current not in seen:
            seen.add(current)
            queue.extend(imports(current))
    return {str(path.relative_to(PROJECT)) for path in seen}


def stage_entry(stage: dict) -> dict:
    return stage.get("do", stage)


@pytest.mark.parametrize("name", sorted(STAGES))
def test_every_stage_depends_on_the_code_it_imports(name: str) -> None:
    entry = stage_entry(STAGES[name])
    module = entry["cmd"].split()[2]
    deps = [dep for dep in entry["deps"] if dep.split("/")[0] in ("dbgan", "pipelines")]
    needed = closure(PROJECT / Path(*module.split(".")).with_suffix(".py")) - SHAPES_NOTHING
    missing = sorted(f for f in needed if not any(f == dep or f.startswith(f"{dep}/") for dep in deps))
    assert not missing, f"dvc.yaml: stage {name} imports code that it does not depend on: {missing}"


@pytest.mark.parametrize("name", sorted(STAGES))
def test_no_stage_depends_on_code_that_it_does_not_import(name: str) -> None:
    entry = stage_entry(STAGES[name])
    needed = closure(PROJECT / Path(*entry["cmd"].split()[2].split(".")).with_suffix(".py"))
    for dep in entry["deps"]:
        if dep.split("/")[0] in ("dbgan", "pipelines"):
            assert any(f == dep or f.startswith(f"{dep}/") for f in needed), f"stage {name}: {dep}"
