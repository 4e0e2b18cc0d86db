"""The command line: what it prints, what it refuses, and how it exits."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel
from typer.testing import CliRunner, Result

from dbgan import cli
from dbgan.console import print_table
from dbgan.errors import CorpusError, DbganError, ImageError, MissingPackageError, ParamsError
from dbgan.params import IngestParams

HEAVY = ("torch", "ray", "pandas", "pyarrow", "cv2", "webdataset", "dvc", "pillow_heif", "matplotlib", "skimage")


def dbgan(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def texture(seed: int, height: int = 40, width: int = 48) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def gopro(tmp_path: Path) -> Path:
    """Two sequences of two pairs in GOPRO's layout, and a blurry frame without its twin."""
    root = tmp_path / "raw"
    for number, sequence in enumerate(("GOPR0001_07_00", "GOPR0002_07_00")):
        for frame in (1, 2):
            for half in ("blur", "sharp"):
                save(root / sequence / half / f"{frame:06d}.png", texture(10 * number + frame + len(half)))
    save(root / "GOPR0002_07_00" / "blur" / "000003.png", texture(99))
    return root


@pytest.fixture
def corpus(gopro: Path, tmp_path: Path) -> Path:
    out = tmp_path / "corpora" / "tiny"
    done = dbgan("ingest", gopro, out, "--layout", "gopro", "--set", "blur=blur", "--set", "max_reject_fraction=0.5")
    assert done.exit_code == 0, done.output
    return out


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


def test_info_counts_what_the_corpus_holds(corpus: Path) -> None:
    done = dbgan("corpus", "info", corpus)
    assert done.exit_code == 0
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in done.stdout.splitlines())
    assert facts["corpus"] == "tiny"
    assert facts["kind"] == "paired (blur, sharp)"
    assert facts["samples"] == "4"
    assert facts["sequences"] == "2"
    assert facts["pictures"] == "48x40 4"
    assert facts["rejects"] == "1"
    stored = sum(tar.stat().st_size for tar in corpus.glob("*.tar")) / 1e6
    assert facts["shards"].endswith(f", {stored:,.1f} MB")


def test_info_counts_the_splits_of_the_selection_beside_it(corpus: Path) -> None:
    from dbgan.corpus.selection import write_selection

    row = {"measure": "", "value": 0.0, "limit": 0.0, "reason": ""}
    kept = {"split": "train", "keep": True, "rule": ""} | row
    dropped = {"split": "train", "keep": False, "rule": "minimum_size"} | row
    keys = dbgan("corpus", "ls", corpus).stdout.split()
    rows = [{"key": k, "sequence": k.split("/")[0]} | (dropped if i == 0 else kept) for i, k in enumerate(keys)]
    write_selection(corpus.with_name("tiny.selection.parquet"), rows)
    assert re.search(r"splits +train 3, dropped 1", dbgan("corpus", "info", corpus).stdout)


def test_info_rejects_names_reason_and_file(corpus: Path) -> None:
    done = dbgan("corpus", "info", corpus, "--rejects")
    assert done.exit_code == 0
    assert re.search(r"pair_missing .* GOPR0002_07_00/blur/000003\.png", done.stdout)


def test_info_rejects_shows_the_digest_where_the_state_is_gone(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path / "empty"))
    shown = dbgan("corpus", "info", corpus, "--rejects").stdout
    assert hashlib.sha256(b"GOPR0002_07_00/blur/000003.png").hexdigest() in shown
    assert "000003.png" not in shown


def test_tables_show_names_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["file"], [["[bold]a:smile:.png"], ["caf\udce9.jpg"], ["x" * 200]])
    assert capsys.readouterr().out.split() == ["file", "[bold]a:smile:.png", "caf\\udce9.jpg", "x" * 200]


