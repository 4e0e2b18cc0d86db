"""`dbgan corpus`: what the verbs print, what they write, and how they exit."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import Result

from dbgan.corpus.selection import write_selection
from dbgan.engine import build_corpus
from tests.commands import dbgan, gopro_folder, ingested_corpus
from tests.corpus.tiny import HEADER, TinyBuilder, contents, plan, plans


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pairs a/001 a/002 | a/004 | b/001 b/002, and two rejects."""
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path / "state"))
    build_corpus(tmp_path / "tiny", HEADER, TinyBuilder(), plans())
    return tmp_path / "tiny"


@pytest.fixture
def gopro(tmp_path: Path) -> Path:
    return gopro_folder(tmp_path / "raw")


@pytest.fixture
def ingested(gopro: Path, tmp_path: Path) -> Path:
    return ingested_corpus(gopro, tmp_path / "corpora" / "tiny")


@pytest.fixture
def selection(tmp_path: Path) -> Path:
    """a/001 is of the val split, a/002 of train, b/001 is dropped."""
    row = {"rule": "", "measure": "", "value": 0.0, "limit": 0.0, "reason": ""}
    chosen = [("a/001", "val", True), ("a/002", "train", True), ("b/001", "train", False)]
    rows = [{"key": key, "sequence": key[0], "split": split, "keep": keep} | row for key, split, keep in chosen]
    write_selection(tmp_path / "tiny.selection.parquet", rows)
    return tmp_path / "tiny.selection.parquet"


def facts(done: Result) -> dict[str, str]:
    assert done.exit_code == 0, done.output
    return dict(re.split(r"  +", line, maxsplit=1) for line in done.stdout.splitlines())


def test_info_tells_files_disk_and_why_inputs_were_refused(corpus: Path, selection: Path) -> None:
    told = facts(dbgan("corpus", "info", corpus))
    files = [data for name, data in contents(corpus).items()]
    assert told["disk"] == f"{sum(map(len, files)) / 1e6:,.1f} MB"
    assert told["reject reasons"] == "truncated 2"
    assert told["splits"] == "dropped 1, train 1, val 1"
    assert re.fullmatch(r"0\.\d kB each on average \(0\.\d to 0\.\d\)", told["blur.png"])


def test_ls_obeys_a_selection(corpus: Path, selection: Path) -> None:
    assert dbgan("corpus", "ls", corpus, "--selection", selection).stdout.split() == ["a/001", "a/002"]
    found = dbgan("corpus", "ls", corpus, "--selection", selection, "--split", "val")
    assert found.stdout.split() == ["a/001"]


def test_a_split_without_a_selection_is_bad_usage(corpus: Path, tmp_path: Path) -> None:
    done = dbgan("corpus", "export", corpus, tmp_path / "out", "--to", "folders", "--split", "val")
    assert done.exit_code == 2
    assert "--selection" in done.stderr


def test_extract_and_export_write_what_is_asked(corpus: Path, tmp_path: Path) -> None:
    done = dbgan("corpus", "extract", corpus, tmp_path / "files", "--sequence", "b")
    assert done.stdout.splitlines()[-1] == f"{tmp_path / 'files'}: 2 samples"
    assert (tmp_path / "files" / "b" / "001.json").is_file()
    for target, name in (("folders", "GT/a-001.png"), ("lmdb", "GT.lmdb/data.mdb")):
        done = dbgan("corpus", "export", corpus, tmp_path / target, "--to", target)
        assert done.exit_code == 0, done.output
        assert (tmp_path / target / name).is_file()
    assert dbgan("corpus", "export", corpus, tmp_path / "lmdb", "--to", "lmdb").exit_code == 1
    assert dbgan("corpus", "export", corpus, tmp_path / "x", "--to", "zip").exit_code == 2


def test_diff_exits_0_for_equal_samples_and_1_for_others(corpus: Path, tmp_path: Path) -> None:
    assert dbgan("corpus", "diff", corpus, corpus).exit_code == 0
    build_corpus(tmp_path / "other", HEADER, TinyBuilder(), [plan("a", {"001": 10, "002": 21})])
    done = dbgan("corpus", "diff", corpus, tmp_path / "other")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "~ a/002  pictures changed: blur, sharp",
        "- a/004",
        "- b/001",
        "- b/002",
        "1 pictures changed, 3 samples removed",
    ]


def test_diff_shows_the_first_and_counts_all(corpus: Path, tmp_path: Path) -> None:
    build_corpus(tmp_path / "many", HEADER, TinyBuilder(), [plan("z", {f"{n:03d}": n for n in range(60)})])
    shown = dbgan("corpus", "diff", corpus, tmp_path / "many").stdout.splitlines()
    assert len(shown) == 52
    assert shown[-1] == "60 samples added, 5 samples removed"
    assert len(dbgan("corpus", "diff", corpus, tmp_path / "many", "--all").stdout.splitlines()) == 66


