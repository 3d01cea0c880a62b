from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.sample_config import SampleConfig
from infra.studio.form import MAX_SHOTS, FieldError, read_as
from infra.studio.scribe import Scribe, Wording
from schemas import ConfigError


@pytest.fixture
def scribe(talking_config: SampleConfig) -> Iterator[Scribe]:
    found = Scribe(talking_config)
    yield found
    found.close()


def test_a_prompt_or_those_of_shots_are_written_out(scribe: Scribe, talker: Any) -> None:
    (one,) = scribe.write_out(Wording(prompt="a ball"))
    assert one.is_longer
    found = scribe.write_out(Wording(prompt="a ball", shots=("rolls", "")))
    assert [written.prompt[:12] for written in found] == ["a ball rolls", "a ball, over"]
    assert talker.asked == ["a ball", "a ball rolls", "a ball"]


def test_what_is_refused_is_not_asked(scribe: Scribe, talker: Any) -> None:
    for shots, sentence in (((), "the prompt is empty"), (("a ball", "a gory beheading"), "shot 2: the prompt is ref")):
        with pytest.raises(ConfigError, match=f"^{sentence}"):
            scribe.write_out(Wording(prompt=" ", shots=shots))
    assert talker.asked == []


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"prompt": 5}, "prompt"),
        ({"prompt": "p", "shots": ["q"] * (MAX_SHOTS + 1)}, "shots"),
        ({"prompt": "p", "shots": ["q", None]}, "shots.1"),
        ({"prompt": "\ud800"}, "prompt"),
        ({"prompt": "p", "model": "/etc/passwd"}, "model"),
        ([], ""),
    ],
)
def test_what_says_nothing_is_refused(values: object, field: str) -> None:
    with pytest.raises(FieldError) as caught:
        read_as(Wording, values)
    assert caught.value.field == field


def test_whoever_closes_waits_for_one_answer_and_not_for_all(scribe: Scribe, talker: Any) -> None:
    talker.may_answer.clear()
    said: list[str] = []

    def ask() -> None:
        try:
            scribe.write_out(Wording(prompt="a ball", shots=("rolls", "stands")))
        except ConfigError as error:
            said.append(str(error))

    asking, closing = threading.Thread(target=ask), threading.Thread(target=scribe.close)
    asking.start()
    until = time.monotonic() + 60
    while not talker.asked:
        assert time.monotonic() < until
        time.sleep(0.01)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    talker.may_answer.set()
    for thread in (asking, closing):
        thread.join(60)
        assert not thread.is_alive()
    assert (said, talker.asked) == (["the server ends"], ["a ball rolls"])


def test_a_model_of_ones_own_is_loaded_for_the_first_prompt_and_let_go(
    sample_values: Callable[..., dict[str, Any]], terse_captioner: Path
) -> None:
    engine = {"kind": "transformers", "model": str(terse_captioner)}
    scribe = Scribe(SampleConfig.model_validate(sample_values(expand=engine)))
    (found,) = scribe.write_out(Wording(prompt="a ball"))
    # Random weights lose what the person said.
    assert (found.prompt, found.is_longer) == ("a ball", False)
    scribe.close()
    with pytest.raises(ConfigError, match="the server ends"):
        scribe.write_out(Wording(prompt="a ball"))


def test_without_a_model_there_is_no_scribe(studio_config: SampleConfig) -> None:
    scribe = Scribe(studio_config)
    assert not scribe.is_there
    scribe.close()
