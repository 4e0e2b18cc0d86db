"""`dbgan params explain`: every key can be looked up, with the value that the paper's preset gives it."""

from __future__ import annotations

from typer.testing import CliRunner

from dbgan.cli import app
from dbgan.project.reference import entries, find, markdown
from tests.conftest import PROJECT


def explained(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["params", "explain", *words])
    return done.exit_code, done.output


def test_a_whole_path_with_a_real_name_prints_everything_about_the_key() -> None:
    code, text = explained("bgan.demo.beta")
    assert code == 0
    assert text.splitlines() == [
        "bgan.NAME.beta",
        "    weight of the realistic blur loss (RBL); the paper's 0.01",
        "    allowed: a number from 0.0 up",
        "    default 0.01",
        "    presets/paper.yaml: bgan.paper.beta: 0.01",
    ]


def test_a_last_part_finds_all_keys_that_end_with_it() -> None:
    found = find(entries(), "training.crop")
    assert not isinstance(found, str)
    assert [entry.name for entry in found] == ["bgan.NAME.training.crop", "dbgan.common.training.crop"]


def test_a_section_prints_what_lies_below_it() -> None:
    _, text = explained("bgan.NAME.warmup")
    assert [line for line in text.splitlines() if not line.startswith(" ")][1:] == [
        "bgan.NAME.warmup.max_steps",
        "bgan.NAME.warmup.accuracy",
        "bgan.NAME.warmup.lr",
    ]


def test_an_unknown_key_names_the_nearest_and_is_bad_usage() -> None:
    code, text = explained("trainnig")
    assert code == 2
    assert "Did you mean 'training'" in text


def test_without_a_key_every_key_is_listed() -> None:
    code, text = explained()
    assert code == 0
    leaves = [entry for entry in entries() if not entry.section]
    assert all(f"  {entry.name}: " in text for entry in leaves)


def test_the_document_is_that_of_the_models() -> None:
    """After a change of a parameter: `python -m dbgan.project.reference > docs/params.md`."""
    assert (PROJECT / "docs" / "params.md").read_text(encoding="utf-8") == markdown()
