"""What ships beside the code: licence, make targets, documents, and that each part imports with what it needs alone."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import dbgan
from tests.conftest import PROJECT

DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "datasets/*.md") for path in PROJECT.glob(pattern) if path.is_file()
)
SETTINGS = (
    "Makefile",
    ".ci/run",
    "pyproject.toml",
    "dvc.yaml",
    "params.yaml",
    ".pre-commit-config.yaml",
    ".dvc/config",
)


def test_the_licence_is_the_apache_licence() -> None:
    words = (PROJECT / "LICENSE").read_text().split()
    assert words[:6] == ["Apache", "License", "Version", "2.0,", "January", "2004"]
    # The canonical text whatever its line breaks: a changed licence is another licence.
    canonical = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"
    assert hashlib.sha256(" ".join(words).encode()).hexdigest() == canonical


def test_versions_agree() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert dbgan.__version__ == project["version"] == metadata.version("dbgan")


def test_the_console_script_is_the_command_line() -> None:
    from dbgan.cli import app

    (script,) = (e for e in metadata.entry_points(group="console_scripts") if e.dist and e.dist.name == "dbgan")
    assert script.name == "dbgan"
    assert script.load() is app


def test_datasets_holds_no_python() -> None:
    assert [p.name for p in (PROJECT / "datasets").glob("*.py")] == []


@pytest.mark.parametrize("name", SETTINGS)
def test_no_registry_and_no_machine_path_is_named(name: str) -> None:
    text = (PROJECT / name).read_text()
    assert re.findall(r"index-url|find-links|(?<![\w.$/}])/(?:work|root|home|Users|opt|mnt)/\S*", text) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_readme_is_short() -> None:
    assert 30 < len((PROJECT / "README.md").read_text().splitlines()) < 150


NEED_NO_PIPELINE = (
    *(f"dbgan.networks.{name}" for name in ("generators", "discriminators", "features", "tiles", "weights")),
    *("dbgan.train.bgan", "dbgan.train.dbgan", "dbgan.train.losses", "dbgan.restore", "dbgan.evaluate.metrics"),
    *("dbgan.blur", "dbgan.engine", "dbgan.corpus.read", "dbgan.corpus.write", "dbgan.image.codec"),
)


def test_networks_training_and_restoring_work_without_the_pipeline_s_packages() -> None:
    """GPU nodes often lack them."""
    code = (
        "import sys\n"
        "for absent in ('ray', 'dvc', 'webdataset', 'pillow_heif'):\n"
        "    sys.modules[absent] = None\n"  # an import of it now raises, as where it is not installed
        f"import {', '.join(NEED_NO_PIPELINE)}\n"
        "print(dbgan.networks.generator('bgan', blocks=1, width=4).kind)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "bgan\n", done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with spaces in its name that holds the Makefile, and a `python` that only notes its arguments."""
    folder = tmp_path / "a project"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(PROJECT / name, folder / name)
    stub = folder / "python"
    stub.write_text(
        "#!/bin/sh\n"
        'echo "$*" >> calls\n'
        'case "$1 $2" in\n'
        '  "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python";;\n'
        "  -c*) exit ${TOO_OLD:-0};;\n"
        '  "-V "*) echo "Python 3.10.9";;\n'
        "esac\n"
    )
    stub.chmod(0o755)
    return folder


def make(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`make` as a user would run it, though a make may be running these tests."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MAKE") and k != "MFLAGS"}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=inherited | environment, capture_output=True, text=True, check=False
    )


def installs(folder: Path) -> int:
    return (folder / "calls").read_text().count("pip --disable-pip-version-check install")


def test_the_project_is_installed_once_and_again_when_its_metadata_change(project: Path) -> None:
    assert make(project, "venv", "PYTHON=./python").returncode == 0
    assert make(project, "venv", "PYTHON=./python").returncode == 0
    assert installs(project) == 1
    with (project / "pyproject.toml").open("a") as handle:
        handle.write("# another dependency\n")
    assert make(project, "venv", "PYTHON=./python").returncode == 0
    assert installs(project) == 2


def test_an_older_python_is_refused_in_words(project: Path) -> None:
    done = make(project, "venv", "PYTHON=./python", TOO_OLD="1")
    assert done.returncode != 0
    assert "Python 3.10.9" in done.stderr
    assert "3.11 or newer" in done.stderr
    assert not (project / ".venv").exists()


def test_a_missing_python_is_refused_in_words(project: Path) -> None:
    done = make(project, "venv", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert "no 'no-such-python' on the PATH" in done.stderr


def test_the_format_document_names_every_column_key_and_reason() -> None:
    from dbgan.corpus.columns import json_columns, manifest_columns
    from dbgan.corpus.layout import FORMAT_VERSION, REJECT_REASONS, WARNINGS
    from dbgan.image.quality import MEASURES

    text = (PROJECT / "docs" / "corpus-format.md").read_text()
    assert text.startswith(f"# The corpus format, version {FORMAT_VERSION}\n")
    named = set(re.findall(r"`([A-Za-z_0-9]+)`", text))
    # per field and per measure the document names a pattern: F_offset, F_tenengrad
    columns = {re.sub(r"^(blur|sharp)_", "F_", name) for name in manifest_columns("paired", True)}
    keys = {re.sub(r"^(blur|sharp)_", "F_", name) for name in json_columns("paired", True)}
    numbers = {name for name in columns if name.removeprefix("has_") in ("exposure_s", "iso", "f_number", "focal_mm")}
    assert columns - numbers - named == set()
    assert {*keys, *REJECT_REASONS, *WARNINGS, *(f"F_{m}" for m in MEASURES), *MEASURES} - named == set()


def test_the_table_of_the_house_is_the_order_of_imports() -> None:
    """docs/architecture.md, read downwards, names every room where import-linter has it (pyproject.toml)."""
    contract = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    layers = [re.split(r" [:|] ", layer) for layer in contract["layers"]]
    level = {room: number for number, rooms in enumerate(layers) for room in rooms}
    table = re.findall(r"^\| (`.+?) \|", (PROJECT / "docs/architecture.md").read_text(), re.MULTILINE)
    named = [re.findall(r"`(?:dbgan/)?(\w+)(?:/|\.py)?`", cell) for cell in table]
    rows = [rooms for rooms in named if rooms and rooms[0] in level]
    order = [level[rooms[0]] for rooms in rows[:-1]]
    assert order == sorted(order)
    everywhere = {room for rooms in rows for room in rooms}
    assert {room for room in level if not room.startswith(("cli_", "__"))} <= everywhere
