"""The server: this machine only, nothing without the token, misuse in words. Each runs in a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dbgan import cli
from tests.conftest import PROJECT
from tests.review.chromium import until
from tests.review.conftest import SOURCE

pytest.importorskip("nicegui", reason="the review page needs the extra `review`")


class Served:
    """A running `dbgan review`: port, token, address, and what it printed."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process, self.log = process, log
        self.address = until(self._address, "the page's address", 60)
        self.port = int(self.address.split(":")[2].split("/")[0])
        self.token = self.address.split("/")[3]

    def _address(self) -> str | None:
        assert self.process.poll() is None, self.log.read_text()
        return next((line for line in self.log.read_text().splitlines() if line.startswith("http://")), None)

    def status(self, path: str, host: str | None = None, **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers={**({"Host": host} if host else {}), **headers})
        return connection.getresponse().status

    def end(self) -> str:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        return self.log.read_text()


@contextlib.contextmanager
def serving(project: Path, *options: str) -> Iterator[Served]:
    """`dbgan review phones` in the project's root."""
    log = project / "review.log"
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "dbgan", "review", SOURCE, *options],
            cwd=project,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    try:
        yield Served(process, log)
    finally:
        process.kill()
        process.wait()


def test_every_request_without_the_token_is_refused(project: Path) -> None:
    with serving(project) as served:
        token = served.token
        assert len(token) >= 32
        below = ("", "thumbnail/0", "picture/0/blur")
        assert [served.status(f"/{token}/{path}") for path in below] == [200, 200, 200]
        asset = "_nicegui_ws/socket.io/?EIO=4&transport=polling"
        for path in ("", *below, asset, "_nicegui/x.js", "docs", "openapi.json"):
            assert served.status(f"/{path}") == 403
            assert served.status(f"/{token[:-1]}/{path}") == 403
            assert served.status(f"//{token}/{path}") == 403
        # a name that somebody else points at this machine
        assert served.status(f"/{token}/", host=f"evil.example:{served.port}") == 403
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        upgrade["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
        socket_path = "_nicegui_ws/socket.io/?EIO=4&transport=websocket"
        assert served.status(f"/wrong/{socket_path}", **upgrade) == 403
        absent = ("thumbnail/999", "thumbnail/-1", "picture/999/blur", "picture/0/sharp", "picture/0/json")
        assert {served.status(f"/{token}/{path}") for path in absent} == {404}
        with pytest.raises(OSError, match="refused"):  # no other address of this machine listens
            socket.create_connection(("127.0.0.2", served.port), timeout=5)


def test_the_token_is_another_each_time_and_the_end_says_what_to_do(project: Path) -> None:
    with serving(project) as first, serving(project) as second:
        assert first.token != second.token
    (project / "datasets" / "reviews").mkdir()
    (project / "datasets" / "reviews" / f"{SOURCE}.csv").write_text("key,decision,note\nwalk-0/00000,drop,\n")
    with serving(project) as served:
        told = served.end()
    assert served.process.returncode == 0, told
    assert "1 dropped and 0 kept by hand" in told
    assert f"Next: dvc repro curate@{SOURCE}" in told
    assert "Traceback" not in told


def review(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.app, ["review", *arguments])
    return done.exit_code, done.output


def test_misuse_gives_words(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    code, told = review("phnes")
    assert code == 2
    assert "sources has no 'phnes'. Did you mean 'phones'?" in told
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, told = review(SOURCE, "--port", port)
        assert code == 1
        assert f"127.0.0.1:{port}: cannot listen there (Address already in use)" in told
    (project / "datasets" / "train" / SOURCE / "corpus.json").unlink()
    code, told = review(SOURCE)
    assert code == 1
    assert "has not been ingested" in told
    assert f"dvc repro ingest@{SOURCE}" in told
    monkeypatch.chdir(project / "datasets")
    assert review(SOURCE)[0] == 2
