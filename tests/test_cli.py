"""The command line: what it prints, what it refuses, and how it exits."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from dbgan import cli
from dbgan.errors import CorpusError, DbganError, ImageError, MissingPackageError, ParamsError
from dbgan.params import IngestParams
from tests.commands import dbgan, gopro_folder, identity_weights, ingested_corpus, save, texture

HEAVY = ("torch", "ray", "pandas", "pyarrow", "cv2", "webdataset", "dvc", "pillow_heif", "matplotlib", "skimage")


@pytest.fixture
def gopro(tmp_path: Path) -> Path:
    return gopro_folder(tmp_path / "raw")


@pytest.fixture
def corpus(gopro: Path, tmp_path: Path) -> Path:
    return ingested_corpus(gopro, tmp_path / "corpora" / "tiny")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return identity_weights(tmp_path / "weights.safetensors")


def test_importing_the_command_line_imports_nothing_heavy() -> None:
    code = f"import sys, dbgan.cli; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_lists_every_verb_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom dbgan.cli import app\ntry:\n    app(['--help'])\nexcept SystemExit as stop:\n"
        f"    print(stop.code, [m for m in {HEAVY} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
    assert all(verb in done.stdout for verb in ("sample", "ingest", "corpus", "blur", "deblur", "weights"))


def test_python_m_dbgan_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "dbgan", "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"dbgan \d+\.\d+\.\d+\S*\n", done.stdout)


def test_an_unknown_layout_lists_those_there_are(tmp_path: Path) -> None:
    done = dbgan("ingest", tmp_path, tmp_path / "out", "--layout", "gorpo")
    assert done.exit_code == 2
    assert "'gopro'" in done.stderr
    assert "'gorpo'" in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DbganError("one\ntwo"), 1),
        (CorpusError("one\ntwo"), 1),
        (MissingPackageError("one\ntwo"), 1),
        (ImageError("truncated", "one\ntwo"), 1),
        (ParamsError("one\ntwo"), 2),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_on_purpose_have_their_exit_code_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: BaseException, code: int
) -> None:
    def fail(model: type[BaseModel], settings: object, **fixed: object) -> BaseModel:
        raise error

    monkeypatch.setattr(cli, "with_settings", fail)
    done = dbgan("sample", tmp_path / "out")
    assert done.exit_code == code
    assert isinstance(done.exception, SystemExit)
    assert ("interrupted" if code == 130 else "one\ntwo") in done.stderr
    assert done.stdout == ""


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cli, "with_settings", lambda *_: 1 / 0)
    assert isinstance(dbgan("sample", tmp_path / "out").exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "arguments", [["ingst"], ["ingest"], ["corpus", "info", "no-such-folder"], ["deblur", "x.png"]]
)
def test_bad_usage_exits_2(arguments: list[str]) -> None:
    assert dbgan(*arguments).exit_code == 2


def test_blur_takes_a_folder_of_any_name_and_makes_its_pairs_again(corpus: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "Anna's photos (2)", tmp_path / "blurred pairs"
    shutil.copytree(corpus, source)
    header = json.loads((source / "corpus.json").read_text())
    (source / "corpus.json").write_text(json.dumps({**header, "name": source.name}))

    done = dbgan("blur", source, out, "--model", "kernel", "--set", "kernel={grid: 9}")
    assert done.exit_code == 0, done.output
    key = dbgan("corpus", "ls", out).stdout.split()[0]
    again = dbgan("blur", out, "--like", key)
    assert again.exit_code == 0, again.output
    assert "the same" in again.output


def test_a_glob_is_given_as_it_is_written() -> None:
    params = cli.with_settings(IngestParams, ["blur_glob=*/blur/*.png", "sharp_glob=*/sharp/*.png"], layout="paired")
    assert (params.blur_glob, params.sharp_glob) == ("*/blur/*.png", "*/sharp/*.png")


def test_blur_by_kernel_makes_pairs_with_lineage(corpus: Path, tmp_path: Path) -> None:
    done = dbgan("blur", corpus, tmp_path / "blurred", "--model", "kernel", "--variants", "2", "--seed", "5")
    assert done.exit_code == 0, done.output
    keys = dbgan("corpus", "ls", tmp_path / "blurred").stdout.split()
    assert len(keys) == 8
    assert json.loads((tmp_path / "blurred" / "corpus.json").read_text())["synthesized"] is True


@pytest.mark.parametrize("arguments", [["--model", "bgan"], ["--model", "kernel", "--weights", "W"], ["--model", "x"]])
def test_blur_asks_for_the_weights_its_model_needs(tmp_path: Path, weights: Path, arguments: list[str]) -> None:
    arguments = [str(weights) if a == "W" else a for a in arguments]
    assert dbgan("blur", tmp_path, tmp_path / "out", *arguments).exit_code == 2


def test_sample_renders_both_layouts(tmp_path: Path) -> None:
    small = ["width=64", "height=64", "frames_per_sequence=2", "captures_per_phone=2", "phone_pairs=1"]
    done = dbgan("sample", tmp_path / "demo", *(part for text in small for part in ("--set", text)))
    assert done.exit_code == 0, done.output
    assert list((tmp_path / "demo" / "gopro" / "train").glob("GOPR*/sharp/*.png"))
    assert list((tmp_path / "demo" / "phones" / "test").rglob("*.jpg"))


def test_a_file_in_the_place_of_the_output_folder_is_named(gopro: Path, corpus: Path, weights: Path) -> None:
    taken = corpus.parent / "taken"
    taken.write_bytes(b"mine")
    picture = save(corpus.parent / "a.png", texture(1))
    for arguments in (
        ["deblur", picture, "--out", taken, "--weights", weights],
        ["ingest", gopro, taken, "--layout", "gopro", "--set", "blur=blur"],
        ["sample", taken],
        ["sample", taken / "below"],
        ["blur", corpus, taken, "--model", "kernel"],
    ):
        done = dbgan(*arguments)
        assert done.exit_code == 1, arguments
        assert f"{taken}: expected a folder or nothing, found a file.\nNext: " in done.stderr
    assert taken.read_bytes() == b"mine"


def test_blur_names_weights_of_another_kind_once(corpus: Path, weights: Path, tmp_path: Path) -> None:
    done = dbgan("blur", corpus, tmp_path / "out", "--weights", weights)
    assert done.exit_code == 1
    assert done.stderr.count(str(weights)) == 1
    assert "expected the weights of a bgan generator, found generator dbgan.\nNext: " in done.stderr
    assert not (tmp_path / "out").exists()


def test_blur_like_makes_a_pair_again_and_compares(corpus: Path, tmp_path: Path) -> None:
    assert dbgan("blur", corpus, tmp_path / "blurred", "--model", "kernel").exit_code == 0
    key = dbgan("corpus", "ls", tmp_path / "blurred").stdout.split()[0]
    done = dbgan("blur", tmp_path / "blurred", "--like", key, "--source", corpus)
    assert done.exit_code == 0, done.output
    assert re.search(rf"{key}: made again, the same [\d,]+ bytes as stored", done.stdout)
    assert dbgan("blur", tmp_path / "blurred", tmp_path / "out", "--like", key).exit_code == 2
    assert dbgan("blur", tmp_path / "blurred", "--like", "no/pair", "--source", corpus).exit_code == 1
    assert dbgan("blur", corpus).exit_code == 2


def test_blur_dry_run_writes_nothing_and_takes_settings(corpus: Path, tmp_path: Path) -> None:
    arguments = ["--model", "kernel", "--variants", "3", "--dry-run", "--set", "shard_samples=2"]
    done = dbgan("blur", corpus, tmp_path / "out", *arguments)
    assert done.exit_code == 0, done.output
    assert re.search(r"pairs +12, of which 12 are to be made", done.stdout)
    assert not (tmp_path / "out").exists()
    assert dbgan("blur", corpus, tmp_path / "out", "--model", "kernel", "--set", "variants=3").exit_code == 2