def test_ls_prints_the_keys_in_order(corpus: Path) -> None:
    keys = ["GOPR0001_07_00/000001", "GOPR0001_07_00/000002", "GOPR0002_07_00/000001", "GOPR0002_07_00/000002"]
    assert dbgan("corpus", "ls", corpus).stdout.split() == keys
    assert dbgan("corpus", "ls", corpus, "--sequence", "GOPR0002_07_00").stdout.split() == keys[2:]


def test_show_writes_the_pictures_pixel_by_pixel(corpus: Path, gopro: Path, tmp_path: Path) -> None:
    done = dbgan("corpus", "show", corpus, "GOPR0001_07_00/000002", "--out", tmp_path / "shown")
    assert done.exit_code == 0, done.output
    assert re.search(r"key +GOPR0001_07_00/000002", done.stdout)
    for half in ("blur", "sharp"):
        shown = np.asarray(Image.open(tmp_path / "shown" / f"GOPR0001_07_00-000002-{half}.png"))
        given = np.asarray(Image.open(gopro / "GOPR0001_07_00" / half / "000002.png"))
        np.testing.assert_array_equal(shown, given)


def test_show_prints_the_measures_of_the_manifest(corpus: Path) -> None:
    done = dbgan("corpus", "show", corpus, "GOPR0001_07_00/000002")
    row = pq.read_table(corpus / "manifest.parquet").to_pylist()[1]
    assert row["key"] == "GOPR0001_07_00/000002"
    said = dict(line.split(None, 1) for line in done.stdout.splitlines() if len(line.split(None, 1)) == 2)
    for name in ("blur_sharpness", "sharp_noise_sigma", "pair_psnr"):
        assert float(said[name]) == row[name]


def test_show_of_an_unknown_key_fails_without_a_traceback(corpus: Path) -> None:
    done = dbgan("corpus", "show", corpus, "GOPR0001_07_00/000009")
    assert done.exit_code == 1
    assert "GOPR0001_07_00/000009" in done.stderr


def test_verify_passes_a_whole_corpus(corpus: Path) -> None:
    done = dbgan("corpus", "verify", corpus)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == f"{corpus}: 4 samples, nothing wrong"


def test_verify_names_the_damaged_shard_and_exits_1(corpus: Path) -> None:
    shard = sorted(corpus.glob("*.tar"))[0]
    shard.chmod(0o644)
    data = bytearray(shard.read_bytes())
    data[700] ^= 1
    shard.write_bytes(data)
    done = dbgan("corpus", "verify", corpus)
    assert done.exit_code == 1
    assert shard.stem in done.stdout
    assert "Next:" in done.stderr


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """An untrained network that returns its input: its last layer is zero."""
    from dbgan.networks import generator, save_weights

    path = tmp_path / "weights.safetensors"
    save_weights(path, generator("dbgan", block="plain", blocks=1, width=4, init="zero_last"))
    return path


def test_weights_info_counts_the_parameters(weights: Path) -> None:
    from safetensors.numpy import load_file

    done = dbgan("weights", "info", weights)
    assert done.exit_code == 0, done.output
    assert f"{sum(tensor.size for tensor in load_file(weights).values()):,}" in done.stdout
    assert "plain" in done.stdout


def test_weights_info_of_another_file_fails_in_words(tmp_path: Path) -> None:
    other = tmp_path / "weights.pth"
    other.write_bytes(b"not safetensors")
    done = dbgan("weights", "info", other)
    assert done.exit_code == 1
    assert str(other) in done.stderr


def test_deblur_keeps_names_folders_and_sizes(weights: Path, tmp_path: Path) -> None:
    save(tmp_path / "photos" / "a" / "one.png", texture(1, 21, 33))
    save(tmp_path / "photos" / "two.jpg", texture(2))
    (tmp_path / "photos" / "notes.txt").write_text("not a picture")
    done = dbgan("deblur", tmp_path / "photos", "--out", tmp_path / "out", "--weights", weights)
    assert done.exit_code == 0, done.output
    written = sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert written == ["a/one.png", "two.jpg"]
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / "a" / "one.png")), texture(1, 21, 33))


