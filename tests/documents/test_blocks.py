"""Every command of every document is one, and is run by a test or says what it needs."""

from __future__ import annotations

import ast
import copy
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbgan.params import Params
from tests.conftest import PROJECT
from tests.documents.parsing import key_problem, problem_of, sections
from tests.documents.reading import DOCUMENTS, KINDS, blocks, commands, runnable, spans

RUN_BY: dict[str, str | tuple[str, ...]] = {
    "README.md": "documents/test_runs.py::test_the_commands_of_the_readme",
    "docs/blur.md": "documents/test_runs.py::test_the_commands_on_blur",
    "docs/cluster.md": "pipelines/test_by_hand.py::test_what_the_pages_on_training_and_clusters_run_by_hand",
    "docs/consume.md": (
        "publish/test_consume.py::test_the_snippets_that_need_no_server_run_as_written",
        "publish/test_consume.py::test_the_snippet_that_reads_from_a_bucket_runs_as_written",
        "publish/test_consume.py::test_dvc_get_brings_one_corpus_out_of_a_repository",
    ),
    "docs/data/bsd.md": "documents/test_data_pages.py::test_a_page_s_commands_work_on_a_miniature_of_its_set",
    "docs/data/gopro.md": "documents/test_data_pages.py::test_a_page_s_commands_work_on_a_miniature_of_its_set",
    "docs/data/hide.md": "documents/test_data_pages.py::test_a_page_s_commands_work_on_a_miniature_of_its_set",
    "docs/data/own.md": "documents/test_data_pages.py::test_a_page_s_commands_work_on_a_miniature_of_its_set",
    "docs/data/realblur.md": "documents/test_data_pages.py::test_a_page_s_commands_work_on_a_miniature_of_its_set",
    "docs/data/reds.md": "documents/test_data_pages.py::test_a_page_s_commands_work_on_a_miniature_of_its_set",
    "docs/data/rsblur.md": "documents/test_data_pages.py::test_a_page_s_commands_work_on_a_miniature_of_its_set",
    "docs/data/rwbi.md": "documents/test_data_pages.py::test_a_page_s_commands_work_on_a_miniature_of_its_set",
    "docs/experiments.md": "documents/test_experiments.py::test_the_page_on_experiments_works_as_written",
    "docs/gpu.md": "documents/test_runs.py::test_the_commands_on_gpus",
    "docs/high-speed.md": "documents/test_runs.py::test_the_commands_on_high_speed_frames",
    "docs/new-device.md": "pipelines/test_graph.py::test_the_page_on_new_devices_works_as_written",
    "docs/projects.md": "documents/test_runs.py::test_the_commands_on_projects",
    "docs/publish.md": "documents/test_runs.py::test_the_commands_on_publishing",
    "docs/remotes.md": (
        "pipelines/test_graph.py::test_a_pull_into_an_empty_clone_adds_no_data_to_git",
        "pipelines/test_graph.py::test_a_second_clone_pulls_one_corpus_from_s3_and_trains_from_it",
        "corpus/test_remote.py::test_the_snippet_of_the_page_on_remotes",
    ),
    "docs/reproduce-paper.md": "documents/test_runs.py::test_the_commands_on_the_paper",
    "docs/restore.md": "documents/test_runs.py::test_the_commands_on_restoring",
    "docs/review.md": "pipelines/test_graph.py::test_the_page_on_new_devices_works_as_written",
    "docs/training.md": "pipelines/test_by_hand.py::test_what_the_pages_on_training_and_clusters_run_by_hand",
    "datasets/README.md": "pipelines/test_graph.py::test_the_page_on_new_devices_works_as_written",
}
"""Document -> the tests that run its commands. `make demo` and `make test` are run by `.ci/run`."""


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_says_what_it_is(document: str) -> None:
    assert [(block.line, block.kind) for block in blocks(document) if block.kind not in KINDS] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_is_understood_by_its_program(document: str) -> None:
    fenced = [(command.text, part) for command in commands(document) for part in command.parts]
    assert [(text, said) for text, part in fenced if (said := problem_of(part))] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_is_run_by_a_test_or_says_what_it_needs(document: str) -> None:
    ci = (PROJECT / ".ci/run").read_text().splitlines()
    left = [command for command in runnable(document) if command.text not in ci]
    left += [block for block in blocks(document, "python") if not block.needs]
    if not left:
        return
    assert document in RUN_BY, f"nobody runs {left[0]}. Next: run it in a test, or write `# needs ...` behind it"
    tests = RUN_BY[document]
    for test in (tests,) if isinstance(tests, str) else tests:
        file, _, name = test.partition("::")
        assert name in _functions(PROJECT / "tests" / file), test
        assert document in (PROJECT / "tests" / file).read_text(), f"{file} does not read {document}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_and_keys_in_sentences_exist(document: str) -> None:
    assert [(span, said) for span in spans(document) if (said := _said(span))] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_and_tests_in_sentences_exist(document: str) -> None:
    assert [span for span in spans(document) if _is_missing(span)] == []


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if blocks(name, "yaml")])
def test_yaml_blocks_are_parts_of_a_valid_params_file(document: str) -> None:
    """Laid over the demo's params.yaml; sources, corpora and files that only the page's reader has are made up."""
    for block in blocks(document, "yaml"):
        values = _over(yaml.safe_load((PROJECT / "params.yaml").read_text()), yaml.safe_load(block.text))
        _make_up(values)
        Params.model_validate(values)


