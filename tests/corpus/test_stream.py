"""The stream, and webdataset's own reader over the same shards."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from dbgan.corpus import Corpus
from dbgan.corpus.selection import write_selection
from dbgan.errors import CorpusError, MissingPackageError
from tests.corpus.test_read import KEYS, row
from tests.corpus.tiny import picture

wds = pytest.importorskip("webdataset")


def test_shards_load_with_webdataset_and_have_exactly_the_manifests_samples(corpus: Path) -> None:
    urls = sorted(str(path) for path in corpus.glob("*.tar"))
    found = {sample["__key__"]: sample for sample in wds.WebDataset(urls, shardshuffle=False)}
    opened = Corpus.open(corpus)
    assert sorted(found) == opened.keys
    for key, sample in found.items():
        assert {name for name in sample if not name.startswith("__")} == {"blur.png", "sharp.png", "json"}
        assert sample["blur.png"] == opened.encoded(key, "blur")
        assert json.loads(sample["json"]) == opened[key].meta


def test_the_stream_gives_the_samples_of_the_index(corpus: Path) -> None:
    items = list(Corpus.open(corpus).stream())
    assert [item["__key__"] for item in items] == KEYS
    np.testing.assert_array_equal(items[2]["sharp.png"], picture(41))
    assert items[2]["json"]["iso"] == 100.0
    assert isinstance(next(iter(Corpus.open(corpus).stream(decode=False)))["blur.png"], bytes)


def test_a_shuffled_stream_has_the_same_samples_and_the_same_order_for_the_same_seed(corpus: Path) -> None:
    opened = Corpus.open(corpus)
    orders = [[item["__key__"] for item in opened.stream(shuffle=10, seed=seed)] for seed in (1, 1, 2, 3)]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) > 1
    assert all(sorted(order) == KEYS for order in orders)


def test_the_stream_obeys_a_selection(corpus: Path, tmp_path: Path) -> None:
    write_selection(tmp_path / "s.parquet", [row("a/002"), row("b/001"), row("b/002", keep=False)])
    stream = Corpus.open(corpus, tmp_path / "s.parquet").stream()
    assert [item["__key__"] for item in stream] == ["a/002", "b/001"]


def test_webdataset_stages_follow(corpus: Path) -> None:
    stream = Corpus.open(corpus).stream().compose(wds.to_tuple("__key__", "blur.png"), wds.batched(2))
    assert [len(batch[0]) for batch in stream] == [2, 2, 1]


def test_dataloader_workers_share_the_shards(corpus: Path) -> None:
    loader = wds.WebLoader(Corpus.open(corpus).stream(), batch_size=None, num_workers=2)
    assert sorted(item["__key__"] for item in loader) == KEYS


def _append(tar: Path, name: str, data: bytes) -> None:
    with tarfile.open(tar, "a", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize("suffix", ["pyd", "pickle", "pth", "blur.pkl"])
def test_a_pickled_member_is_refused_and_never_loaded(corpus: Path, suffix: str) -> None:
    _append(corpus / "a-000.tar", f"a/009.{suffix}", b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(CorpusError, match=rf"found 'a/009.{suffix}'; nothing else is read"):
        list(Corpus.open(corpus).stream())


def test_a_pipe_url_in_the_manifest_is_never_run(corpus: Path, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ran = tmp_path / "ran"
    table = pq.read_table(corpus / "manifest.parquet")
    evil = pa.array([f"pipe:touch {ran} #"] * table.num_rows, pa.string())
    pq.write_table(table.set_column(3, table.schema.field("shard"), evil), corpus / "manifest.parquet")
    with pytest.raises(CorpusError, match="is no name of a shard"):
        Corpus.open(corpus)
    assert not ran.exists()


def test_a_folder_named_like_a_pipe_is_only_a_folder(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus.rename(tmp_path / "pipe:touch ran")
    assert len(list(Corpus.open(Path("pipe:touch ran")).stream())) == 5
    assert not (tmp_path / "ran").exists()


def test_a_tar_truncated_between_members_is_an_error_and_not_a_shorter_stream(corpus: Path) -> None:
    tar = corpus / "b-000.tar"
    with tarfile.open(tar) as archive:
        start_of_second = archive.getmembers()[3].offset
    tar.write_bytes(tar.read_bytes()[:start_of_second])
    with pytest.raises(CorpusError, match="names 2 samples of it, 1 are not there, such as b/002"):
        list(Corpus.open(corpus).stream())


def test_a_tar_truncated_inside_a_member_is_an_error_naming_the_file(corpus: Path) -> None:
    tar = corpus / "b-000.tar"
    tar.write_bytes(tar.read_bytes()[:700])
    with pytest.raises(CorpusError, match=r"b-000.tar: (cannot be read as a shard|the manifest names 2 samples)"):
        list(Corpus.open(corpus).stream())


def test_without_webdataset_the_stream_says_so(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delitem(sys.modules, "webdataset", raising=False)
    with pytest.raises(MissingPackageError, match=r"Corpus.stream needs the package 'webdataset'"):
        Corpus.open(corpus).stream()


HOSTILE = (
    "/etc/a/001.blur.png",
    "../../a/001.blur.png",
    "a/../001.blur.png",
    "pipe:touch ran #.json",
    "a/001.blur.pyd",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_member_with_a_hostile_name_is_refused_and_writes_nothing(corpus: Path, tmp_path: Path, name: str) -> None:
    """Names are never opened as paths or URLs, and pickles never loaded: the reader knows the names it wants."""
    tar = corpus / "b-000.tar"
    with tarfile.open(tar) as archive:
        members = [(member, archive.extractfile(member).read()) for member in archive]
    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as archive:
        for i, (member, data) in enumerate(members):
            member.name = name if i == 0 else member.name
            archive.addfile(member, io.BytesIO(data))
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CorpusError):
        list(Corpus.open(corpus).stream())
    problems = Corpus.open(corpus).verify()
    assert f"b-000.tar: {name}" in {problem.where for problem in problems}
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_no_file_is_refused(corpus: Path, kind: bytes) -> None:
    tar = corpus / "b-000.tar"
    link = tarfile.TarInfo("b/001.blur.png")
    link.type, link.linkname = kind, "/etc/passwd"
    with tarfile.open(tar, "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(link)
    with pytest.raises(CorpusError, match="nothing else is read"):
        list(Corpus.open(corpus).stream())
    assert ("b-000.tar: b/001.blur.png", "is no regular file") in {
        (problem.where, problem.what) for problem in Corpus.open(corpus).verify()
    }
