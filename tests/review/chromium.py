"""Headless Chromium over its DevTools protocol: open a page, press keys, click, run a script, take a picture."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
)  # fmt: skip
CODES = {"ArrowRight": 39, "ArrowLeft": 37, "ArrowDown": 40, "ArrowUp": 38, "PageUp": 33, "PageDown": 34, "Home": 36}
CODES |= {"Enter": 13}


@contextlib.contextmanager
def running(program: str, profile: Path) -> Iterator[str]:
    """A browser; the address by which its tabs are opened."""
    command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told = profile / "DevToolsActivePort"
        until(lambda: told.is_file() and len(told.read_text().splitlines()) == 2, "the browser's port")
        port, path = told.read_text().splitlines()
        yield f"ws://127.0.0.1:{port}{path}"
    finally:
        process.terminate()
        process.wait(20)


class Tab:
    """A tab that shares no cookies, storage or cache with others. `requests` are the addresses it asked for, `said`
    the lines on its console, `problems` what went wrong there."""

    def __init__(self, address: str) -> None:
        self._address, self._sent = address, 0
        self.requests: list[str] = []
        self.problems: list[str] = []
        self.said: list[str] = []

    def __enter__(self) -> Tab:
        from websockets.sync.client import connect

        self._open = connect(self._address, max_size=None, proxy=None)
        self._socket = self._open.__enter__()
        self._own = self.send("Target.createBrowserContext", disposeOnDetach=True)["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=self._own)["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        # A tab without focus fires no focus and blur events, and which tab has it is chance.
        self.send("Emulation.setFocusEmulationEnabled", enabled=True)
        self.resize(1280)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.__exit__(kind, error, at)  # and with the connection goes the tab

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command and its answer; events that come meanwhile are noted."""
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": params}
        if hasattr(self, "_session"):
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == self._sent:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self._note(answer.get("method"), answer.get("params", {}))

    def _note(self, method: str | None, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Network.webSocketCreated":
            self.requests.append(params["url"])
        elif method == "Runtime.exceptionThrown":
            self._say(str(params["exceptionDetails"].get("exception", params["exceptionDetails"])), problem=True)
        elif method == "Log.entryAdded":
            entry = params["entry"]
            self._say(f"{entry['text']} {entry.get('url', '')}", problem=entry["level"] == "error")
        elif method == "Runtime.consoleAPICalled":
            self._say(str(params["args"]), problem=params["type"] == "error")

    def _say(self, words: str, problem: bool) -> None:
        self.said.append(words)
        if problem:
            self.problems.append(words)

    def open(self, address: str) -> None:
        """Load a page and wait until the grid is there."""
        self.send("Page.navigate", url=address)
        self.wait("document.querySelector('.card.cursor img')?.complete && window.socket?.connected")

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self.send("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait(self, script: str, seconds: float = 30) -> Any:
        """Wait until an expression is true; its value."""
        return until(lambda: self.run(script), script, seconds)

    def press(self, key: str) -> None:
        """Press and release a key: a letter, or a name such as `ArrowRight`."""
        code = CODES.get(key) or ord(key.upper())
        what = {"key": key, "code": key if key in CODES else f"Key{key.upper()}", "windowsVirtualKeyCode": code}
        text = {} if key in CODES else {"text": key}
        self.send("Input.dispatchKeyEvent", type="keyDown", **what, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **what)

    def click(self, selector: str, count: int = 1) -> None:
        """Click the middle of the first element of a CSS selector."""
        box = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center'}); const b = e.getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2] })()"
        )
        for done in range(1, count + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=done)

    def resize(self, width: int, height: int = 900) -> None:
        """Another window size, px."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def picture(self, path: Path) -> None:
        """Save what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


def until(answer: Any, what: str, seconds: float = 30) -> Any:
    """Ask until the answer is true; the answer. Raises `AssertionError` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := answer():
            return found
        time.sleep(0.03)
    raise AssertionError(f"not within {seconds} s: {what}")
