"""motion.npz: what numpy reads, nothing hidden in it, and a field like any other for every verb of a corpus."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dbgan.corpus import Corpus, export
from dbgan.corpus.diff import compare
from dbgan.corpus.header import Header
from dbgan.corpus.info import facts
from dbgan.corpus.layout import EncodedSample
from dbgan.corpus.motion import Motion, decode, encode
from dbgan.corpus.tables import finish
from dbgan.corpus.write import write_shard
from dbgan.errors import CorpusError
from dbgan.merge import merge
from tests.corpus.tiny import HEADER, plan, sample

LINEAGE = {"source_corpus": "s", "source_key": "a/001", "variant": 0, "noise": [1.0], "method": "bgan"}
LINEAGE |= {"parameters": "{}", "generator": "ab"}


def motion(value: int, height: int = 2, width: int = 2) -> Motion:
    drawn = np.random.default_rng(value).standard_normal((5, height, width)).astype(np.float16)
    return Motion(drawn[:2], drawn[2:4], drawn[4], 4)


def moved(key: str, value: int, data: bytes | None = None) -> EncodedSample:
    made = sample(key, value, **LINEAGE)
    return replace(made, fields={**made.fields, "motion": encode(motion(value)) if data is None else data})


def build(path: Path, *samples: EncodedSample) -> Path:
    header = replace(HEADER, synthesized=True, arrays=("motion",), name=path.name)
    receipt = write_shard(path, plan("a", {"1": 1}), "paired", "png", samples, arrays=header.arrays)
    finish(path, header, [receipt])
    return path


def same(one: Motion | None, two: Motion) -> bool:
    names = ("velocity", "acceleration", "defocus", "cell")
    return one is not None and all(np.array_equal(getattr(one, n), getattr(two, n)) for n in names)


def test_numpy_reads_it_and_equal_arrays_give_equal_bytes() -> None:
    told = motion(3, 5, 7)
    with np.load(io.BytesIO(encode(told)), allow_pickle=False) as found:
        assert {name: found[name].dtype.str for name in found.files} == {
            **dict.fromkeys(("velocity", "acceleration", "defocus"), "<f2"),
            "cell": "<i4",
        }
        assert np.array_equal(found["velocity"], told.velocity)
        assert found["velocity"].shape == (2, 5, 7)
        assert found["cell"] == 4
    assert same(decode(encode(told)), told)
    fortran = Motion(np.asfortranarray(told.velocity), told.acceleration, told.defocus, 4)
    assert encode(fortran) == encode(told)
    assert {i.date_time for i in zipfile.ZipFile(io.BytesIO(encode(told))).infolist()} == {(1980, 1, 1, 0, 0, 0)}


def packed(change: Callable[[dict[str, Any]], Any], **options: Any) -> bytes:
    """An npz by numpy of the arrays of `motion(1)` after `change`."""
    arrays = {n: getattr(motion(1), n) for n in ("velocity", "acceleration", "defocus")} | {"cell": np.int32(4)}
    change(arrays)
    stream = io.BytesIO()
    options.get("save", np.savez)(stream, **arrays)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (packed(lambda a: a.update(defocus=np.array([{}], object))), "allow_pickle"),
        (packed(lambda a: a.update(owner=np.array("Anna"))), "expected the arrays .*owner"),
        (packed(lambda a: a.pop("cell")), "expected the arrays"),
        (packed(lambda a: None, save=np.savez_compressed), "is compressed"),
        (packed(lambda a: a.update(velocity=a["velocity"].astype(np.float32))), "velocity: expected float16"),
        (packed(lambda a: a.update(acceleration=a["acceleration"][:, :1])), "acceleration: expected float16"),
        (packed(lambda a: a.update(defocus=np.full((2, 2), np.nan, np.float16))), "finite"),
        (packed(lambda a: a.update(cell=np.int32(0))), "cell: expected 1 to 64"),
        (packed(lambda a: a.update(cell=np.float32(4))), "cell: expected a whole number"),
        (b"PK nonsense", "is no motion.npz"),
        (encode(motion(1))[:-30], "is no motion.npz"),
    ],
)
def test_anything_else_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        decode(data)


def test_every_reader_gives_it(tmp_path: Path) -> None:
    corpus = Corpus.open(build(tmp_path / "c", moved("a/001", 1), moved("a/002", 2)))
    assert corpus.verify() == []
    assert same(corpus["a/002"].motion, motion(2))
    assert corpus.encoded("a/001", "motion") == encode(motion(1))
    streamed = list(corpus.stream())
    assert [same(item["motion.npz"], motion(n)) for n, item in zip((1, 2), streamed, strict=True)] == [True, True]
    assert "motion" in facts(corpus.path)["kind"]
    assert "motion.npz" in facts(corpus.path)
    assert "`motion.npz`" in (corpus.path / "README.md").read_text()
    assert '"*.motion.npz"' in (corpus.path / "croissant.json").read_text()


def test_every_verb_carries_it(tmp_path: Path) -> None:
    one, two = build(tmp_path / "one", moved("a/001", 1)), build(tmp_path / "two", moved("a/002", 2))
    corpus = Corpus.open(one)
    export.extract(corpus, tmp_path / "out")
    assert (tmp_path / "out/a/001.motion.npz").read_bytes() == encode(motion(1))
    export.to_folders(corpus, tmp_path / "folders")
    assert (tmp_path / "folders/motion/a-001.npz").read_bytes() == encode(motion(1))
    merge([one, two], tmp_path / "both")
    merged = Corpus.open(tmp_path / "both")
    assert merged.verify() == []
    assert same(merged["a/002"].motion, motion(2))
    other = build(tmp_path / "other", moved("a/001", 1, encode(motion(9))))
    assert [str(d) for d in compare(one, other)] == ["~ a/001  motion changed: motion"]


def test_corpora_with_and_without_it_do_not_merge(tmp_path: Path) -> None:
    header = replace(HEADER, synthesized=True, name="without")
    receipt = write_shard(tmp_path / "without", plan("a", {"1": 1}), "paired", "png", [sample("a/001", 1, **LINEAGE)])
    finish(tmp_path / "without", header, [receipt])
    with pytest.raises(CorpusError, match="paired, png, synthesized, with motion"):
        merge([build(tmp_path / "one", moved("a/001", 1)), tmp_path / "without"], tmp_path / "both")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (encode(motion(1, 3, 2)), "its cells do not cover 8x8 px"),
        (packed(lambda a: None), "is not in canonical form"),
        (packed(lambda a: a.update(defocus=np.array([{}], object))), "allow_pickle"),
    ],
)
def test_verify_finds_what_is_no_motion_of_the_picture(tmp_path: Path, data: bytes, what: str) -> None:
    path = build(tmp_path / "c", moved("a/001", 1, data))
    (problem,) = Corpus.open(path).verify()
    assert problem.where == "a-000.tar: a/001.motion.npz"
    assert what in problem.what


def test_every_sample_has_it_or_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"has fields \('blur', 'sharp', 'motion'\), found \['blur', 'sharp'\]"):
        build(tmp_path / "c", sample("a/001", 1, **LINEAGE))
    with pytest.raises(ValueError, match="only synthesized corpora have some, of motion"):
        Header("paired", "png", "n", {}, {}, arrays=("motion",))
    with pytest.raises(ValueError, match="only synthesized corpora have some, of motion"):
        Header("paired", "png", "n", {}, {}, synthesized=True, arrays=("depth",))
