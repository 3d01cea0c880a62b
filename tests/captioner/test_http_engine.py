from __future__ import annotations

import base64
import contextlib
import json
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
import pytest

from captioner.config import EngineConfig
from captioner.engine import CaptionReply, CaptionRequest, ListFeed, Window
from captioner.http_engine import HttpEngine
from schemas import ConfigError

KEY = "sk-very-secret-0123456789"
KEY_VARIABLE = "RUSHES_TEST_KEY"
TIMEOUT_S = 1.0


class Handler(BaseHTTPRequestHandler):
    """Plays what the server's script has for the words that it is asked."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][0]["content"][-1]["text"]
        with self.server.lock:
            number = sum(one.prompt == prompt for one in self.server.seen)
            self.server.seen.append(Seen(prompt, self.path, dict(self.headers), body, time.monotonic()))
        plays = self.server.script.get(prompt, [good()])
        plays[min(number, len(plays) - 1)](self, body)

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


Play = Callable[[Handler, dict[str, Any]], None]


@dataclass(frozen=True)
class Seen:
    prompt: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    time_s: float


@dataclass
class Server(ThreadingHTTPServer):
    script: dict[str, list[Play]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)
    under_way: int = 0
    most_under_way: int = 0

    def __post_init__(self) -> None:
        self.request_queue_size = 64
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def tries(self, prompt: str) -> list[float]:
        return [one.time_s for one in self.seen if one.prompt == prompt]

    def work(self, delay_s: float) -> None:
        """Take some time, and note how many do so at once."""
        with self.lock:
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
        self.ended.wait(delay_s)
        with self.lock:
            self.under_way -= 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is nothing to write about."""