def test_merge_makes_a_corpus_that_verifies(corpus: Path, tmp_path: Path) -> None:
    build_corpus(tmp_path / "other", HEADER, TinyBuilder(), [plan("d", {"001": 10})])
    done = dbgan("corpus", "merge", corpus, tmp_path / "other", "--out", tmp_path / "both")
    assert done.exit_code == 0, done.output
    assert dbgan("corpus", "verify", tmp_path / "both", "--workers", "2").exit_code == 0
    assert dbgan("corpus", "ls", tmp_path / "both").stdout.split()[-1] == "d/001"
    assert dbgan("corpus", "merge", corpus, "--out", tmp_path / "one").exit_code == 2


def test_card_writes_what_the_build_wrote(corpus: Path) -> None:
    before = contents(corpus)
    assert dbgan("corpus", "card", corpus).stdout.count("was up to date") == 2
    (corpus / "README.md").unlink()
    (corpus / "croissant.json").write_text("{}")
    done = dbgan("corpus", "verify", corpus)
    assert done.exit_code == 1
    assert re.search(r"README.md +is missing", done.stdout)
    assert dbgan("corpus", "card", corpus).stdout.count(": written") == 2
    assert contents(corpus) == before


def test_verify_counts_shards_while_it_runs(corpus: Path) -> None:
    lines = dbgan("corpus", "verify", corpus, "--quick").stdout.splitlines()
    assert re.match(r"verify tiny: 4 of 4 done", lines[0])
    assert lines[1] == f"{corpus}: 5 samples, nothing wrong (quick: not hashed)"


def test_importing_the_corpus_verbs_imports_nothing_heavy() -> None:
    heavy = ("torch", "ray", "pandas", "pyarrow", "cv2", "webdataset", "lmdb", "numpy")
    code = f"import sys, dbgan.cli_corpus; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_card_gives_a_damaged_manifest_no_new_digest(corpus: Path) -> None:
    (corpus / "manifest.parquet").write_bytes(b"PAR1 and no table")
    before = (corpus / "croissant.json").read_bytes()
    done = dbgan("corpus", "card", corpus)
    assert done.exit_code == 1
    assert "manifest.parquet: cannot be read" in done.stderr
    assert (corpus / "croissant.json").read_bytes() == before


@pytest.mark.parametrize("verb", ["diff", "merge", "export", "extract", "card"])
def test_a_folder_that_is_no_corpus_is_said_without_a_traceback(tmp_path: Path, verb: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty2").mkdir()
    rest = {
        "diff": [tmp_path / "empty2"],
        "merge": [tmp_path / "empty2", "--out", tmp_path / "o"],
        "export": [tmp_path / "o", "--to", "folders"],
        "extract": [tmp_path / "o"],
        "card": [],
    }[verb]
    done = dbgan("corpus", verb, tmp_path / "empty", *rest)
    assert done.exit_code == 1
    assert "expected a corpus, found no corpus.json" in done.stderr
    assert not (tmp_path / "o").exists()


def test_info_counts_what_the_corpus_holds(ingested: Path) -> None:
    done = dbgan("corpus", "info", ingested)
    assert done.exit_code == 0
    facts = dict(re.split(r"  +", line, maxsplit=1) for line in done.stdout.splitlines())
    assert facts["corpus"] == "tiny"
    assert facts["kind"] == "paired (blur, sharp)"
    assert facts["samples"] == "4"
    assert facts["sequences"] == "2"
    assert facts["pictures"] == "48x40 4"
    assert facts["rejects"] == "1"
    stored = sum(tar.stat().st_size for tar in ingested.glob("*.tar")) / 1e6
    assert facts["shards"].endswith(f", {stored:,.1f} MB")


def test_info_counts_the_splits_of_the_selection_beside_it(ingested: Path) -> None:
    row = {"measure": "", "value": 0.0, "limit": 0.0, "reason": ""}
    kept = {"split": "train", "keep": True, "rule": ""} | row
    dropped = {"split": "train", "keep": False, "rule": "minimum_size"} | row
    keys = dbgan("corpus", "ls", ingested).stdout.split()
    rows = [{"key": k, "sequence": k.split("/")[0]} | (dropped if i == 0 else kept) for i, k in enumerate(keys)]
    write_selection(ingested.with_name("tiny.selection.parquet"), rows)
    assert re.search(r"splits +train 3, dropped 1", dbgan("corpus", "info", ingested).stdout)


def test_info_rejects_names_reason_and_file(ingested: Path) -> None:
    done = dbgan("corpus", "info", ingested, "--rejects")
    assert done.exit_code == 0
    assert re.search(r"pair_missing .* GOPR0002_07_00/blur/000003\.png", done.stdout)


def test_info_rejects_shows_the_digest_where_the_state_is_gone(
    ingested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path / "empty"))
    shown = dbgan("corpus", "info", ingested, "--rejects").stdout
    assert hashlib.sha256(b"GOPR0002_07_00/blur/000003.png").hexdigest() in shown
    assert "000003.png" not in shown


