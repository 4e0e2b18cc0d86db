"""The page's server: this machine only, and nothing without the token that its address holds."""

from __future__ import annotations

import hmac
import os
import secrets
import socket
import webbrowser
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from dbgan.errors import DbganError, ImageError
from dbgan.files import state_dir
from dbgan.review.source import Reviewed
from dbgan.review.thumbnails import Maker, thumbnail

HOST = "127.0.0.1"
HOSTS = (HOST, "localhost")
HEADERS = (
    # Scripts, styles, pictures and sockets of this server alone: the page can ask nothing of the internet.
    (b"content-security-policy", b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"),
    # The address holds the token.
    (b"referrer-policy", b"no-referrer"),
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """Refuses every request, of pages, files and sockets alike, whose path does not begin with the token.

    Another page in the same browser may send requests to 127.0.0.1, but cannot know the token; a name that an attacker
    points at 127.0.0.1 is refused by its `Host`.
    """

    def __init__(self, inner: Asgi, token: str) -> None:
        self._inner, self._token = inner, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._inner(scope, receive, send)
            return
        if self._allowed(scope):
            await self._inner(scope, receive, partial(_send_with_headers, send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Refused: use the address that dbgan review printed.\n"})

    def _allowed(self, scope: Scope) -> bool:
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        given = scope["path"].split("/")[1] if "/" in scope["path"] else ""
        return host.rpartition(":")[0] in HOSTS and hmac.compare_digest(given.encode(), self._token.encode())


async def _send_with_headers(send: Send, message: MutableMapping[str, Any]) -> None:
    if message["type"] == "http.response.start":
        message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
    await send(message)


def application(reviewed: Reviewed, token: str) -> Guard:
    """The page, its pictures and its files below `/TOKEN/`. Once per process: NiceGUI's app is global."""
    # NiceGUI would keep its own state in the working directory.
    os.environ.setdefault("NICEGUI_STORAGE_PATH", str((state_dir() / "nicegui").absolute()))
    from fastapi import FastAPI, HTTPException, Response
    from nicegui import app, ui

    from dbgan.review.page import Page

    cached = {"Cache-Control": "private, max-age=31536000, immutable"}
    corpus, field = reviewed.corpus, reviewed.field
    suffix = "jpeg" if corpus.header.ext == "jpg" else corpus.header.ext

    @app.get("/thumbnail/{row}")
    def small(row: int) -> Response:
        if not 0 <= row < len(corpus):
            raise HTTPException(404)
        try:
            data = thumbnail(reviewed.digests[row], lambda: corpus.encoded(row, field), corpus.header.max_pixels)
        except ImageError as error:
            raise HTTPException(422, str(error)) from None
        return Response(data, media_type="image/jpeg", headers=cached)

    @app.get("/picture/{row}/{which}")
    def whole(row: int, which: str) -> Response:
        if not 0 <= row < len(corpus) or which not in corpus.fields:
            raise HTTPException(404)
        return Response(corpus.encoded(row, which), media_type=f"image/{suffix}", headers=cached)

    @ui.page("/", title=f"dbgan review: {reviewed.name}")
    def page() -> None:
        Page(reviewed).build()

    outer = FastAPI(openapi_url=None)
    ui.run_with(outer, mount_path=f"/{token}", dark=None, show_welcome_message=False)
    return Guard(outer, token)


def listen(port: int) -> socket.socket:
    """A listening socket of 127.0.0.1. Raises `DbganError` where the port is taken or not allowed."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise DbganError(
            f"{HOST}:{port}: cannot listen there ({error.strerror}).\n"
            "Next: leave --port out, which takes any free port, or end the program that has this one."
        ) from None
    return listener


def serve(reviewed: Reviewed, port: int = 0, open_browser: bool = False) -> None:
    """Show the page until Ctrl-C; say what was decided.

    Raises:
        DbganError: the port is taken.
    """
    import uvicorn

    listener = listen(port)
    token = secrets.token_urlsafe(24)
    address = f"http://{HOST}:{listener.getsockname()[1]}/{token}/"
    # No access log: it would hold the token.
    config = uvicorn.Config(application(reviewed, token), log_level="warning", access_log=False)
    jobs = ((d, partial(reviewed.corpus.encoded, row, reviewed.field)) for row, d in enumerate(reviewed.digests))
    maker = Maker(jobs, reviewed.corpus.header.max_pixels)
    maker.start()
    try:
        print(f"{reviewed.name}: {len(reviewed.state.table)} samples. Ctrl-C ends the review.\n{address}", flush=True)
        if open_browser:
            webbrowser.open(address)
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass  # the way to end it, after which what was decided is told
    finally:
        maker.stop()
        listener.close()
    say_end(reviewed)


def say_end(reviewed: Reviewed) -> None:
    """What there is to do after a review."""
    counts = reviewed.state.counts()
    print(f"\n{reviewed.state.path}: {counts['drop']} dropped and {counts['keep']} kept by hand.")
    print(f"Next: dvc repro curate@{reviewed.name}, and commit the file.", flush=True)
