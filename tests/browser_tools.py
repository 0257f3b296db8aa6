"""A page of a server in headless chromium: skipped where there is none, except in CI.

with served(folder) as address, visited(f"{address}/page.html", profile) as page:
    page.wait_for("document.title !== ''")

Chromium is told what to do over two pipes, in the Chrome DevTools Protocol: messages of JSON, each
with a zero byte behind it.
"""

import base64
import functools
import http.server
import json
import os
import shutil
import signal
import threading
import time
from contextlib import contextmanager

import node_tools
import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
AXE = "axe-core@4.14.1"
"""The npm package that looks for what keeps readers with a keyboard or a screen reader out."""
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Gives out the files of a folder and says nothing of it."""

    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """The address of a server of a folder, as Python's own `http.server` is."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def visited(address, profile):
    """A page in a browser of its own, whose files lie in the folder `profile`."""
    if not hasattr(os, "posix_spawn"):
        pytest.skip("the browser is driven over pipes of POSIX systems")
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs chromium for these tests")
        pytest.skip("chromium is not installed")
    told, tell = _far_pipe()
    listen, said = _far_pipe()
    words = [CHROMIUM, *SWITCHES, f"--user-data-dir={profile}"]
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, null, stream) for stream in (1, 2)]
    # The numbers that chromium reads from and writes to.
    actions += [(os.POSIX_SPAWN_DUP2, told, 3), (os.POSIX_SPAWN_DUP2, said, 4)]
    process = os.posix_spawn(CHROMIUM, words, os.environ, file_actions=actions, setpgroup=0)
    for end in (told, said, null):
        os.close(end)
    try:
        with os.fdopen(tell, "wb") as to, os.fdopen(listen, "rb") as back:
            yield Page(to, back, address)
    finally:
        os.killpg(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _far_pipe():
    """A pipe whose numbers lie above those that the browser is given."""
    import fcntl

    ends = os.pipe()
    far = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return far


class Page:
    """A page that was opened.

    Attributes:
        requested: the addresses that it asked for, its own first.
    """

    def __init__(self, to, back, address):
        self._to, self._back, self._sent, self._session = to, back, 0, None
        self.requested = []
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        found = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        self._ask("Network.enable")
        self.open(address)

    def open(self, address):
        """Go to another page; `requested` begins again."""
        self.requested = []
        self._ask("Page.navigate", url=address)

    def sized(self, width, height, *, dark=False, media=""):
        """Give the window a size in pixels, the reader's wish for light or dark, and a medium."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self._ask("Emulation.setScrollbarsHidden", hidden=True)
        feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._ask("Emulation.setEmulatedMedia", media=media, features=[feature])

    def picture(self, *, whole=False):
        """The page as it is drawn, a PNG file: what the window shows, or all of it."""
        found = self._ask(
            "Page.captureScreenshot", captureBeyondViewport=whole, **self._clip(whole)
        )
        return base64.b64decode(found["data"])

    def _clip(self, whole):
        if not whole:
            return {}
        size = self._ask("Page.getLayoutMetrics")["cssContentSize"]
        # Without the scrollbar, which a picture of all of it does not have.
        width = max(size["width"], self.evaluate("window.innerWidth"))
        return {"clip": {**size, "width": width, "x": 0, "y": 0, "scale": 1}}

    def press(self, key):
        """Press and release a key, such as Enter or Tab."""
        code = {"Enter": 13, "Tab": 9, " ": 32}[key]
        text = {"Enter": "\r", " ": " "}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            self._ask(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )

    def barriers(self):
        """What axe-core calls serious or critical in the page: rule, element and how to mend it."""
        self.evaluate(f"{(node_tools.modules_with(AXE) / 'axe-core/axe.min.js').read_text()};0")
        self.evaluate(
            "window.found = null; axe.run({resultTypes: ['violations'], preload: false})"
            ".then((all) => { window.found = all; }); 0"
        )
        self.wait_for("window.found !== null")
        found = self.evaluate("JSON.stringify(window.found.violations)")
        return [
            f"{rule['impact']}: {rule['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
            for rule in json.loads(found)
            if rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    def evaluate(self, expression):
        """The value of an expression of JavaScript in the page."""
        found = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, expression, seconds=120):
        """Wait until an expression is true, and fail where it does not become so."""
        end = time.monotonic() + seconds
        while not self.evaluate(expression):
            assert time.monotonic() < end, self.evaluate("document.body?.innerText")
            time.sleep(0.1)

    def _ask(self, method, **parameters):
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._to.write(json.dumps(message).encode() + b"\0")
        self._to.flush()
        while (answer := self._next()).get("id") != self._sent:
            if answer.get("method") == "Network.requestWillBeSent":
                self.requested.append(answer["params"]["request"]["url"])
        assert "error" not in answer, answer
        return answer["result"]

    def _next(self):
        content = bytearray()
        while (byte := self._back.read(1)) != b"\0":
            assert byte, "chromium ended"
            content += byte
        return json.loads(content)