def test_ls_prints_the_keys_in_order(ingested: Path) -> None:
    keys = ["GOPR0001_07_00/000001", "GOPR0001_07_00/000002", "GOPR0002_07_00/000001", "GOPR0002_07_00/000002"]
    assert dbgan("corpus", "ls", ingested).stdout.split() == keys
    assert dbgan("corpus", "ls", ingested, "--sequence", "GOPR0002_07_00").stdout.split() == keys[2:]


def test_show_writes_the_pictures_pixel_by_pixel(ingested: Path, gopro: Path, tmp_path: Path) -> None:
    done = dbgan("corpus", "show", ingested, "GOPR0001_07_00/000002", "--out", tmp_path / "shown")
    assert done.exit_code == 0, done.output
    assert re.search(r"key +GOPR0001_07_00/000002", done.stdout)
    for half in ("blur", "sharp"):
        shown = np.asarray(Image.open(tmp_path / "shown" / f"GOPR0001_07_00-000002-{half}.png"))
        given = np.asarray(Image.open(gopro / "GOPR0001_07_00" / half / "000002.png"))
        np.testing.assert_array_equal(shown, given)


def test_show_prints_the_measures_of_the_manifest(ingested: Path) -> None:
    done = dbgan("corpus", "show", ingested, "GOPR0001_07_00/000002")
    row = pq.read_table(ingested / "manifest.parquet").to_pylist()[1]
    assert row["key"] == "GOPR0001_07_00/000002"
    said = dict(line.split(None, 1) for line in done.stdout.splitlines() if len(line.split(None, 1)) == 2)
    for name in ("blur_sharpness", "sharp_noise_sigma", "pair_psnr"):
        assert float(said[name]) == row[name]


def test_show_of_an_unknown_key_fails_without_a_traceback(ingested: Path) -> None:
    done = dbgan("corpus", "show", ingested, "GOPR0001_07_00/000009")
    assert done.exit_code == 1
    assert "GOPR0001_07_00/000009" in done.stderr


def test_verify_passes_a_whole_corpus(ingested: Path) -> None:
    done = dbgan("corpus", "verify", ingested)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == f"{ingested}: 4 samples, nothing wrong"


def test_verify_names_the_damaged_shard_and_exits_1(ingested: Path) -> None:
    shard = sorted(ingested.glob("*.tar"))[0]
    shard.chmod(0o644)
    data = bytearray(shard.read_bytes())
    data[700] ^= 1
    shard.write_bytes(data)
    done = dbgan("corpus", "verify", ingested)
    assert done.exit_code == 1
    assert shard.stem in done.stdout
    assert "Next:" in done.stderr


def test_ls_of_an_unknown_sequence_says_so(ingested: Path) -> None:
    done = dbgan("corpus", "ls", ingested, "--sequence", "nope")
    assert done.exit_code == 1
    assert "no sample of sequence 'nope'" in done.stderr


def test_a_damaged_shard_is_repaired_by_removing_it_and_building_again(gopro: Path, ingested: Path) -> None:
    again = ["ingest", gopro, ingested, "--layout", "gopro", "--set", "blur=blur", "--set", "max_reject_fraction=0.5"]
    whole = {path.name: path.read_bytes() for path in ingested.iterdir()}
    damaged, *others = sorted(ingested.glob("*.tar"))
    flipped = bytearray(whole[damaged.name])
    flipped[len(flipped) // 2] ^= 1
    damaged.write_bytes(flipped)

    found = dbgan("corpus", "verify", ingested)
    assert found.exit_code == 1
    assert f"dbgan corpus verify {ingested} --repair" in found.stderr
    assert damaged.read_bytes() == flipped

    repaired = dbgan("corpus", "verify", ingested, "--repair")
    assert repaired.exit_code == 1
    assert str(damaged) in repaired.stdout
    assert "makes the 1 removed shard(s)" in repaired.stderr
    assert sorted(ingested.glob("*.tar")) == others

    built = dbgan(*again)
    assert "1 shards built, 1 reused" in built.stdout
    assert {path.name: path.read_bytes() for path in ingested.iterdir()} == whole
    assert dbgan("corpus", "verify", ingested).exit_code == 0


def test_repair_leaves_strange_files_and_whole_shards(ingested: Path) -> None:
    (ingested / "strange.tar").write_bytes(b"mine")
    before = sorted(ingested.iterdir())
    done = dbgan("corpus", "verify", ingested, "--repair")
    assert done.exit_code == 1
    assert "strange.tar" in done.stdout
    assert sorted(ingested.iterdir()) == before
