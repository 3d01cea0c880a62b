from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from captioner import make_engine
from captioner.config import EngineConfig
from captioner.engine import CaptionReply, CaptionRequest, ListFeed

pytest.importorskip("vllm")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

MAX_MODEL_LEN = 512
_START_S = 300.0


@pytest.fixture(scope="module")
def url(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """vLLM's server with the tiny model, in processes of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    outputs = json.dumps({"backend": "xgrammar", "disable_any_whitespace": True})
    options = ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--enforce-eager"]
    options += ["--served-model-name", "tiny"]
    options += ["--max-model-len", str(MAX_MODEL_LEN), "--max-num-seqs", "8", "--structured-outputs-config", outputs]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-m", "captioner.vllm_server", "--model", str(tiny_model), *options],
            stdout=file,
            stderr=file,
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1"},
            start_new_session=True,
        )
    try:
        ends = time.monotonic() + _START_S
        while not is_healthy(port):
            assert server.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < ends, log.read_text()[-3000:]
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        # Its engine is a process of its own, and of this group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def answers(config: EngineConfig, requests: list[CaptionRequest]) -> dict[str, CaptionReply]:
    engine = make_engine(config)
    engine.setup()
    replies = {reply.request_id: reply for reply in engine.generate(ListFeed(list(requests)))}
    engine.close()
    assert len(replies) == len(requests)
    return replies


def test_vllms_server_says_what_the_model_says_in_this_process(
    url: str, tiny_model: Path, make_window: Callable[..., Any]
) -> None:
    schema = {"type": "object", "properties": {"colour": {"enum": ["red", "blue"]}}, "required": ["colour"]}
    # Pictures reach it as PNG, without a loss; several of them are no video to it, so they are left out here.
    requests = [
        CaptionRequest(request_id="text", prompt="Say it.", max_tokens=24),
        CaptionRequest(request_id="picture", prompt="Describe it.", window=make_window(1, 84, 56), max_tokens=24),
        CaptionRequest(request_id="another", prompt="Describe it.", window=make_window(1, 56, 84, 3), max_tokens=24),
        CaptionRequest(request_id="JSON", prompt="Say it.", schema=schema, max_tokens=40),
        CaptionRequest(request_id="forced", prompt="Say it.", max_tokens=30, min_tokens=30),
    ]
    limits: dict[str, Any] = {"max_model_len": MAX_MODEL_LEN}
    served = answers(EngineConfig(kind="http", model="tiny", url=url, **limits), requests)
    own = answers(EngineConfig(kind="transformers", model=str(tiny_model), **limits), requests)
    assert served == own
    assert len({reply.text for reply in served.values()}) >= 4


@pytest.mark.parametrize("parts", ["images", "video"])
def test_vllms_server_takes_frames_in_both_forms(url: str, make_window: Callable[..., Any], parts: Any) -> None:
    requests = [
        CaptionRequest(request_id=str(k), prompt="Describe it.", window=make_window(4, 56, 56, seed=k), max_tokens=24)
        for k in range(6)
    ]
    replies = answers(EngineConfig(kind="http", model="tiny", url=url, parts=parts), requests)
    assert {reply.error for reply in replies.values()} == {""}
    assert len({reply.text for reply in replies.values()}) > 1


def test_what_the_server_refuses_is_told(url: str) -> None:
    long = CaptionRequest(request_id="long", prompt="red circle " * 500, max_tokens=8)
    reply = answers(EngineConfig(kind="http", model="tiny", url=url), [long])["long"]
    assert (reply.finish, reply.text) == ("error", "")
    assert "status 400" in reply.error
    nobody = answers(EngineConfig(kind="http", model="nobody", url=url), [long])["long"]
    assert "status 404" in nobody.error