def good(delay_s: float = 0.0, **changes: Any) -> Play:
    def play(handler: Handler, body: dict[str, Any]) -> None:
        handler.server.work(delay_s)
        said = f"seen: {body['messages'][0]['content'][-1]['text']}"
        choice = {"message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        value = {"choices": [choice], "usage": {"prompt_tokens": 12, "completion_tokens": 3}, **changes}
        handler.answer(200, json.dumps(value).encode())

    return play


def status(code: int, body: bytes = b"", **headers: str) -> Play:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _: handler.answer(code, body, named)


def other_form(value: Any) -> Play:
    return status(200, json.dumps(value).encode())


def reasoned(content: Any, finish: Any) -> Play:
    return other_form({"choices": [{"message": {"content": content}, "finish_reason": finish}]})


def cut_off(handler: Handler, body: dict[str, Any]) -> None:
    handler.answer(200, b'{"choices": [{"mess', {"Content-Length": "1000"})
    handler.close_connection = True


def cut_off_chunks(handler: Handler, body: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'10\r\n{"choices": [{"m\r\n')
    handler.close_connection = True


def hang_up(handler: Handler, body: dict[str, Any]) -> None:
    handler.close_connection = True


def hang(handler: Handler, body: dict[str, Any]) -> None:
    handler.server.ended.wait(30)
    handler.close_connection = True


def drip(handler: Handler, body: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" ")
        if handler.server.ended.wait(0.05):
            return


def flood(handler: Handler, body: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" " * (1 << 20))


def echo_key(handler: Handler, body: dict[str, Any]) -> None:
    handler.answer(400, f"what\x1b[31m is\n {handler.headers['Authorization']}?".encode())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server() as one:
        thread = threading.Thread(target=one.serve_forever)
        thread.start()
        yield one
        one.ended.set()
        one.shutdown()
        thread.join()


@pytest.fixture
def script(server: Server) -> dict[str, list[Play]]:
    """What the server plays by prompt, one try after the other and the last for ever; empty at first."""
    server.script, server.seen, server.most_under_way = {}, [], 0
    return server.script


def config_of(server: Server, **values: Any) -> EngineConfig:
    given = {"kind": "http", "model": "a-model", "url": server.url, "key_variable": KEY_VARIABLE}
    return EngineConfig(**{**given, "timeout_s": TIMEOUT_S, "max_tries": 2, "concurrency": 24, **values})


@contextlib.contextmanager
def opened(config: EngineConfig) -> Iterator[HttpEngine]:
    engine = HttpEngine(config)
    engine.setup()
    yield engine
    engine.close()


def ask(prompts: Sequence[str], config: EngineConfig, **values: Any) -> dict[str, CaptionReply]:
    """Replies by prompt; exactly one each."""
    requests = [CaptionRequest(request_id=f"id of {prompt}", prompt=prompt, **values) for prompt in prompts]
    with opened(config) as engine:
        replies = list(engine.generate(ListFeed(requests)))
    assert len(replies) == len(prompts)
    by_id = {reply.request_id: reply for reply in replies}
    return {prompt: by_id[f"id of {prompt}"] for prompt in prompts}


MENDED: dict[str, list[Play]] = {
    "good at once": [good()],
    "busy": [status(429), good()],
    "broken": [status(500, b"<html>oops</html>"), good()],
    "restarting": [status(503), good()],
    "hangs up": [hang_up, good()],
    "hangs": [hang, good()],
    "drips": [drip, good()],
    "is cut off": [cut_off, good()],
    "is cut off in chunks": [cut_off_chunks, good()],
    "says garbage": [status(200, b"\x00\xff<html>"), good()],
    "says nothing": [status(200), good()],
    "says bombs": [status(200, b"[" * 100_000), good()],
    "says a list": [other_form([1]), good()],
    "has no choices": [other_form({"choices": []}), good()],
    "has another form": [other_form({"choices": {"a": 1}}), good()],
    "has no text": [reasoned(None, "stop"), good()],
    "has text in parts": [reasoned([{"type": "text", "text": "x"}], "stop"), good()],
    "does not end": [reasoned("x", None), good()],
}
LOST: dict[str, tuple[Play, str]] = {
    "always busy": (status(429), "no answer in 2 tries: status 429"),
    "always broken": (status(500), "no answer in 2 tries: status 500"),
    "always hangs": (hang, "no answer in 2 tries: ReadTimeoutError"),
    "always drips": (drip, "no answer in 2 tries: the answer did not end in time"),
    "always garbage": (status(200, b"{"), "no answer in 2 tries: the answer is no JSON"),
    "always cut off": (cut_off, "no answer in 2 tries: ProtocolError"),
    "always another form": (other_form({"text": 1}), "no answer in 2 tries: the answer has no choices[0]"),
    "flood": (flood, "the answer is longer than 8388608 bytes"),
    "no such model": (
        status(404, b'{"error": "no such\x1b[31m\nmodel"}'),
        'status 404: {"error": "no such [31m model"}',
    ),
    "long refusal": (status(400, b"x" * 10_000), f"status 400: {'x' * 300}"),
    "moved": (status(302, b"", Location="http://127.0.0.1:9/v1/chat/completions"), "status 302: "),
}


@pytest.fixture(scope="module")
def played(server: Server) -> dict[str, CaptionReply]:
    """Everything that a server may do, all at the same time."""
    server.script = {**MENDED, **{name: [play] for name, (play, _) in LOST.items()}}
    server.seen = []
    return ask(list(server.script), config_of(server, concurrency=len(server.script)))


@pytest.mark.parametrize("prompt", MENDED)
def test_what_may_pass_is_tried_again(played: dict[str, CaptionReply], prompt: str) -> None:
    usage = {"num_prompt_tokens": 12, "num_output_tokens": 3}
    assert played[prompt] == CaptionReply(request_id=f"id of {prompt}", text=f"seen: {prompt}", **usage)  # type: ignore[arg-type]


@pytest.mark.parametrize("prompt", LOST)
def test_what_does_not_pass_is_told_in_one_line(played: dict[str, CaptionReply], prompt: str) -> None:
    reply = played[prompt]
    assert (reply.finish, reply.text, reply.num_output_tokens) == ("error", "", None)
    assert reply.error.startswith(LOST[prompt][1])
    assert len(reply.error) < 400
    assert reply.error.isprintable()


def test_a_server_that_asks_for_patience_gets_it(server: Server, script: dict[str, list[Play]]) -> None:
    script |= {
        "patience": [status(429, Retry_After="2"), good()],
        "a date": [status(429, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), good()],
        "no number": [status(503, Retry_After="nan"), good()],
    }
    replies = ask(list(script), config_of(server))
    assert [reply.finish for reply in replies.values()] == ["stop"] * 3
    first, second = server.tries("patience")
    assert 2 <= second - first < 10


def test_what_cannot_pass_is_not_tried_again(server: Server, script: dict[str, list[Play]]) -> None:
    script |= {str(code): [status(code)] for code in (302, 400, 401, 403, 404, 413, 422)}
    script["flood"] = [flood]
    replies = ask(list(script), config_of(server, max_tries=5))
    assert {reply.finish for reply in replies.values()} == {"error"}
    assert len(server.seen) == len(script)


def test_the_end_of_a_text_and_its_counts_are_read_with_care(server: Server, script: dict[str, list[Play]]) -> None:
    script |= {
        "cut": [reasoned("half a", "length")],
        "counts": [good(usage={"prompt_tokens": True, "completion_tokens": -1})],
        "huge": [good(usage={"prompt_tokens": 10**40, "completion_tokens": 2.5})],
        "none": [good(usage=None)],
        "words": [good(usage="many")],
    }
    replies = ask(list(script), config_of(server))
    assert (replies["cut"].finish, replies["cut"].text) == ("length", "half a")
    for name in ("counts", "huge", "none", "words"):
        assert (replies[name].num_prompt_tokens, replies[name].num_output_tokens) == (None, None)


@pytest.mark.parametrize("key", [KEY, None])
def test_the_key_is_sent_and_told_nowhere(
    server: Server,
    script: dict[str, list[Play]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    key: str | None,
) -> None:
    caplog.set_level(0)
    if key is None:
        monkeypatch.delenv(KEY_VARIABLE, raising=False)
    else:
        # As `$(cat key)` and mounted secrets bring it.
        monkeypatch.setenv(KEY_VARIABLE, f"{key}\n")
    script |= {"good": [good()], "refused": [status(401, b"bad key")], "echo": [echo_key], "lost": [hang_up]}
    config = config_of(server)
    replies = ask(list(script), config)
    said = "is refused" if key else "is missing"
    assert replies["refused"].error == f"status 401: the key in $RUSHES_TEST_KEY {said}"
    assert replies["echo"].error == (
        "status 400: what [31m is Bearer ***?" if key else "status 400: what [31m is None?"
    )
    assert {one.headers.get("Authorization") for one in server.seen} == {f"Bearer {KEY}" if key else None}
    with opened(config) as engine:
        told = [repr(replies), repr(config), config.model_dump_json(), repr(engine), repr(vars(engine)), caplog.text]
        assert not any(KEY in text for text in told)
        assert KEY.encode() not in pickle.dumps(engine)
        assert KEY not in json.dumps([engine.digest, engine.model_id])


@pytest.mark.parametrize("key", ["sk-two\nlines", "sk-\x00", "sk-é"])
def test_a_key_that_no_header_may_hold_is_refused_without_a_word_of_it(
    server: Server, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    if "\x00" in key:
        key = "sk-\x01"
    monkeypatch.setenv(KEY_VARIABLE, key)
    with pytest.raises(ConfigError, match=r"the key in \$RUSHES_TEST_KEY is no plain text") as caught:
        HttpEngine(config_of(server)).setup()
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://host/v1", "host:8000/v1", "", "http://", "http:///v1", "http://[::1/v1", "http://host:99999/v1"),
        *("https://sk-secret@host/v1", "https://:sk-secret@host/v1", "https://host/v1?key=sk-secret"),
        *("https://host/v1#sk-secret", "http://host/\nv1", "file:///etc/passwd"),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match=r"^caption\.engine\.url: must be http://") as caught:
        HttpEngine(EngineConfig(kind="http", model="m", url=url))
    assert "sk-secret" not in str(caught.value)


def decoded(url: str, kind: str) -> np.ndarray:
    prefix = f"data:{kind};base64,"
    assert url.startswith(prefix)
    data = np.frombuffer(base64.b64decode(url.removeprefix(prefix)), np.uint8)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_frames_arrive_in_order_as_the_very_pixels(
    server: Server, script: dict[str, list[Play]], make_window: Callable[..., Window]
) -> None:
    window = make_window(5, 70, 42)
    ask(["look"], config_of(server), window=window)
    *pictures, text = server.seen[0].body["messages"][0]["content"]
    assert text == {"type": "text", "text": "look"}
    sent = np.stack([decoded(picture["image_url"]["url"], "image/png") for picture in pictures])
    assert np.array_equal(sent, window.frames)


def test_a_video_part_holds_all_frames(
    server: Server, script: dict[str, list[Play]], make_window: Callable[..., Window]
) -> None:
    smooth = np.linspace(0, 250, 4 * 64 * 48 * 3).reshape(4, 48, 64, 3).astype(np.uint8)
    window = Window(smooth, (0.0, 0.5, 1.0, 1.5))
    ask(["video"], config_of(server, parts="video"), window=window)
    video, _ = server.seen[0].body["messages"][0]["content"]
    head, *pictures = video["video_url"]["url"].split(",")
    assert head == "data:video/jpeg;base64"
    sent = np.stack([decoded(f"data:image/jpeg;base64,{data}", "image/jpeg") for data in pictures])
    assert np.abs(sent.astype(int) - smooth).mean() < 3
    ask(["picture"], config_of(server, parts="video"), window=make_window(1))
    assert server.seen[1].body["messages"][0]["content"][0]["type"] == "image_url"


def test_a_request_says_all_that_it_asks_for(server: Server, script: dict[str, list[Play]]) -> None:
    schema = {"type": "object"}
    asked = {"max_tokens": 9, "temperature": 0.5, "seed": 4}
    ask(["all"], config_of(server), schema=schema, min_tokens=3, **asked)
    ask(["little"], config_of(server))
    full, little = (one.body for one in server.seen)
    assert {one.path for one in server.seen} == {"/v1/chat/completions"}
    assert full.items() >= {**asked, "model": "a-model", "min_tokens": 3}.items()
    assert full["response_format"]["type"] == "json_schema"
    assert full["response_format"]["json_schema"]["schema"] == schema
    assert not {"response_format", "min_tokens"} & little.keys()


def test_no_more_are_under_way_than_allowed_and_no_fewer(server: Server, script: dict[str, list[Play]]) -> None:
    script |= {str(k): [good(delay_s=0.15)] for k in range(12)}
    replies = ask(list(script), config_of(server, concurrency=3, timeout_s=20))
    assert {reply.text for reply in replies.values()} == {f"seen: {k}" for k in range(12)}
    assert server.most_under_way == 3


def test_no_more_are_begun_in_a_second_than_allowed(server: Server, script: dict[str, list[Play]]) -> None:
    ask([str(k) for k in range(11)], config_of(server, requests_a_second=20, timeout_s=20))
    begun = sorted(one.time_s for one in server.seen)
    assert 0.5 - 0.03 <= begun[-1] - begun[0] < 5


class SlowFeed(ListFeed):
    """One that is not ready at first, each time."""

    waits = 0

    def take(self, *, wait: bool) -> CaptionRequest | None:
        self.waits += 1
        return super().take(wait=wait) if wait or self.waits % 3 == 0 else None


def test_requests_that_are_not_ready_yet_are_waited_for(server: Server, script: dict[str, list[Play]]) -> None:
    requests = [CaptionRequest(request_id=str(k), prompt=str(k)) for k in range(9)]
    with opened(config_of(server, concurrency=4, timeout_s=20)) as engine:
        replies = list(engine.generate(SlowFeed(requests)))
    assert sorted(reply.request_id for reply in replies) == sorted(map(str, range(9)))


def test_one_who_stops_listening_does_not_wait_for_further_tries(server: Server, script: dict[str, list[Play]]) -> None:
    script |= {str(k): [status(503, Retry_After="50")] for k in range(6)}
    requests = [CaptionRequest(request_id=prompt, prompt=prompt) for prompt in ["quick", *script]]
    with opened(config_of(server, concurrency=3, max_tries=9, timeout_s=20)) as engine:
        given = engine.generate(ListFeed(requests))
        assert next(given).request_id == "quick"
        begun = time.monotonic()
        given.close()  # type: ignore[attr-defined]
        assert time.monotonic() - begun < 5
    assert len(server.seen) <= 4


def test_an_error_of_the_feed_reaches_who_asked(server: Server, script: dict[str, list[Play]]) -> None:
    class BadFeed(ListFeed):
        def take(self, *, wait: bool) -> CaptionRequest | None:
            if not self.requests:
                raise ZeroDivisionError("a bug")
            return super().take(wait=wait)

    with opened(config_of(server)) as engine, pytest.raises(ZeroDivisionError):
        list(engine.generate(BadFeed([CaptionRequest(request_id="1", prompt="1")])))


def test_an_engine_that_was_copied_works_and_may_be_closed_twice(server: Server, script: dict[str, list[Play]]) -> None:
    first = HttpEngine(config_of(server))
    first.setup()
    copy = pickle.loads(pickle.dumps(first))
    assert copy.digest == first.digest
    copy.setup()
    (reply,) = copy.generate(ListFeed([CaptionRequest(request_id="1", prompt="1")]))
    assert reply.text == "seen: 1"
    for engine in (copy, first, first, HttpEngine(config_of(server))):
        engine.close()
