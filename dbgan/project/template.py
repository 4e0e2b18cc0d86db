"""The files a project starts from: those of this repository, which the wheel carries along."""

from __future__ import annotations

from pathlib import Path

from dbgan.errors import DbganError, ParamsError

PRESETS = ("demo", "paper", "real-small")
"""What `dbgan new --preset` takes: the root's params.yaml, and the files of presets/."""


def template() -> Path:
    """Folder that holds dvc.yaml, params.yaml, presets/, pipelines/ and the cards of datasets/.

    In a wheel it lies inside the package (pyproject.toml, `force-include`); in a checkout it is the root.
    """
    inside = Path(__file__).parent / "template"
    root = inside if inside.is_dir() else Path(__file__).parents[2]
    if not (root / "dvc.yaml").is_file():
        raise DbganError(
            f"{root}: expected the files a project starts from (dvc.yaml, params.yaml, ...); found no dvc.yaml.\n"
            "Next: install the package again; this installation is incomplete."
        )
    return root


def preset(name: str) -> Path:
    """The params file of a preset. Raises `ParamsError` on an unknown one."""
    if name not in PRESETS:
        raise ParamsError(f"{name}: no such preset.\nExpected one of: {', '.join(PRESETS)}")
    return template() / ("params.yaml" if name == "demo" else f"presets/{name}.yaml")
