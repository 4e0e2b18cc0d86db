"""Changed code: one shard is built again and compared before the others are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dbgan import files
from dbgan.corpus import receipts
from dbgan.corpus.layout import Plan
from dbgan.engine import build as engine_build
from dbgan.engine import build_corpus, canary
from dbgan.errors import DbganError
from tests.corpus.tiny import HEADER, TinyBuilder, contents, plans


def _change_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_build, "code_digest", lambda *modules: "0" * 64)


def test_a_code_change_with_equal_bytes_keeps_the_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "c"
    build_corpus(out, HEADER, TinyBuilder(), plans())
    inodes = {path: path.stat().st_ino for path in out.iterdir()}
    _change_code(monkeypatch)
    built: list[str] = []
    original = TinyBuilder._build
    monkeypatch.setattr(TinyBuilder, "_build", lambda self, p: built.append(p.shard) or original(self, p))
    report = build_corpus(out, HEADER, TinyBuilder(), plans())
    assert (report.built, report.reused) == (0, 4)
    assert built == ["a-000"], "one shard is the canary"
    assert {path: path.stat().st_ino for path in out.iterdir()} == inodes
    build_corpus(out, HEADER, TinyBuilder(), plans())
    assert built == ["a-000"], "proved once, the code is known"


def test_a_code_change_with_other_bytes_fails_naming_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "c"
    build_corpus(out, HEADER, TinyBuilder(), plans())
    before = contents(out)
    _change_code(monkeypatch)
    with pytest.raises(DbganError, match=r"bump REVISION \(now 1\) of 'tiny' in dbgan.corpus.layout"):
        build_corpus(out, HEADER, TinyBuilder(tint=1), plans())
    assert contents(out) == before


def test_a_code_change_of_measures_alone_fails_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, shards = tmp_path / "c", plans()[1:3]
    build_corpus(out, HEADER, TinyBuilder(), shards)
    _change_code(monkeypatch)
    original = TinyBuilder._build

    def measured(self: TinyBuilder, shard: Plan) -> object:
        for made in original(self, shard):
            yield replace(made, columns={**made.columns, "blur_contrast": 0.5})

    monkeypatch.setattr(TinyBuilder, "_build", measured)
    with pytest.raises(DbganError, match=r"same bytes, but sample a/004 has blur_contrast 0.5 against None"):
        build_corpus(out, HEADER, TinyBuilder(), shards)


def test_without_dbgan_state_the_code_is_unknown_and_one_shard_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "c"
    build_corpus(out, HEADER, TinyBuilder(), plans())
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path / "another"))
    with pytest.raises(DbganError, match="bump REVISION"):
        build_corpus(out, HEADER, TinyBuilder(tint=1), plans())
    assert build_corpus(out, HEADER, TinyBuilder(), plans()).reused == 4


def test_the_canary_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "c"
    build_corpus(out, HEADER, TinyBuilder(), plans())
    _change_code(monkeypatch)
    build_corpus(out, HEADER, TinyBuilder(), plans())
    assert list((files.state_dir() / "canary").iterdir()) == []
    assert canary.choose(out.resolve(), plans(), receipts.finished(out), "0" * 64) is None