def test_deblur_of_the_same_again_stops_until_told_what_to_do(weights: Path, tmp_path: Path) -> None:
    picture = save(tmp_path / "a.png", texture(1))
    arguments = ["deblur", picture, "--out", tmp_path / "out", "--weights", weights]
    assert dbgan(*arguments).exit_code == 0
    again = dbgan(*arguments)
    assert again.exit_code == 1
    assert "--existing skip" in again.stderr
    skipped = dbgan(*arguments, "--existing", "skip", "--compare", "--precision", "fp32", "--tile", "64")
    assert skipped.exit_code == 0, skipped.output
    assert "1 were there already" in skipped.stdout
    assert dbgan(*arguments, "--existing", "overwrite", "--format", "jpg").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.jpg", "a.png"]


def test_deblur_finishes_the_others_and_lists_what_failed(weights: Path, tmp_path: Path) -> None:
    broken = tmp_path / "a.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    whole = save(tmp_path / "b.png", texture(3))
    done = dbgan("deblur", broken, whole, "--out", tmp_path / "out", "--weights", weights)
    assert done.exit_code == 1
    assert "1 of 2" in done.stderr
    assert str(broken) in done.stderr
    assert (tmp_path / "out" / "b.png").is_file()


def test_deblur_refuses_a_generator_of_blur(tmp_path: Path) -> None:
    from dbgan.networks import generator, save_weights

    save_weights(tmp_path / "bgan.safetensors", generator("bgan", block="plain", blocks=1, width=4))
    picture = save(tmp_path / "a.png", texture(1))
    done = dbgan("deblur", picture, "--out", tmp_path / "out", "--weights", tmp_path / "bgan.safetensors")
    assert done.exit_code == 1
    assert "bgan" in done.stderr
    assert not (tmp_path / "out").exists()


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


def test_ls_of_an_unknown_sequence_says_so(corpus: Path) -> None:
    done = dbgan("corpus", "ls", corpus, "--sequence", "nope")
    assert done.exit_code == 1
    assert "no sample of sequence 'nope'" in done.stderr


def test_a_damaged_shard_is_repaired_by_removing_it_and_building_again(gopro: Path, corpus: Path) -> None:
    again = ["ingest", gopro, corpus, "--layout", "gopro", "--set", "blur=blur", "--set", "max_reject_fraction=0.5"]
    whole = {path.name: path.read_bytes() for path in corpus.iterdir()}
    damaged, *others = sorted(corpus.glob("*.tar"))
    flipped = bytearray(whole[damaged.name])
    flipped[len(flipped) // 2] ^= 1
    damaged.write_bytes(flipped)

    found = dbgan("corpus", "verify", corpus)
    assert found.exit_code == 1
    assert f"dbgan corpus verify {corpus} --repair" in found.stderr
    assert damaged.read_bytes() == flipped

    repaired = dbgan("corpus", "verify", corpus, "--repair")
    assert repaired.exit_code == 1
    assert str(damaged) in repaired.stdout
    assert "makes the 1 removed shard(s)" in repaired.stderr
    assert sorted(corpus.glob("*.tar")) == others

    built = dbgan(*again)
    assert "1 shards built, 1 reused" in built.stdout
    assert {path.name: path.read_bytes() for path in corpus.iterdir()} == whole
    assert dbgan("corpus", "verify", corpus).exit_code == 0


def test_repair_leaves_strange_files_and_whole_shards(corpus: Path) -> None:
    (corpus / "strange.tar").write_bytes(b"mine")
    before = sorted(corpus.iterdir())
    done = dbgan("corpus", "verify", corpus, "--repair")
    assert done.exit_code == 1
    assert "strange.tar" in done.stdout
    assert sorted(corpus.iterdir()) == before


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
