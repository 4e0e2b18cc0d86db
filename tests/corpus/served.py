"""A folder behind HTTP on this machine, with parts of files, tags, and faults on demand."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections import Counter
from pathlib import Path


class Served:
    """`url` serves `folder` while the context lasts.

    Attributes:
        asked: how often each name was asked for its contents.
        faults: name -> how many requests of its contents fail before one succeeds.
        cut: name -> how many answers end early.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.cut: Counter[str] = Counter()

    def __enter__(self) -> Served:
        served = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def log_message(self, *_: object) -> None:
                """Quiet."""

            def _answer(self, *, body: bool) -> None:
                name = self.path.partition("?")[0].lstrip("/")
                file = served.folder / name
                if not file.is_file():
                    return self._send(404, b"", body)
                if body:
                    served.asked[name] += 1
                    if served.faults[name] > 0:
                        served.faults[name] -= 1
                        return self._send(503, b"busy", body)
                data, code = file.read_bytes(), 200
                if asked := self.headers.get("Range"):
                    first, _, last = asked.removeprefix("bytes=").partition("-")
                    data, code = data[int(first) : int(last) + 1 if last else None], 206
                if body and served.cut[name] > 0:
                    served.cut[name] -= 1
                    data = data[: len(data) // 2]
                return self._send(code, data, body, tag=hashlib.md5(file.read_bytes()).hexdigest())

            def _send(self, code: int, data: bytes, body: bool, tag: str = "") -> None:
                self.send_response(code)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("Accept-Ranges", "bytes")
                if tag:
                    self.send_header("ETag", f'"{tag}"')
                self.end_headers()
                if body:
                    self.wfile.write(data)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=lambda: self._server.serve_forever(0.02), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
