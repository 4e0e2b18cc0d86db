"""What two corpora differ in, by samples; told from the manifests alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from dbgan.corpus import rows
from dbgan.corpus.diff import compare
from dbgan.corpus.layout import EncodedSample
from dbgan.corpus.tables import finish
from dbgan.corpus.write import write_shard
from dbgan.engine import build_corpus
from tests.corpus.tiny import HEADER, TinyBuilder, plan, plans, sample


def lines(old: Path, new: Path) -> list[str]:
    return [str(difference) for difference in compare(old, new)]


def one(path: Path, found: EncodedSample, synthesized: bool = False) -> Path:
    """A corpus of this one sample."""
    receipt = write_shard(path, plan("a", {"1": 1}), "paired", "png", [found])
    finish(path, replace(HEADER, synthesized=synthesized), [receipt])
    return path


@pytest.mark.parametrize("batch", [1, 2, 4096])
def test_added_removed_and_changed_samples_are_found(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(rows, "BATCH", batch)
    other = [plan("a", {"001": 10, "002": 21, "0025": 5}), plan("b", {"002": 60, "003": 70})]
    build_corpus(tmp_path / "other", HEADER, TinyBuilder(), other)
    assert lines(corpus, tmp_path / "other") == [
        "~ a/002  pictures changed: blur, sharp",
        "+ a/0025",
        "- a/004",
        "- b/001",
        "+ b/003",
    ]


def test_other_shards_names_and_parameters_are_no_difference(corpus: Path, tmp_path: Path) -> None:
    together = [plan("a", {"001": 10, "002": 20, "004": 40}), *plans()[2:3]]
    build_corpus(tmp_path / "o", replace(HEADER, name="o", params={"layout": "gopro"}), TinyBuilder(), together)
    assert lines(corpus, tmp_path / "o") == []


def test_equal_pixels_in_other_bytes_are_told_from_other_pixels(tmp_path: Path) -> None:
    first = sample("a/001", 1)
    image = cv2.imdecode(__import__("numpy").frombuffer(first.fields["blur"], "u1"), cv2.IMREAD_COLOR)
    again = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
    second = replace(first, fields={**first.fields, "blur": again})
    assert lines(one(tmp_path / "1", first), one(tmp_path / "2", second)) == ["~ a/001  pictures encoded anew: blur"]


def test_changed_metadata_says_from_what_to_what(tmp_path: Path) -> None:
    first = sample("a/001", 1)
    second = replace(first, meta={**first.meta, "iso": 200.0, "make": "Other"})
    assert lines(one(tmp_path / "1", first), one(tmp_path / "2", second)) == [
        "~ a/001  metadata changed: make 'ACME' -> 'Other', iso 100.0 -> 200.0"
    ]


def test_lineage_that_only_one_corpus_has_is_metadata(tmp_path: Path) -> None:
    lineage = {"source_corpus": "s", "source_key": "a/001", "variant": 0, "noise": [0.5], "method": "kernel"}
    lineage |= {"parameters": "{}", "generator": ""}
    new = one(tmp_path / "2", sample("a/001", 1, **lineage), synthesized=True)
    (line,) = lines(one(tmp_path / "1", sample("a/001", 1)), new)
    assert "noise absent -> [0.5]" in line