PROGRAMS = ("dbgan", "dvc", "make", "pip", "python")
FILES = ("csv", "jpg", "json", "md", "parquet", "png", "py", "safetensors", "yaml")


def _said(span: str) -> str:
    """What is wrong with a span; empty: nothing, or it names neither a command nor a key."""
    words = _words(span)
    if (words[:1] and words[0] in PROGRAMS and len(words) > 1) or re.match(r"[A-Z_]+=\S+ \S", span):
        return problem_of(words, whole=False)
    parts = span.partition(":")[0].replace("*", "NAME").split(".")
    if len(parts) < 2 or parts[0] not in sections() or parts[-1] in FILES:
        return ""
    if not all(re.fullmatch(r"[a-z0-9_]+|[A-Z]+", part) for part in parts) or _is_module(parts):
        return ""
    while parts[-1].isupper():  # `bgan.NAME` is one of `bgan`
        parts.pop()
    return key_problem(".".join(parts))


def _words(span: str) -> list[str]:
    try:
        return shlex.split(span)
    except ValueError:  # an apostrophe
        return []


def _is_module(parts: list[str]) -> bool:
    """`dbgan.train.losses` is a module and `dbgan.train` a key as well; in sentences `dbgan.` is left out too."""
    places = [PROJECT.joinpath("dbgan", *parts[parts[0] == "dbgan" : n]) for n in range(2, len(parts) + 1)]
    return any(place.is_dir() or place.with_suffix(".py").is_file() for place in places)


def _is_missing(span: str) -> bool:
    path, _, name = span.partition("::")
    if name:
        file = PROJECT / "tests" / path.removeprefix("tests/")
        return not file.is_file() or name not in _functions(file)
    if not re.fullmatch(r"[\w./-]+", path) or re.search(r"[A-Z]{2,}|\bNAME\b", Path(path).stem):
        return False
    if re.fullmatch(r"\w+/test_\w+\.py|test_\w+\.py|\w+/\w+/test_\w+\.py", path):
        return not (PROJECT / "tests" / path).is_file() and not (PROJECT / path).is_file()
    ours = ("dbgan/", "pipelines/", "tests/", "docs/", "presets/", "benchmarks/", ".ci/")
    if path.startswith(ours) and not path.endswith("/weights.safetensors"):
        return not ((PROJECT / path).exists() or (PROJECT / "tests" / path).exists())
    return False


def _functions(file: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


def _over(below: Any, above: Any) -> Any:
    """`above` laid over `below`, mapping by mapping."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return copy.deepcopy(above)
    return {key: _over(below.get(key), above[key]) if key in above else below[key] for key in {**below, **above}}


def _make_up(values: dict[str, Any]) -> None:
    """Sources and corpora that a block names and the demo has not; and the demo's choice gives way to the block's."""
    clips, test = values["sources"]["demo-gopro"], values["sources"]["demo-gopro-test"]
    for blur in values.get("blur", {}).values():
        for name in blur["sharp"]:
            values["sources"].setdefault(name, clips)
    scored = values["evaluate"]
    named = [*scored.get("scoring", {}).get("aligned", {})]
    named += [name for external in scored.get("external", {}).values() for name in external.get("sources", [])]
    for name in named:
        values["sources"].setdefault(name, test)
    for tune in values["dbgan"]["finetune"].values():
        if "corpora" in tune:
            tune.pop("corpus", None)
        for name in tune.get("corpora", {}):
            values["synthesize"].setdefault(name, values["synthesize"]["demo"])
