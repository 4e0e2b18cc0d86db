"""A corpus behind an address reads as the folder does; its cache is limited, and nothing damaged is ever read."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader

from dbgan import files
from dbgan.corpus import Corpus
from dbgan.corpus import address as address_module
from dbgan.corpus.address import Address, redacted
from dbgan.corpus.layout import Sample
from dbgan.errors import CorpusError, DbganError
from tests.conftest import SECRET
from tests.corpus.served import Served
from tests.corpus.served_gs import Bucket
from tests.documents.running import run_python


@pytest.fixture
def served(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The tiny corpus behind HTTP; retries do not wait."""
    monkeypatch.setattr(address_module, "WAIT_S", 0.0)
    with Served(corpus.parent) as serving:
        yield serving


def same(left: Sample, right: Sample) -> bool:
    return left.meta == right.meta and all(np.array_equal(left.images[f], right.images[f]) for f in right.images)


def cached() -> list[Path]:
    return sorted((files.state_dir() / "remote" / "shards").glob("*.tar"))


@pytest.mark.parametrize("cache_bytes", [0, 10**9])
def test_every_sample_is_that_of_the_folder(served: Served, corpus: Path, cache_bytes: int) -> None:
    local, remote = Corpus.open(corpus), Corpus.open(f"{served.url}/tiny", cache_bytes=cache_bytes)
    assert remote.keys == local.keys
    assert all(same(remote[key], local[key]) for key in local.keys)
    assert remote.table(["key", "shard"]).equals(local.table(["key", "shard"]))
    assert bool(cached()) == bool(cache_bytes)


@pytest.mark.parametrize("cache_bytes", [0, 10**9])
def test_the_stream_is_that_of_the_folder(served: Served, corpus: Path, cache_bytes: int) -> None:
    remote = Corpus.open(f"{served.url}/tiny", cache_bytes=cache_bytes)
    found = [(item["__key__"], item["json"]) for item in remote.stream()]
    assert found == [(item["__key__"], item["json"]) for item in Corpus.open(corpus).stream()]
    assert list((files.state_dir() / "remote").glob("passing/*")) == []


def test_a_shard_is_fetched_once_and_tables_until_they_change(served: Served, corpus: Path) -> None:
    for _ in range(2):
        remote = Corpus.open(f"{served.url}/tiny")
        assert [remote[key].key for key in remote.keys] == remote.keys
    assert served.asked["tiny/a-000.tar"] == 1
    assert served.asked["tiny/manifest.parquet"] == 1
    card = corpus / "corpus.json"
    card.write_bytes(card.read_bytes().replace(b'"name": "tiny"', b'"name": "tinz"'))
    assert Corpus.open(f"{served.url}/tiny").name == "tinz"


def test_dataloader_workers_read_it(served: Served, corpus: Path) -> None:
    remote = Corpus.open(f"{served.url}/tiny")
    assert pickle.loads(pickle.dumps(remote))["a/001"].key == "a/001"
    # fork: this process has connections and threads of its own, which a child must not use
    loader = DataLoader(
        remote, batch_size=None, num_workers=2, multiprocessing_context="fork", collate_fn=lambda sample: sample.key
    )
    assert sorted(loader) == Corpus.open(corpus).keys


def test_the_least_recently_used_shards_make_room(served: Served, corpus: Path) -> None:
    size = (corpus / "a-000.tar").stat().st_size
    remote = Corpus.open(f"{served.url}/tiny", cache_bytes=size + 1)
    for key in ("a/001", "a/004", "b/001"):
        assert remote[key].key == key
    assert len(cached()) == 1
    assert remote["a/001"].key == "a/001"
    assert served.asked["tiny/a-000.tar"] == 2


def test_passing_faults_are_tried_again(served: Served) -> None:
    served.faults["tiny/a-000.tar"] = 3
    served.cut["tiny/b-000.tar"] = 2
    remote = Corpus.open(f"{served.url}/tiny")
    assert [remote[key].key for key in remote.keys] == remote.keys
    assert served.asked["tiny/a-000.tar"] == 4


def test_a_shard_that_is_another_is_never_read(served: Served, corpus: Path) -> None:
    shutil.copy(corpus / "b-000.tar", corpus / "a-000.tar")
    remote = Corpus.open(f"{served.url}/tiny")
    with pytest.raises(CorpusError, match=r"tiny/a-000\.tar: cannot be read, attempt 5 of 5 .*SHA-256"):
        remote["a/001"]
    assert cached() == []


