"""Fixtures shared by all tests: tiny real inputs, and the folder of real samples where it is present."""

from __future__ import annotations

import os
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import draws
from tests.review.chromium import Tab, running

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")
# Threads of several tests at once spin while they wait for a core: one file took twenty times its own work so.
# Read by torch and numpy when they are imported, here and in the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

PROJECT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real frames, phone photos and malformed files: `../shared/data` beside the checkout, or `$DBGAN_SHARED_DATA`."""
    folder = Path(os.environ.get("DBGAN_SHARED_DATA", PROJECT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real samples are absent: no folder {folder} (set DBGAN_SHARED_DATA to use another)")
    return folder


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own `.dbgan/`, and its own random numbers: what one did never serves another."""
    draws.begin()
    monkeypatch.setenv("DBGAN_STATE", str(tmp_path_factory.mktemp("state")))


SECRET = "hunter2"
"""What must never be shown or stored: the secret key of `s3`."""


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 server on this machine without any bucket, which the environment names with its secret."""
    moto = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    s3fs.S3FileSystem.clear_instance_cache()  # fsspec keeps connections, and they an earlier server's address
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    names = {"ENDPOINT_URL": address, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": SECRET, "DEFAULT_REGION": "us-east-1"}
    for name, value in names.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    yield address
    # moto keeps its buckets in this process, not in the server: the next test would find them
    urllib.request.urlopen(urllib.request.Request(f"{address}/moto-api/reset", method="POST")).close()
    server.stop()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a headless Chromium; each test has a tab of its own in it (`browser`)."""
    pytest.importorskip("websockets")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no `chromium` on the PATH: the page is not tried in a browser")
    with running(program, tmp_path_factory.mktemp("chromium")) as address:
        yield address


@pytest.fixture
def browser(chromium: str) -> Iterator[Tab]:
    """A fresh tab of 1280x900 px."""
    with Tab(chromium) as tab:
        yield tab
