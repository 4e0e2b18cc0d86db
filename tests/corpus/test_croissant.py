"""croissant.json validates with mlcroissant, and its records are the corpus's samples and pictures."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from dbgan.corpus import Corpus, croissant
from dbgan.engine import build_corpus
from tests.corpus.tiny import HEADER, TinyBuilder, plan, plans

READ = """
import io, json, sys
import mlcroissant, numpy
dataset = mlcroissant.Dataset(sys.argv[1])
issues = dataset.metadata.ctx.issues
records = [{k: v.decode() if isinstance(v, bytes) else v for k, v in r.items()} for r in dataset.records("samples")]
pictures = {}
for field in ("blur", "sharp"):
    for record in dataset.records(field):
        pixels = numpy.asarray(record[f"{field}/picture"].convert("RGB"))
        pictures[f"{record[f'{field}/key'].decode()} {field}"] = pixels.tolist()
text = {"errors": list(issues.errors), "records": records, "pictures": pictures}
print(json.dumps(text, default=lambda value: value.item()))
"""


def test_mlcroissant_validates_it_and_iterates_every_sample_and_picture(corpus: Path, tmp_path: Path) -> None:
    # mlcroissant reads its cache folder's name once, when it is imported: hence a process of its own
    environment = {**os.environ, "CROISSANT_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-c", READ, str(corpus / "croissant.json")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == []
    opened = Corpus.open(corpus)
    assert [record["samples/key"] for record in found["records"]] == opened.keys
    for record in found["records"]:
        sample = opened[record["samples/key"]]
        assert {name: record[f"samples/{name}"] for name in sample.meta} == sample.meta
        for field, image in sample.images.items():
            np.testing.assert_array_equal(np.array(found["pictures"].pop(f"{sample.key} {field}"), np.uint8), image)
    assert found["pictures"] == {}


def test_it_names_every_tar_and_table_with_its_sum(corpus: Path) -> None:
    text = json.loads((corpus / "croissant.json").read_text())
    files = {item["contentUrl"]: item["sha256"] for item in text["distribution"] if item["@type"] == "cr:FileObject"}
    names = [path.name for path in corpus.iterdir() if path.suffix in (".tar", ".parquet")]
    assert files == {name: hashlib.sha256((corpus / name).read_bytes()).hexdigest() for name in names}


def test_a_corpus_without_samples_describes_its_tables_alone(tmp_path: Path) -> None:
    build_corpus(tmp_path / "c", HEADER, TinyBuilder(), [plan("a", {"001": -1})])
    text = json.loads((tmp_path / "c" / "croissant.json").read_text())
    assert [records["@id"] for records in text["recordSet"]] == ["samples"]
    assert all(item["@type"] == "cr:FileObject" for item in text["distribution"])


def test_lists_of_the_lineage_are_repeated_fields() -> None:
    text = croissant.describe(replace(HEADER, synthesized=True), [], {})
    fields = {field["@id"]: field for field in text["recordSet"][0]["field"]}
    assert fields["samples/noise"]["repeated"] is True
    assert fields["samples/variant"]["dataType"] == "sc:Integer"


def test_equal_corpora_have_equal_descriptions(corpus: Path, tmp_path: Path) -> None:
    build_corpus(tmp_path / "again", HEADER, TinyBuilder(), plans()[::-1])
    assert (tmp_path / "again" / "croissant.json").read_bytes() == (corpus / "croissant.json").read_bytes()
    assert croissant.write(corpus, HEADER) is False
