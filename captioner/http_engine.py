"""Any server that speaks the chat interface of OpenAI: vLLM's own, SGLang, llama.cpp, or a paid one."""

from __future__ import annotations

import base64
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlsplit

import cv2

from captioner.config import EngineConfig
from captioner.engine import CaptionReply, CaptionRequest, Feed, Frames, Window
from schemas import ConfigError, digest

_MAX_ANSWER_BYTES = 8 << 20
_MAX_WAIT_S = 60.0
"""Between two tries, also where a server asks for more."""
_PIECE_BYTES = 1 << 16
_POLL_S = 0.02
_AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses that may pass."""


class _FailedTryError(Exception):
    """A try that another one may mend; `after_s` where the server says how long to wait."""

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class _RefusedError(Exception):
    """The server will not answer this request."""


class HttpEngine:
    """A caption engine.

    The server's key is read from the environment when it is needed. It is in no message, table, config or record.

    Args:
        config: The server, the model's name there, and how hard to try.

    Raises:
        ConfigError: The address is none.
    """

    def __init__(self, config: EngineConfig) -> None:
        assert config.model is not None
        assert config.url is not None
        if not _is_address(config.url):
            raise ConfigError("caption.engine.url: must be http://HOST:PORT/v1 or https://HOST/v1, without a key in it")
        self.config = config
        self._url = f"{config.url.rstrip('/')}/chat/completions"
        self._pool: Any = None
        self._pace = _Pace(config.requests_a_second)

    @property
    def model_id(self) -> str:
        """The name that the server knows."""
        assert self.config.model is not None
        return self.config.model

    @property
    def digest(self) -> str:
        """Of address and name: what runs behind them cannot be known."""
        return digest([self.config.url, self.config.model, self.config.parts])

    def setup(self) -> None:
        """Open a pool of connections.

        Raises:
            ConfigError: The library is missing, or the key is none.
        """
        try:
            import urllib3
        except ImportError as error:
            raise ConfigError(f"caption.engine.kind http needs rushes[captioner]: {error}") from error
        key = self._key()
        if not (key.isascii() and key.isprintable()):
            raise ConfigError(f"caption.engine.key_variable: the key in ${self.config.key_variable} is no plain text")
        self._pool = urllib3.PoolManager(maxsize=self.config.concurrency, retries=False)

    def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.clear()

    def __getstate__(self) -> dict[str, Any]:
        """As it was before `setup`, for the way to a worker."""
        return {"config": self.config}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin anew in a worker."""
        self.__init__(state["config"])  # type: ignore[misc]

    def generate(self, feed: Feed) -> Iterator[CaptionReply]:
        """Send the requests of a feed, so many at a time."""
        assert self._pool is not None, "setup was not called"
        under_way: set[Future[CaptionReply]] = set()
        is_over = threading.Event()
        threads = ThreadPoolExecutor(self.config.concurrency, thread_name_prefix="caption-http")
        try:
            while True:
                while len(under_way) < self.config.concurrency:
                    request = feed.take(wait=not under_way)
                    if request is None:
                        break
                    under_way.add(threads.submit(self._answer, request, is_over))
                if not under_way:
                    return
                has_room = len(under_way) < self.config.concurrency
                done, under_way = wait(under_way, _POLL_S if has_room else None, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            # Where nobody listens any more, no further try is made.
            is_over.set()
            threads.shutdown(cancel_futures=True)

    def _answer(self, request: CaptionRequest, is_over: threading.Event) -> CaptionReply:
        """Try until there is an answer, or no more sense in it."""
        body = json.dumps(self._body(request)).encode()
        waits = random.Random(request.request_id)
        said, after_s = "", 0.0
        for number in range(self.config.max_tries):
            if number:
                # Full jitter: servers that were overrun are not overrun again by all at once.
                is_over.wait(min(_MAX_WAIT_S, max(after_s, waits.uniform(0.5, 1) * 2.0**number * 0.5)))
            is_over.wait(self._pace.turn_s())
            if is_over.is_set():
                break
            try:
                return _reply(request, self._post(body))
            except _FailedTryError as error:
                said, after_s = str(error), error.after_s
            except _RefusedError as error:
                return CaptionReply(request_id=request.request_id, finish="error", error=str(error))
        lost = f"no answer in {self.config.max_tries} tries: {said}"
        return CaptionReply(request_id=request.request_id, finish="error", error=lost)

    def _post(self, body: bytes) -> dict[str, Any]:
        """One try; what the server says as JSON."""
        import urllib3

        headers = {"Content-Type": "application/json"}
        if key := self._key():
            headers["Authorization"] = f"Bearer {key}"
        ends = time.monotonic() + self.config.timeout_s
        try:
            response = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(total=self.config.timeout_s),
                preload_content=False,
                redirect=False,
            )
            try:
                text = _read(response, ends)
            finally:
                response.close()
        except urllib3.exceptions.HTTPError as error:
            # Its text may name the address; never the key, which is in a header.
            raise _FailedTryError(f"{type(error).__name__}") from error
        status = int(response.status)
        if status in _AGAIN:
            raise _FailedTryError(f"status {status}", _retry_after(response.headers.get("Retry-After")))
        if status in (401, 403):
            hint = "is refused" if key else "is missing"
            raise _RefusedError(f"status {status}: the key in ${self.config.key_variable} {hint}")
        if status != 200:
            said = _said(text)
            raise _RefusedError(f"status {status}: {said.replace(key, '***') if key else said}")
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _FailedTryError("the answer is no JSON") from error
        if not isinstance(value, dict):
            raise _FailedTryError("the answer is no JSON object")
        return value

    def _key(self) -> str:
        return os.environ.get(self.config.key_variable, "").strip()

    def _body(self, request: CaptionRequest) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        if request.window is not None:
            content += _parts(request.window, self.config.parts)
        content.append({"type": "text", "text": request.prompt})
        body: dict[str, Any] = {
            "model": self.config.model,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "seed": request.seed,
        }
        if request.min_tokens:
            body["min_tokens"] = request.min_tokens
        if request.schema is not None:
            schema = {"name": "caption", "schema": dict(request.schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body


class _Pace:
    """At most so many begins a second, over all threads."""

    def __init__(self, a_second: float | None) -> None:
        self._interval_s = 1 / a_second if a_second else 0.0
        self._lock = threading.Lock()
        self._next = 0.0

    def turn_s(self) -> float:
        """Seconds until it is this thread's turn, which it thereby takes."""
        if not self._interval_s:
            return 0.0
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._interval_s
        return turn - now


def _is_address(url: str) -> bool:
    """Whether a server can be reached by it; a key in it would be written down everywhere."""
    try:
        parts = urlsplit(url)
        named = parts.port != 0 and bool(parts.hostname)
    except ValueError:
        return False
    return named and parts.scheme in ("http", "https") and not {"@", "?", "#"} & {*url} and url.isprintable()


def _read(response: Any, ends: float) -> bytes:
    """The whole answer, if it comes in time and is no flood."""
    pieces, length = [], 0
    # Whatever has come: a read of so many bytes would wait for all of them, however slowly they come.
    while piece := response.read1(_PIECE_BYTES):
        length += len(piece)
        if length > _MAX_ANSWER_BYTES:
            raise _RefusedError(f"the answer is longer than {_MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > ends:
            raise _FailedTryError("the answer did not end in time")
        pieces.append(piece)
    return b"".join(pieces)


def _reply(request: CaptionRequest, value: dict[str, Any]) -> CaptionReply:
    """An answer in the interface's form.

    Raises:
        _FailedTryError: It is of another form.
    """
    try:
        choice = value["choices"][0]
        text, finish = choice["message"]["content"], choice["finish_reason"]
    except (KeyError, IndexError, TypeError) as error:
        raise _FailedTryError("the answer has no choices[0].message.content") from error
    if not isinstance(text, str) or not isinstance(finish, str):
        raise _FailedTryError("the answer has no text")
    usage = value.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return CaptionReply(
        request_id=request.request_id,
        text=text,
        finish="length" if finish == "length" else "stop",
        num_prompt_tokens=_count(counts.get("prompt_tokens")),
        num_output_tokens=_count(counts.get("completion_tokens")),
    )


def _count(value: object) -> int | None:
    # True is an int, too.
    return value if type(value) is int and 0 <= value < 2**40 else None


def _parts(window: Window, how: str) -> list[dict[str, Any]]:
    """Frames as the interface takes them."""
    if how == "video" and len(window.times_s) > 1:
        pictures = ",".join(_encoded(frame, ".jpg") for frame in window.frames)
        return [{"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{pictures}"}}]
    return [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_encoded(frame, '.png')}"}}
        for frame in window.frames
    ]


def _encoded(frame: Frames, suffix: str) -> str:
    done, data = cv2.imencode(suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    assert done
    return base64.b64encode(data.tobytes()).decode("ascii")


def _retry_after(header: str | None) -> float:
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        return 0.0


def _said(text: bytes) -> str:
    """The beginning of what a server says, in one line without control characters."""
    plain = text[:300].decode("utf-8", "replace")
    return " ".join("".join(char if char.isprintable() else " " for char in plain).split())
