"""A folder as a bucket of Google Cloud Storage, as far as reading goes: its JSON API on this machine."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Bucket:
    """`endpoint` answers for `gs://NAME`, whose objects are the files of `folder`, while the context lasts.

    Attributes:
        asked: how often each object was asked for its contents.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.asked: Counter[str] = Counter()

    def described(self, key: str) -> dict[str, str]:
        """An object's resource, as the API describes it."""
        data = (self.folder / key).read_bytes()
        digest = hashlib.md5(data).digest()
        place = f"{self.endpoint}/download/storage/v1/b/{self.name}/o/{key.replace('/', '%2F')}?alt=media"
        return {
            "kind": "storage#object",
            "name": key,
            "bucket": self.name,
            "size": str(len(data)),
            "md5Hash": base64.b64encode(digest).decode(),
            "etag": digest.hex(),
            "mediaLink": place,
            "updated": "2026-01-01T00:00:00.000Z",
            "timeCreated": "2026-01-01T00:00:00.000Z",
        }

    def __enter__(self) -> Bucket:
        bucket = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                below, _, key = path.partition(f"/b/{bucket.name}/o")
                key = unquote(key.lstrip("/"))
                if not key or not (bucket.folder / key).is_file():
                    return self._send(404, json.dumps({"error": {"code": 404, "message": "No such object"}}).encode())
                if not below.startswith("/download") and "alt=media" not in self.path:
                    return self._send(200, json.dumps(bucket.described(key)).encode())
                bucket.asked[key] += 1
                data, code = (bucket.folder / key).read_bytes(), 200
                if asked := self.headers.get("Range"):
                    first, _, last = asked.removeprefix("bytes=").partition("-")
                    data, code = data[int(first) : int(last) + 1 if last else None], 206
                return self._send(code, data)

            def _send(self, code: int, data: bytes) -> None:
                self.send_response(code)
                self.send_header("Content-Type", "application/json" if data[:1] == b"{" else "application/octet-stream")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=lambda: self._server.serve_forever(0.02), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
