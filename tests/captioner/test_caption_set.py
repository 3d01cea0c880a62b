from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from captioner.caption_set import caption_set
from captioner.config import CaptionConfig
from captioner.http_engine import HttpEngine
from captioner.prompt import Prompt

HTTP = {"kind": "http", "model": "a", "url": "http://localhost:1/v1"}


def made(prompt: str = "Describe it.", **values: Any) -> str:
    config = CaptionConfig.model_validate({**values, "engine": {**HTTP, **values.get("engine", {})}})
    return caption_set(config, HttpEngine(config.engine), Prompt("a", prompt))


def test_it_is_the_same_in_every_run_and_of_32_digits() -> None:
    assert made() == made()
    assert re.fullmatch("[0-9a-f]{32}", made())


@dataclass
class Change:
    values: dict[str, Any]
    is_another: bool


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(Change({"engine": {"model": "b"}}, True), id="model"),
        pytest.param(Change({"engine": {"url": "http://localhost:2/v1"}}, True), id="server"),
        pytest.param(Change({"prompt": "Say more."}, True), id="prompt"),
        pytest.param(Change({"frames": {"num_frames": 9}}, True), id="frames"),
        pytest.param(Change({"frames": {"choice": "moments"}}, True), id="choice"),
        pytest.param(
            Change({"engine": {"concurrency": 3, "timeout_s": 5, "max_tries": 1}}, False), id="how hard to try"
        ),
        pytest.param(Change({"readers": 7}, False), id="readers"),
    ],
)
def test_it_is_another_where_the_captions_are(change: Change) -> None:
    assert (made(**change.values) != made()) == change.is_another
