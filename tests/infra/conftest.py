"""A real browser for tests, driven over the DevTools protocol, and a server that speaks as language models do."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import pytest

_START_S = 60.0
_WAIT_S = 20.0


class Browser:
    """A headless Chromium; one page at a time is enough."""

    def __init__(self, program: str, profile: Path) -> None:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        quiet = ["--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"]
        command = [program, "--headless=new", *sandbox, *quiet, "--remote-debugging-port=0"]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._loop = asyncio.new_event_loop()
        self._count = 0
        self._session = self._target = ""
        self.problems: list[str] = []
        """What the page's console said of errors: exceptions, and what the policy stopped."""
        self._loop.run_until_complete(self._connect(profile / "DevToolsActivePort"))

    async def _connect(self, told: Path) -> None:
        until = time.monotonic() + _START_S
        while not (told.exists() and told.read_text().count("\n") >= 1):
            assert self._process.poll() is None, "Chromium ended at once"
            assert time.monotonic() < until, "Chromium does not start"
            await asyncio.sleep(0.05)
        port, path = told.read_text().split()
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0)

    async def _ask(self, method: str, given: dict[str, Any]) -> dict[str, Any]:
        self._count += 1
        number = self._count
        message = {"id": number, "method": method, "params": given}
        await self._socket.send_json(message | ({"sessionId": self._session} if self._session else {}))
        while True:
            answer = json.loads((await asyncio.wait_for(self._socket.receive(), _START_S)).data)
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("sessionId") != self._session:
            return
        given = event.get("params", {})
        if event.get("method") == "Runtime.exceptionThrown":
            self.problems.append(str(given["exceptionDetails"].get("exception", {}).get("description")))
        if event.get("method") == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.problems.append(f"{given['entry']['text']} {given['entry'].get('url', '')}")

    def ask(self, method: str, **given: Any) -> dict[str, Any]:
        """Send one command of the protocol; give its answer."""
        return self._loop.run_until_complete(self._ask(method, given))

    def open(self, url: str, *, width: int = 1400, height: int = 2000, dark: bool = False) -> None:
        """Show an address in a new tab and wait until it is loaded."""
        self._session = ""
        if self._target:
            self.ask("Target.closeTarget", targetId=self._target)
        self._target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        self.problems.clear()
        for domain in ("Runtime", "Log", "Page"):
            self.ask(f"{domain}.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=url)
        self.wait("location.href !== 'about:blank' && document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript in the page; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + _WAIT_S
        while not self.run(f"!!({script})"):
            assert time.monotonic() < until, f"never true: {script}; {self.problems}"
            time.sleep(0.03)

    def press(self, key: str) -> None:
        """Press and let go of a key: a character, or a name such as `ArrowRight`."""
        text = {"text": key} if len(key) == 1 else {}
        self.ask("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key)

    def place(self, selector: str) -> tuple[float, float]:
        """The middle of an element, after scrolling to it."""
        found = self.run(
            f"""(() => {{
                const element = document.querySelector({json.dumps(selector)});
                element.scrollIntoView({{block: 'center', behavior: 'instant'}});
                const box = element.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        return found[0], found[1]

    def click(self, selector: str) -> None:
        """Click an element."""
        self.drag(self.place(selector), (0, 0))

    def drag(self, start: tuple[float, float], by: tuple[float, float]) -> None:
        """Press the button there, move in four steps, let go."""
        mouse = {"button": "left", "clickCount": 1}
        self.ask("Input.dispatchMouseEvent", type="mousePressed", x=start[0], y=start[1], **mouse)
        for k in range(1, 5) if any(by) else ():
            x, y = start[0] + by[0] * k / 4, start[1] + by[1] * k / 4
            self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button="left", buttons=1)
        self.ask("Input.dispatchMouseEvent", type="mouseReleased", x=start[0] + by[0], y=start[1] + by[1], **mouse)

    def screenshot(self, path: Path) -> None:
        """Write what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", format="png")["data"]))

    def close(self) -> None:
        """End it."""
        self._session = ""
        self._loop.run_until_complete(self._end())
        self._loop.close()
        self._process.wait(_START_S)

    async def _end(self) -> None:
        await self._ask("Browser.close", {})
        await self._socket.close()
        await self._http.close()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser of this test session."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium is on PATH (Debian: apt-get install chromium)")
    started = Browser(program, tmp_path_factory.mktemp("chromium"))
    yield started
    started.close()


_LONGER = "{}, over wet sand at dawn. The camera stands still."


class _Talk(BaseHTTPRequestHandler):
    """Speaks the chat interface."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = asked["messages"][0]["content"][0]["text"]
        request = question.partition("Request: ")[2]
        talker: Talker = self.server.talker  # type: ignore[attr-defined]
        talker.asked.append(request)
        assert talker.may_answer.wait(60)
        known = (answer for words, answer in talker.answers.items() if words in question)
        message = {"content": next(known, _LONGER.format(request))}
        body = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests print nothing of their own."""


@dataclass
class Talker:
    """A server in the place of a language model: it writes out all it is asked, but for what it is told to answer."""

    url: str
    answers: dict[str, str] = field(default_factory=dict)
    """By words of the question."""
    asked: list[str] = field(default_factory=list)
    """The prompts that were to be written out."""
    may_answer: threading.Event = field(default_factory=threading.Event)

    @property
    def engine(self) -> dict[str, object]:
        """Values of an engine's config."""
        return {"kind": "http", "model": "talker", "url": self.url, "max_tries": 1}


@pytest.fixture
def talker() -> Iterator[Talker]:
    """A server of this test."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Talk) as server:
        found = Talker(f"http://127.0.0.1:{server.server_port}/v1")
        found.may_answer.set()
        server.talker = found  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        found.may_answer.set()
        server.shutdown()
        thread.join()