def test_what_is_not_there_is_said_at_once(served: Served) -> None:
    with pytest.raises(CorpusError, match=r"none/corpus\.json: cannot be read, attempt 1 of 5 \(FileNotFoundError"):
        Corpus.open(f"{served.url}/none")


def test_a_selection_may_lie_behind_an_address(served: Served, corpus: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = {"key": ["a/001", "b/002"], "split": ["train", "val"], "keep": [True, True], "reason": ["", ""]}
    pq.write_table(pa.table(rows), corpus.parent / "tiny.selection.parquet")
    local = Corpus.open(corpus, selection=corpus.parent / "tiny.selection.parquet", split="val")
    remote = Corpus.open(f"{served.url}/tiny", selection=f"{served.url}/tiny.selection.parquet", split="val")
    assert remote.keys == local.keys == ["b/002"]


def test_no_secret_of_an_address_is_shown(served: Served) -> None:
    host = served.url.removeprefix("http://")
    secret = f"http://me:hunter2@{host}/none"
    with pytest.raises(CorpusError) as raised:
        Corpus.open(secret)
    assert "hunter2" not in str(raised.value)
    assert host in str(raised.value)
    assert "hunter2" not in redacted(f"ClientError: 403, url='{secret}/a.tar?X-Amz-Signature=hunter2'")
    assert "hunter2" not in Address(secret).shown


@pytest.mark.parametrize("url", ["pipe:cat /etc/passwd", "file:///etc", "simplecache::s3://b/c", "ftp://h/c", "s3:b"])
def test_nothing_else_is_opened(url: str) -> None:
    with pytest.raises(DbganError, match="nothing else is opened"):
        Corpus.open(url)


def test_a_whole_verification_wants_a_copy(served: Served) -> None:
    with pytest.raises(CorpusError, match="dvc get"):
        Corpus.open(f"{served.url}/tiny").verify()


@pytest.mark.slow
def test_a_corpus_in_an_s3_bucket_is_read(corpus: Path, s3: str) -> None:
    import s3fs

    bucket = s3fs.S3FileSystem(endpoint_url=s3)
    bucket.makedirs("corpora", exist_ok=True)
    bucket.put(str(corpus), "corpora/tiny", recursive=True)
    local = Corpus.open(corpus)
    for cache_bytes in (0, 10**9):
        remote = Corpus.open("s3://corpora/tiny", cache_bytes=cache_bytes)
        assert all(same(remote[key], local[key]) for key in local.keys)
    assert [item["__key__"] for item in remote.stream()] == local.keys
    with pytest.raises(CorpusError) as raised:
        Corpus.open("s3://corpora/none")
    assert SECRET not in str(raised.value)


@pytest.mark.slow
def test_the_snippet_of_the_page_on_remotes(corpus: Path, s3: str) -> None:
    """docs/remotes.md, as written."""
    import s3fs

    bucket = s3fs.S3FileSystem(endpoint_url=s3)
    bucket.makedirs("team-bucket/corpora", exist_ok=True)
    bucket.put(str(corpus), "team-bucket/corpora/demo", recursive=True)
    found = run_python("docs/remotes.md", {})
    assert found["corpus"].keys == Corpus.open(corpus).keys


@pytest.mark.slow
def test_a_corpus_in_a_bucket_of_google_is_read(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gcsfs")
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # nobody else is asked for credentials
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(corpus / "none.json"))
    monkeypatch.setattr(address_module, "WAIT_S", 0.0)
    local = Corpus.open(corpus)
    with Bucket(corpus.parent, "corpora") as bucket:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.endpoint)
        for cache_bytes in (0, 10**9):
            remote = Corpus.open("gs://corpora/tiny", cache_bytes=cache_bytes)
            assert remote.keys == local.keys
            assert all(same(remote[key], local[key]) for key in local.keys)
        assert [item["__key__"] for item in remote.stream()] == local.keys
        shutil.copy(corpus / "b-000.tar", corpus / "a-000.tar")
        shutil.rmtree(files.state_dir())
        with pytest.raises(CorpusError, match=r"tiny/a-000\.tar: cannot be read, attempt 5 of 5 .*SHA-256"):
            Corpus.open("gs://corpora/tiny")["a/001"]
        with pytest.raises(CorpusError, match=r"none/corpus\.json: cannot be read, attempt 1 of 5"):
            Corpus.open("gs://corpora/none")
